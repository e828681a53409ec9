"""QR codes: as SVG within a page, and as squares for whoever draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import segno
from django.utils.safestring import SafeString, mark_safe

#: Modules of white around a code, without which a camera does not find it (ISO/IEC 18004).
QUIET = 4


class Run(NamedTuple):
    """Dark modules side by side, counted from the top left one of the code."""

    row: int
    column: int
    length: int


def modules(text: str) -> Sequence[Sequence[int]]:
    """Rows of 1 for dark and 0 for light, without the white around them."""
    return _made(text).matrix


def runs(matrix: Sequence[Sequence[int]]) -> Iterator[Run]:
    """Its dark modules in as few rectangles as rows allow."""
    for row, line in enumerate(matrix):
        column = 0
        while column < len(line):
            length = 1
            while column + length < len(line) and line[column + length] == line[column]:
                length += 1
            if line[column]:
                yield Run(row, column, length)
            column += length


def svg(text: str) -> SafeString:
    """Dark on white whatever the page's colours are, as large as its place."""
    drawn = _made(text).svg_inline(
        border=QUIET, omitsize=True, dark="#000", light="#fff", svgclass=None, lineclass=None
    )
    return mark_safe(drawn)  # noqa: S308  a path and two colours; of the text only its modules are in it


def _made(text: str) -> segno.QRCode:
    """UTF-8 without saying so: cameras expect it, and some stumble over the mark that would say it."""
    return segno.make_qr(text, error="m", encoding="utf-8", eci=False)
