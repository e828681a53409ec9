"""Helplines as a page shows them: those of the number's own country first."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from hotlines import choices
from hotlines.models import Hotline
from replies import helplines, languages

from . import showing
from .models import Page


@dataclass(frozen=True)
class Helpline:
    """`source` is the site that names it: read, and not linked, so that it does not learn who reads here."""

    name: str
    by: str
    number: str
    always: bool
    country: str
    source: str

    @property
    def tel(self) -> str:
        return f"tel:{re.sub(r'[^0-9+]', '', self.number)}"


@dataclass(frozen=True)
class Helplines:
    near: Sequence[Helpline]
    far: Sequence[Helpline]


def of(page: Page, hotlines: Iterable[Hotline], today: datetime.date) -> Helplines:
    """Each once; `near` are those of the countries that the numbers are from."""
    near: dict[helplines.Line, Helpline] = {}
    far: dict[helplines.Line, Helpline] = {}
    numbers = list(hotlines)
    regions = {languages.region_of(hotline.number) for hotline in numbers}
    for hotline in numbers:
        for line in showing.lines(page, hotline, today):
            (near if line.country in regions else far).setdefault(line, _helpline(line))
    return Helplines([*near.values()], [*far.values()])


def _helpline(line: helplines.Line) -> Helpline:
    # Its calling code leads nobody anywhere: short numbers work in their country alone.
    country = choices.country_name(line.country).rpartition(" (")[0]
    source = (urlsplit(line.source).hostname or "").removeprefix("www.")
    return Helpline(line.name, line.by, line.number, line.always, country or line.country, source)
