"""Where people find help in their country, for texts on public pages; `helplines.toml` has the facts and sources."""

from __future__ import annotations

import datetime
import functools
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

#: A source older than that is to be looked at again.
KEEPS = datetime.timedelta(days=730)


@dataclass(frozen=True)
class Line:
    """`always` is day and night; `dated` the month of the source, or None where it has no date."""

    country: str
    number: str
    name: str
    kinds: frozenset[str]
    always: bool
    source: str
    by: str
    dated: datetime.date | None = None

    def is_old(self, today: datetime.date) -> bool:
        """Whether nobody should publish it before they have looked again."""
        return self.dated is None or today - self.dated > KEEPS


@functools.cache
def _read() -> tuple[frozenset[str], tuple[Line, ...]]:
    data = tomllib.loads((Path(__file__).parent / "helplines.toml").read_text(encoding="utf-8"))
    lines = []
    for row in data["line"]:
        dated = datetime.date.fromisoformat(row.pop("dated") + "-01") if "dated" in row else None
        kinds = frozenset(row.pop("for"))
        lines.append(Line(**row, kinds=kinds, dated=dated))
    return frozenset(data["emergency"]), tuple(lines)


def emergency() -> frozenset[str]:
    """Numbers of emergency services that notices name."""
    return _read()[0]


def all_lines() -> tuple[Line, ...]:
    return _read()[1]


def of(countries: Collection[str], kind: str) -> list[Line]:
    """Those of a number that answers these countries; all of a country that has none of this kind."""
    found = []
    for country in dict.fromkeys(line.country for line in all_lines() if line.country in countries):
        lines = [line for line in all_lines() if line.country == country]
        found += [line for line in lines if kind in line.kinds] or lines
    return found
