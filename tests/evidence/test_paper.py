"""The report on paper: every script that somebody writes in can be read, and what cannot be drawn is named."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.paper import Paper


def read(paper: Paper) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(bytes(paper.output()))).pages)


@contextlib.contextmanager
def sheet() -> Iterator[Paper]:
    with contextlib.closing(Paper("Rapport", "fr", "Association — Loutre-7F3A")) as paper:
        yield paper


@pytest.mark.parametrize(
    "text", ["Je sais où tu habites", "Я знаю, де ти живеш", "Ξέρω πού μένεις", "Wiem, gdzie mieszkasz ęłż", "Iği€"]
)
def test_what_is_drawn_can_be_copied_out_again(text: str) -> None:
    with sheet() as paper:
        paper.rows(["Texte"], [[text]], (1,))
        assert text in read(paper)
        assert not paper.left_out


def test_arabic_and_hebrew_are_drawn_from_the_right() -> None:
    with sheet() as paper:
        paper.rows(["Texte"], [["أنا أعرف أين تسكن"], ["אני יודע"]], (1,))
        written = read(paper)
        assert not paper.left_out
        assert "[" not in written
        assert any("\N{ARABIC LETTER ALEF}" <= char <= "\N{ARABIC LETTER YEH}" for char in written)


def test_what_no_font_has_is_named_and_said() -> None:
    with sheet() as paper:
        assert paper.drawn("আমি a 🫥 你好") == "[bengali ×2] a [dotted line face] [cjk ×2]"
        assert paper.left_out
        assert paper.drawn("plain\n\x07text\N{ZERO WIDTH JOINER}").replace("\N{ZERO WIDTH JOINER}", "") == "plain\ntext"


def test_another_font_draws_more(settings: Any) -> None:
    bengali = Path("/usr/share/fonts/truetype/noto/NotoSansBengali-Regular.ttf")
    if not bengali.exists():
        pytest.skip("fonts-noto-core is not installed")
    settings.REPORT_FONTS = [bengali]
    with sheet() as paper:
        assert paper.drawn("আমি") == "আমি"
        paper.rows(["Texte"], [["আমি জানি"]], (1,))
        assert "জ" in read(paper)
        assert not paper.left_out


def test_a_long_table_has_its_names_and_the_page_on_every_page() -> None:
    with sheet() as paper:
        paper.rows(["Numéro", "Texte"], [[str(number), "mot " * 30] for number in range(120)], (1, 5))
        pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(bytes(paper.output()))).pages]
        assert len(pages) > 3
        for number, page in enumerate(pages, 1):
            assert "Numéro" in page
            assert f"Loutre-7F3A — {number}/{len(pages)}" in page


@settings(max_examples=30)
@given(st.lists(st.text(max_size=300), max_size=4))
def test_nothing_that_a_message_may_hold_stops_the_report(texts: list[str]) -> None:
    with sheet() as paper:
        paper.rows(["Texte"], [[text] for text in texts], (1,))
        paper.facts([("Texte", text) for text in texts])
        assert paper.output().startswith(b"%PDF")
