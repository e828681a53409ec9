"""What the shield says of several hotlines at once, each in a line: its level, and today's budget that ends first."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hotlines.models import Account, Hotline

from . import ledger, sentences, spendings
from .budgets import Line, Name, Scope, Window
from .models import HotlineLevel
from .panel import Clock, rows_of
from .words import Level

_SHOWN = frozenset({Scope.HOTLINE, Scope.ORGANIZATION, Scope.ACCOUNT})


@dataclass(frozen=True)
class Glance:
    """`budget` is a row of `panel.rows_of`, or None where nothing limits the day and nothing was spent."""

    level: Level
    consequence: str
    budget: dict[str, Any] | None


def of(hotlines: Sequence[Hotline], now: datetime.datetime) -> dict[int, Glance]:
    """By hotline, in two statements however many there are. Their organizations and accounts must be loaded."""
    levels = dict(HotlineLevel.objects.filter(hotline__in=hotlines).values_list("hotline", "level"))
    names = {hotline.pk: _today(hotline, now) for hotline in hotlines}
    lines = spendings.standing({name: caps for its in names.values() for name, caps in its.items()})
    found = {}
    for hotline in hotlines:
        level = Level(levels.get(hotline.pk, Level.NORMAL))
        consequence = "" if level is Level.NORMAL else sentences.consequence(level)
        found[hotline.pk] = Glance(level, consequence, _tightest(hotline, names[hotline.pk], lines, now))
    return found


def _today(hotline: Hotline, now: datetime.datetime) -> Mapping[Name, Any]:
    caps = ledger.caps_of(hotline, now)
    return {name: cap for name, cap in caps.items() if name.window is Window.DAY and name.scope in _SHOWN}


def _tightest(
    hotline: Hotline, names: Mapping[Name, Any], lines: Mapping[Name, Line], now: datetime.datetime
) -> dict[str, Any] | None:
    clock = Clock(now, zoneinfo.ZoneInfo(hotline.organization.time_zone))
    flat = hotline.account.tariff == Account.Tariff.FLAT
    rows = [(lines[name], row) for name in names for row in rows_of(lines[name], clock, in_money=not flat)]
    limited = [row for _line, row in rows if row["share"] is not None]
    if limited:
        return max(limited, key=lambda row: int(row["share"]))
    return next((row for line, row in rows if line.micros), None)
