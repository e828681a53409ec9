from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replies import segments
from replies.segments import GSM7, GSM_BASIC, GSM_EXTENDED, UCS2

TEXTS = tomllib.loads((Path(__file__).parent / "campaign_texts.toml").read_text())
#: 3GPP TS 23.038, 6.2.1, by code: row by row of the table, the escape left out.
TS_23_038 = (
    "@£$¥èéùìòÇ\nØø\rÅå" + "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ" + " !\"#¤%&'()*+,-./" + "0123456789:;<=>?" + "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§" + "¿abcdefghijklmno" + "pqrstuvwxyzäöñüà"
)
gsm = st.text(st.sampled_from(sorted(GSM_BASIC) + sorted(GSM_EXTENDED) * 6), max_size=700)
any_text = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("🙂é€’"), max_size=400)


def encoded(char: str) -> bytes:
    """One character on the air, a byte for each unit: an independent way to its width."""
    return b"\x1b" + b"x" if char in GSM_EXTENDED else b"x"


def naive(text: str) -> list[str]:
    """Segments found by taking one character after the other and encoding everything again each time."""
    is_gsm = all(char in TS_23_038 or char in "\f^{}\\[~]|€" for char in text)

    def units(piece: str) -> int:
        return sum(len(encoded(char)) for char in piece) if is_gsm else len(piece.encode("utf-16-be")) // 2

    single, part = (160, 153) if is_gsm else (70, 67)
    if units(text) <= single:
        return [text] if text else []
    pieces = [""]
    for char in text:
        if units(pieces[-1] + char) > part:
            pieces.append("")
        pieces[-1] += char
    return pieces


def test_the_alphabet_is_the_standards() -> None:
    assert len(TS_23_038) == 127
    assert frozenset(TS_23_038) == GSM_BASIC
    assert len(GSM_EXTENDED) == 10
    assert not GSM_BASIC & GSM_EXTENDED


@given(gsm | any_text)
def test_segments_are_those_of_a_naive_filling(text: str) -> None:
    assert segments.parts(text) == naive(text)
    assert segments.count(text).segments == len(naive(text))


@given(gsm | any_text)
def test_nothing_is_lost_and_no_pair_is_split(text: str) -> None:
    parts = segments.parts(text)
    assert "".join(parts) == text
    counted = segments.count(text)
    assert counted.units == sum(segments.width(char, counted.encoding) for char in text)
    room = counted.encoding.single if len(parts) <= 1 else counted.encoding.part
    assert all(sum(segments.width(char, counted.encoding) for char in part) <= room for part in parts)


@given(gsm | any_text)
def test_left_is_what_still_fits_and_one_more_does_not(text: str) -> None:
    counted = segments.count(text)
    filler = "x"
    assert segments.count(text + filler * counted.left).segments == max(counted.segments, 1)
    if counted.segments:
        more = segments.count(text + filler * (counted.left + 1))
        assert more.segments == counted.segments + 1


@given(gsm)
def test_gsm_text_forces_nothing_and_one_stranger_forces_everything(text: str) -> None:
    assert segments.count(text).forcing == ()
    assert segments.encoding_of(text) is GSM7
    counted = segments.count(text + "ç" + "ç")
    assert (counted.encoding, counted.forcing, counted.units) == (UCS2, ("ç",), len(text) + 2)


@pytest.mark.parametrize(
    ("text", "units", "count", "left"),
    [
        ("", 0, 0, 160),
        ("a" * 160, 160, 1, 0),
        ("a" * 161, 161, 2, 145),
        ("a" * 306, 306, 2, 0),
        ("a" * 307, 307, 3, 152),
        ("€" * 80, 160, 1, 0),
        ("a" * 152 + "€" + "a" * 10, 164, 2, 141),  # the euro moves whole: 152, then 12
        ("a" * 152 + "€" + "a" * 151, 305, 2, 0),
        ("a" * 152 + "€" + "a" * 152, 306, 3, 152),  # 306 units do not fit in 2 x 153 here
        ("à" * 160, 160, 1, 0),
        ("ê" * 70, 70, 1, 0),
        ("ê" * 71, 71, 2, 63),
        ("🙂" * 35, 70, 1, 0),
        ("🙂" * 36, 72, 2, 61),  # 33 fill 66 of 67, three more 6
        ("ê" * 66 + "🙂" + "ê" * 65, 133, 2, 0),
        ("a\r\nb", 4, 1, 156),
        ("\r\n" * 80, 160, 1, 0),
        ("\f", 2, 1, 158),
        ("\x1b", 1, 1, 69),
    ],
)
def test_figures(text: str, units: int, count: int, left: int) -> None:
    counted = segments.count(text)
    assert (counted.units, counted.segments, counted.left) == (units, count, left)


@pytest.mark.parametrize("name", TEXTS)
def test_the_campaigns_figures(name: str) -> None:
    row = TEXTS[name]
    counted = segments.count(row["text"])
    assert (counted.encoding.name, len(row["text"]), counted.segments, list(counted.forcing)) == (
        row["encoding"],
        row["characters"],
        row["segments"],
        row["forcing"],
    )
