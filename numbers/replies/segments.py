"""How many SMS a text is: GSM 03.38 and UCS-2, filled segment by segment as handsets and invoices count it.

Source: 3GPP TS 23.038 (alphabet and extension table), TS 23.040 9.2.3.24 (concatenation header: 153 septets or
67 UTF-16 units remain of 160 or 70). A character that takes two units is never split over two segments.
"""

from __future__ import annotations

from dataclasses import dataclass

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True)
class Encoding:
    name: str
    single: int
    part: int
    #: Plivo refuses longer texts (docs.plivo.com, encoding and concatenation).
    longest: int


GSM7 = Encoding("GSM-7", 160, 153, 1600)
UCS2 = Encoding("UCS-2", 70, 67, 737)


@dataclass(frozen=True)
class Count:
    """`units` are septets or UTF-16 code units; `forcing` are the characters that make the text UCS-2."""

    encoding: Encoding
    units: int
    segments: int
    #: Units that still fit without a further segment.
    left: int
    forcing: tuple[str, ...]


def count(text: str) -> Count:
    """Segments, units and encoding of `text`. An empty text has no segment."""
    forcing = tuple(dict.fromkeys(char for char in text if char not in GSM_BASIC and char not in GSM_EXTENDED))
    if forcing:
        encoding, widths = UCS2, [2 if ord(char) > 0xFFFF else 1 for char in text]
    else:
        encoding, widths = GSM7, [2 if char in GSM_EXTENDED else 1 for char in text]
    units = sum(widths)
    if units <= encoding.single:
        return Count(encoding, units, 1 if units else 0, encoding.single - units, forcing)
    segments, filled = 1, 0
    for width in widths:
        if filled + width > encoding.part:
            segments, filled = segments + 1, 0
        filled += width
    return Count(encoding, units, segments, encoding.part - filled, forcing)
