"""What repeats and suspects leave of a budget to first replies that are still to come.

A fifth at least; of a day, as much as the first replies of its rest are expected to cost, where that is more. Without
it a busy afternoon's repeats would spend what those need who are pestered in the evening, when most are.
"""

from __future__ import annotations

import datetime
import functools
import math
import zoneinfo
from collections.abc import Mapping

from hotlines.models import Hotline

from . import baseline
from .budgets import Kept, Line, Scope, Window
from .models import HotlineLevel

#: The share that is left in any case, to those whom nobody expects.
LEAST = 0.2
#: However many are expected: a fifth is for repeats, should the expectation be wrong.
MOST = 0.8

_SCOPES = (Scope.HOTLINE, Scope.ORGANIZATION, Scope.ACCOUNT)


class Firsts:
    """The first replies that a hotline and those that share budgets with it will need until the day (UTC) is over."""

    def __init__(self, hotline: Hotline, now: datetime.datetime) -> None:
        self._hotline, self._now = hotline, now

    def kept(self, line: Line, micros: int) -> Kept:
        """What one who comes behind them leaves of a budget; `micros` is what a reply costs where none was sent yet."""
        name = line.name
        if name.scope not in _SCOPES:
            return Kept()
        expected = self._expected.get((name.scope, name.key), 0.0) if name.window is Window.DAY else 0.0
        return kept(line, micros, expected)

    @functools.cached_property
    def _expected(self) -> Mapping[tuple[Scope, str], float]:
        """By whose budget. One statement, for those who have to ask."""
        organization = self._hotline.organization
        active = HotlineLevel.objects.filter(hotline__organization=organization, hotline__state=Hotline.State.ACTIVE)
        zone, end = zoneinfo.ZoneInfo(organization.time_zone), Window.DAY.end(self._now)
        found: dict[tuple[Scope, str], float] = {}
        for hotline, account, usual in active.order_by().values_list("pk", "hotline__account", "usual"):
            firsts = baseline.load(usual, replies_per_hour=0).expected(self._now, end, zone)
            for name in ((Scope.HOTLINE, hotline), (Scope.ORGANIZATION, organization.pk), (Scope.ACCOUNT, account)):
                key = (name[0], str(name[1]))
                found[key] = found.get(key, 0.0) + firsts
        return found


def kept(line: Line, micros: int, expected: float) -> Kept:
    """What is left to so many first replies that are expected, and to twice their usual scatter. Pure."""
    messages = math.ceil(expected + 2 * math.sqrt(expected))
    return Kept(_share(messages * line.mean_price(micros), line.caps.micros), _share(messages, line.caps.messages))


def _share(wanted: int, cap: int | None) -> int:
    return 0 if cap is None else int(min(max(wanted, LEAST * cap), MOST * cap))
