"""A4 pages in PDF with any script that a text message may be written in: fpdf2, HarfBuzz for shaping, DejaVu to draw.

What no font here can draw is written as its name in brackets, since an empty box says nothing to who reads it.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos
from fpdf.fonts import FontFace

from organizations import fonts

_FAMILY = "Paravent"
_FILES = {"": fonts.REGULAR, "B": fonts.BOLD}
#: Marks, format characters and variation selectors change how others look; alone they say nothing.
_SILENT = {"Cc", "Cf", "Mc", "Mn", "Me"}
_RIGHT_TO_LEFT = {"R", "AL"}
#: Letters without case (Arabic, Hebrew, Indic and East Asian ones), and marks.
_SHAPED = {"Lo", "Mn", "Mc"}
_SIZE = 10
_MARGIN = 18  # millimetres


class Paper(FPDF):
    """A document that is filled from above. Sizes are millimetres, those of letters points."""

    def __init__(self, title: str, language: str, footer: str) -> None:
        super().__init__(format="A4")
        self._footer_text = footer
        #: Whether something was named because it cannot be drawn.
        self.left_out = False
        self.set_title(title)
        self.set_lang(language)
        self.set_margin(_MARGIN)
        self.set_auto_page_break(auto=True, margin=_MARGIN)
        for style, path in _FILES.items():
            self.add_font(_FAMILY, style, path)
        for index, path in enumerate(settings.REPORT_FONTS):
            self.add_font(f"{_FAMILY}{index}", "", path)
        # A fallback has no bold face, and one that is not bold can be read as well.
        self.set_fallback_fonts([f"{_FAMILY}{index}" for index in range(len(settings.REPORT_FONTS))], exact_match=False)
        self._drawn = {code for font in self.fonts.values() for code in font.cmap}  # type: ignore[union-attr]
        self.set_font(_FAMILY, size=_SIZE)
        self._shape(needed=True)
        self.add_page()
        self.heading(title, size=15)

    def footer(self) -> None:
        """The name of the document and the page, on every one."""
        self.set_y(-12)
        self.set_font(_FAMILY, size=7)
        self.cell(0, 5, f"{self._footer_text} — {self.page_no()}/{{nb}}", align=Align.C)

    def close(self) -> None:
        """Close the files of the fonts, which fpdf2 leaves to chance."""
        for font in self.fonts.values():
            font.ttfont.close()  # type: ignore[union-attr]

    def heading(self, text: str, size: int = 12) -> None:
        """A title of what follows."""
        self.ln(3)
        self._lines(text, size=size, bold=True)
        self.ln(1)

    def paragraph(self, text: str) -> None:
        """Words of ours."""
        self._lines(text)
        self.ln(1.5)

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Names with their values."""
        self._grid(None, pairs, (2, 5), bold_first=True, borders="NONE")
        self.ln(1.5)

    def rows(self, names: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int]) -> None:
        """A table whose first line is repeated on every page."""
        self._grid(names, rows, widths, bold_first=False, borders="ALL")
        self.ln(1.5)

    def drawn(self, text: str) -> str:
        """The text with the names of what cannot be drawn."""
        parts: list[str] = []
        for can, run in itertools.groupby(text, lambda char: ord(char) in self._drawn or char == "\n"):
            if can:
                parts.extend(run)
                continue
            names = [_named(char) for char in run]
            self.left_out = self.left_out or any(names)
            parts.extend(_told(name, len([*same])) for name, same in itertools.groupby(filter(None, names)))
        return "".join(parts)

    def _lines(self, text: str, size: int = _SIZE, *, bold: bool = False) -> None:
        self.set_font(_FAMILY, "B" if bold else "", size)
        text = self.drawn(text)
        self.multi_cell(0, size * 0.5, text, align=_align(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_font(_FAMILY, size=_SIZE)

    def _grid(
        self,
        names: Sequence[str] | None,
        rows: Iterable[Sequence[str]],
        widths: Sequence[int],
        *,
        bold_first: bool,
        borders: Any,
    ) -> None:
        bold = FontFace(emphasis="BOLD")
        drawn = [[self.drawn(cell) for cell in cells] for cells in ([names, *rows] if names is not None else rows)]
        self._shape(needed=any(_needs_shaping(cell) for cells in drawn for cell in cells))
        with self.table(
            col_widths=tuple(widths),
            borders_layout=borders,
            first_row_as_headings=names is not None,
            headings_style=bold,
            line_height=5,
            padding=0.8,
            text_align=Align.L,
        ) as table:
            for number, cells in enumerate(drawn):
                row = table.row()
                for column, text in enumerate(cells):
                    style = bold if bold_first and column == 0 and (number or names is None) else None
                    row.cell(text, align=_align(text), style=style)
        self._shape(needed=True)

    def _shape(self, *, needed: bool) -> None:
        """Without shaping a table is drawn three times as fast, and looks the same in scripts that need none."""
        self.set_text_shaping(use_shaping_engine=needed)


def _needs_shaping(text: str) -> bool:
    """Whether its letters run from the right or join, or marks are put on them. Latin, Greek, Cyrillic: no."""
    return any(unicodedata.category(char) in _SHAPED for char in text)


def _named(char: str) -> str:
    """What is read in place of a character: the script of a letter, the name of a sign, "" for what is silent."""
    category, name = unicodedata.category(char), unicodedata.name(char, f"U+{ord(char):04X}").lower()
    if category in _SILENT:
        return ""
    return name.split()[0] if category[0] == "L" else name


def _told(name: str, times: int) -> str:
    return f"[{name}]" if times == 1 else f"[{name} ×{times}]"


def _align(text: str) -> Align:
    """From where a text runs: as its first letter does (Unicode Standard Annex 9, rule P2)."""
    first = next((kind for kind in map(unicodedata.bidirectional, text) if kind in {"L", *_RIGHT_TO_LEFT}), "L")
    return Align.R if first in _RIGHT_TO_LEFT else Align.L
