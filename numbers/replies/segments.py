"""How many SMS a text is: GSM 03.38 and UCS-2, filled segment by segment as handsets and invoices count it.

Source: 3GPP TS 23.038 (alphabet and extension table), TS 23.040 9.2.3.24 (concatenation header: 153 septets or
67 UTF-16 units remain of 160 or 70). A character that takes two units is never split over two segments. What is
counted is what is given: bring a text to one form first (`lint.normalized`).
"""

from __future__ import annotations

import itertools
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


def encoding_of(text: str) -> Encoding:
    """GSM-7 where every character is in its alphabet; one that is not makes the whole text UCS-2."""
    return UCS2 if _forcing(text) else GSM7


def width(char: str, encoding: Encoding) -> int:
    """Units of one character: 2 for an extension character (escape and code) or a surrogate pair, else 1."""
    if encoding is GSM7:
        return 2 if char in GSM_EXTENDED else 1
    return 2 if ord(char) > 0xFFFF else 1


def parts(text: str) -> list[str]:
    """`text` as it is cut into segments. An empty text has none."""
    encoding = encoding_of(text)
    widths = [width(char, encoding) for char in text]
    if sum(widths) <= encoding.single:
        return [text] if text else []
    cuts, filled = [0], 0
    for index, units in enumerate(widths):
        if filled + units > encoding.part:
            cuts.append(index)
            filled = 0
        filled += units
    return [text[start:end] for start, end in itertools.pairwise([*cuts, len(text)])]


def count(text: str) -> Count:
    """Segments, units and encoding of `text`. An empty text has no segment."""
    encoding, pieces = encoding_of(text), parts(text)
    filled = [sum(width(char, encoding) for char in piece) for piece in pieces] or [0]
    room = encoding.single if len(pieces) <= 1 else encoding.part
    return Count(encoding, sum(filled), len(pieces), room - filled[-1], _forcing(text))


def _forcing(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(char for char in text if char not in GSM_BASIC and char not in GSM_EXTENDED))
