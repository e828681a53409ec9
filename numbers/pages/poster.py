"""The page on one sheet of A4, to be put up: by fpdf2, HarfBuzz for shaping, DejaVu to draw."""

from __future__ import annotations

import contextlib
import datetime
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, cast

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from fpdf import FPDF
from fpdf.enums import Align, MethodReturnValue, XPos, YPos

from hotlines.models import Hotline
from organizations import fonts

from . import codes, showing, steps

_FAMILY = "Paravent"
# Millimetres.
_WIDTH, _MARGIN, _GAP = 210, 18, 12
_INNER = _WIDTH - 2 * _MARGIN
_POINT = 25.4 / 72
_Color = tuple[int, int, int]
_INK, _QUIET_INK, _BLUE, _RED, _WHITE = (26, 32, 48), (84, 92, 112), (57, 80, 143), (155, 28, 28), (255, 255, 255)
_PANELS = ((66, 97, 176), (119, 152, 210), (57, 80, 143))
#: Posters that this process remembers: drawing one takes as long as many pages.
_REMEMBERED = 32


class _Letters(NamedTuple):
    size: float
    color: _Color = _INK
    bold: bool = False

    @property
    def style(self) -> str:
        return "B" if self.bold else ""


@dataclass(frozen=True)
class Sheet:
    """What stands on it. `national` and `international` are "" where the number changes and only its page is named."""

    language: str
    right_to_left: bool
    name: str
    organization: str
    invitation: str
    national: str
    international: str
    code: str
    address: str
    steps: tuple[steps.Step, ...]
    danger: str
    no_emergency: str
    printed: str
    made_at: datetime.datetime


def pdf(shown: showing.Shown, hotline: Hotline, number: showing.Number, today: datetime.date) -> bytes:
    """In the reader's language. The same page on the same day is the same file."""
    return _drawn(sheet(shown, hotline, number, today))


def sheet(shown: showing.Shown, hotline: Hotline, number: showing.Number, today: datetime.date) -> Sheet:
    """Of a page that has this number in service."""
    page = shown.page
    stays = page.campaign_id is None
    url = showing.url(page, shown.language)
    if stays:
        invitation = _("Give this number instead of your own.")
        no_emergency = _("The number above is no emergency number. 112 is, in the whole European Union.")
    else:
        invitation = _("A number to give instead of your own. Today’s is behind this code.")
        no_emergency = _("Ours is no emergency number. 112 is, in the whole European Union.")
    printed = _("Printed on %(date)s. The page says which number is in service today.")
    return Sheet(
        language=shown.language,
        right_to_left=showing.Words("", shown.language).direction == "rtl",
        name=shown.name.text,
        organization=page.organization.name,
        invitation=invitation,
        national=number.national if stays else "",
        international=number.international if stays and number.international != number.national else "",
        code=url,
        address=url.partition("://")[2].rstrip("/"),
        steps=steps.of(hotline),
        danger=_("In danger? Call 112."),
        no_emergency=no_emergency,
        printed=printed % {"date": date_format(today)},
        made_at=page.updated_at,
    )


@functools.lru_cache(maxsize=_REMEMBERED)
def _drawn(sheet: Sheet) -> bytes:
    with _paper(sheet) as paper:
        paper.draw()
        return bytes(paper.output())


@contextlib.contextmanager
def _paper(sheet: Sheet) -> Iterator[_Paper]:
    paper = _Paper(sheet)
    try:
        yield paper
    finally:
        # fpdf2 leaves their files to chance.
        for font in paper.fonts.values():
            font.ttfont.close()  # type: ignore[union-attr]


class _Paper(FPDF):
    """Places count from the side where the language begins; all else is drawn as it is."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(format="A4")
        self._sheet = sheet
        self.set_title(sheet.name)
        self.set_lang(sheet.language)
        self.set_creation_date(sheet.made_at)
        self.set_margin(0)
        self.set_auto_page_break(auto=False)
        for style, path in (("", fonts.REGULAR), ("B", fonts.BOLD)):
            self.add_font(_FAMILY, style, path)
        for index, path in enumerate(settings.REPORT_FONTS):
            self.add_font(f"{_FAMILY}{index}", "", path)
        self.set_fallback_fonts([f"{_FAMILY}{index}" for index in range(len(settings.REPORT_FONTS))], exact_match=False)
        self.set_font(_FAMILY, size=12)
        self.set_text_shaping(use_shaping_engine=True)
        self.add_page()

    def draw(self) -> None:
        """From above to below."""
        sheet = self._sheet
        self._panels()
        y = self._centred(26, sheet.name, _Letters(40, _BLUE, bold=True), lines=2)
        y = self._centred(y + 1, sheet.organization, _Letters(14, _QUIET_INK))
        y = self._centred(y + 10, sheet.invitation, _Letters(18), lines=2)
        if sheet.national:
            y = self._centred(y + 3, sheet.national, _Letters(76, bold=True))
            y = self._centred(y, sheet.international, _Letters(18, _QUIET_INK))
        side, address, danger = (74 if sheet.national else 90), 14, 248
        y += max(6, (danger - y - side - address) / 2)
        y = self._code_and_steps(y, side)
        self._centred(y + 5, sheet.address, _Letters(16, _BLUE, bold=True))
        self._danger(danger)
        self._centred(280, sheet.printed, _Letters(9, _QUIET_INK), lines=2)

    def _panels(self) -> None:
        """The folding screen, seen from above the edge of the sheet."""
        width = _WIDTH / len(_PANELS)
        for place, color in enumerate(_PANELS):
            self.set_fill_color(*color)
            left, high, low = place * width, 12, 8
            ends = (low, high) if place % 2 else (high, low)
            self.polygon([(left, 0), (left + width, 0), (left + width, ends[1]), (left, ends[0])], style="F")

    def _code_and_steps(self, y: float, side: float) -> float:
        """The code where the language begins, the steps beside it; returns where the lower of both ends."""
        self._code(self._from_start(_MARGIN, side), y, side)
        width = _INNER - side - _GAP
        start = _MARGIN + side + _GAP
        spare = side - (self._steps(y, start, width, draw=False) - y)
        return max(y + side, self._steps(y + max(0, spare) / 2, start, width, draw=True))

    def _code(self, x: float, y: float, side: float) -> None:
        matrix = codes.modules(self._sheet.code)
        module = side / len(matrix)
        self.set_fill_color(0)
        for run in codes.runs(matrix):
            # A hair higher than it is, or some programs show light between two rows.
            self.rect(x + run.column * module, y + run.row * module, run.length * module, module + 0.02, style="F")

    def _steps(self, y: float, start: float, width: float, *, draw: bool) -> float:
        """Returns where they end; nothing is drawn to know it beforehand."""
        disc, gap, between = 9, 4, 7
        for count, step in enumerate(self._sheet.steps, 1):
            if draw:
                self.set_fill_color(*_BLUE)
                x = self._from_start(start, disc)
                self.ellipse(x, y, disc, disc, style="F")
                self._write(x, y + 1.6, disc, str(count), _Letters(13, _WHITE, bold=True), Align.C)
            text, wide = start + disc + gap, width - disc - gap
            y += 1 + self._block(text, y + 1, wide, step.title, _Letters(16, bold=True), draw=draw)
            y += 1 + self._block(text, y + 1, wide, step.text, _Letters(12.5, _QUIET_INK), draw=draw) + between
        return y - between

    def _danger(self, y: float) -> None:
        self.set_draw_color(*_RED)
        self.set_line_width(0.7)
        self.rect(_MARGIN, y, _INNER, 26, style="D", round_corners=True, corner_radius=4)
        y = self._centred(y + 4, self._sheet.danger, _Letters(22, _RED, bold=True))
        self._centred(y + 0.5, self._sheet.no_emergency, _Letters(10.5))

    def _centred(self, y: float, text: str, letters: _Letters, *, lines: int = 1) -> float:
        """As large as its letters and the sheet allow; returns where it ends."""
        self.set_font(_FAMILY, letters.style, letters.size)
        # Where words break, some of a line stays empty.
        room = (_INNER - 8) * (lines if lines == 1 else lines - 0.3)
        size = min(letters.size, letters.size * room / max(self.get_string_width(text), 1))
        return y + self._write(_MARGIN, y, _INNER, text, letters._replace(size=size), Align.C)

    def _block(self, start: float, y: float, width: float, text: str, letters: _Letters, *, draw: bool) -> float:
        align = Align.R if self._sheet.right_to_left else Align.L
        return self._write(self._from_start(start, width), y, width, text, letters, align, draw=draw)

    def _write(
        self, x: float, y: float, width: float, text: str, letters: _Letters, align: Align, *, draw: bool = True
    ) -> float:
        """Returns how high it is."""
        self.set_font(_FAMILY, letters.style, letters.size)
        self.set_text_color(*letters.color)
        self.set_xy(x, y)
        line = letters.size * _POINT * 1.3
        height = self.multi_cell(
            width,
            line,
            text,
            align=align,
            new_x=XPos.LEFT,
            new_y=YPos.TOP,
            dry_run=not draw,
            output=MethodReturnValue.HEIGHT,
        )
        return cast("float", height) if text else 0.0

    def _from_start(self, start: float, width: float) -> float:
        return _WIDTH - start - width if self._sheet.right_to_left else start
