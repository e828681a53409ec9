"""Who may go next, over all workers and hosts: GCRA in one column, taken by one conditional statement.

A row's `free_at` says from when its next place is free. Taking one moves it by the interval; places that nobody took
are kept for `slack`, which makes a burst. With T the interval and the burst B, slack is (B - 1) T, and `free_at` is the
theoretical arrival time less the slack (SECURITY.md 3.3). All moments are the database's.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, DateTimeField, Exists, F, Min, OuterRef, Q, QuerySet, Value, When

from conversations.models import Reply
from conversations.words import ReplyState
from hotlines.models import Hotline
from hotlines.policy import SLOWEST

from .models import NumberPace, Place, ReplyAllowance, SweepTurn
from .moments import Moment

_SECOND = datetime.timedelta(seconds=1)
_HOUR = datetime.timedelta(hours=1)
#: A clock that is set back by less than this only makes us wait; hosts read the database's clock far more exactly.
_JUMP = 5 * _SECOND
#: No number's next place is further away than this, whatever its pace, unless the clock was set back.
FURTHEST = _SECOND / float(SLOWEST) + _JUMP
_LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Rule:
    """One place each `interval`, unused ones kept for `slack`; a place beyond `furthest` is a clock's mistake."""

    interval: datetime.timedelta
    slack: datetime.timedelta
    furthest: datetime.timedelta


def of_number(hotline: Hotline) -> Rule:
    """So many messages per second, and a burst of one second's, at least one."""
    rate = float(hotline.messages_per_second)
    interval = _SECOND / rate
    return Rule(interval, max(int(rate) - 1, 0) * interval, FURTHEST)


def of_hour(hotline: Hotline) -> Rule:
    """So many replies per hour, and what two hours allow at once (SECURITY.md 3.2)."""
    interval = _HOUR / hotline.replies_per_hour
    return Rule(interval, (2 * hotline.replies_per_hour - 1) * interval, interval + _JUMP)


def of_sweep(every: float) -> Rule:
    """One run in a period. A late one does not move those after it, as long as it is late by half a period at most."""
    period = every * _SECOND
    return Rule(period, period / 2, period + _JUMP)


def moved(free_at: datetime.datetime, rule: Rule, now: datetime.datetime) -> datetime.datetime | None:
    """What `free_at` becomes when a place is taken at `now`; None where none is free. Pure; `take` says the same."""
    if free_at > now + rule.furthest:
        return now + rule.interval
    if free_at > now:
        return None
    return max(free_at, now - rule.slack) + rule.interval


def places(free_at: datetime.datetime, rule: Rule, now: datetime.datetime) -> int:
    """How many places are free at `now`, one after the other. Pure."""
    if free_at > now + rule.furthest:
        return 1
    return max((now - max(free_at, now - rule.slack)) // rule.interval + 1, 0)


def look(hotline: Hotline, now: datetime.datetime) -> Allowance:
    """The hotline's replies of this hour, without a lock: to spare work that would wait anyway, not to take one."""
    row = ReplyAllowance.objects.filter(hotline=hotline).first()
    return Allowance(row or ReplyAllowance(hotline=hotline, free_at=_LONG_AGO), of_hour(hotline), now)


def allowance(hotline: Hotline, now: datetime.datetime) -> Allowance:
    """The hotline's replies of this hour, locked until the transaction ends."""
    mine = ReplyAllowance.objects.select_for_update().filter(hotline=hotline)
    row = mine.first()
    if row is None:
        ReplyAllowance.objects.bulk_create([ReplyAllowance(hotline=hotline, free_at=_LONG_AGO)], ignore_conflicts=True)
        row = mine.get()
    return Allowance(row, of_hour(hotline), now)


@dataclass
class Allowance:
    """A hotline's places, of which many are taken before the row is written."""

    row: ReplyAllowance
    rule: Rule
    now: datetime.datetime

    @property
    def left(self) -> int:
        return places(self.row.free_at, self.rule, self.now)

    @property
    def surplus(self) -> int:
        """The places above half of the burst, so that repeats take nothing from first replies."""
        burst = self.rule.slack // self.rule.interval + 1
        return max(self.left - burst // 2, 0)

    def take(self) -> None:
        """Take a place. Raises `RuntimeError` where none is free."""
        after = moved(self.row.free_at, self.rule, self.now)
        if after is None:
            raise RuntimeError("a place was taken that was not free")
        self.row.free_at = after

    def write(self) -> None:
        self.row.save(update_fields=["free_at"])


def take(rows: QuerySet[Place], rule: Rule, now: datetime.datetime) -> bool:
    """Take a place of the one row in `rows`: one conditional UPDATE, so that of many workers one wins each place."""
    free = Q(free_at__lte=now) | Q(free_at__gt=now + rule.furthest)
    after = Case(
        When(free_at__gt=now + rule.furthest, then=Value(now + rule.interval)),
        When(free_at__lt=now - rule.slack, then=Value(now - rule.slack + rule.interval)),
        default=F("free_at") + Value(rule.interval),
        output_field=DateTimeField(),
    )
    return bool(rows.filter(free).update(free_at=after))


def take_of_number(hotline: Hotline, now: datetime.datetime) -> bool:
    """Take a place to send; the row stays locked until the caller's transaction ends, so call it last."""
    mine = NumberPace.objects.filter(hotline=hotline)
    return _take_or_make(mine, NumberPace(hotline=hotline, free_at=_LONG_AGO), of_number(hotline), now)


def take_turn(name: str, every: float, now: datetime.datetime) -> bool:
    """Whether the sweep `name` is to run now, and here."""
    mine = SweepTurn.objects.filter(name=name)
    return _take_or_make(mine, SweepTurn(name=name, free_at=now), of_sweep(every), now)


def _take_or_make(rows: QuerySet[Any], first: Place, rule: Rule, now: datetime.datetime) -> bool:
    """Take a place of the one row in `rows`; `first` is that row where there is none yet."""
    if take(rows, rule, now):
        return True
    if rows.exists():
        return False
    rows.bulk_create([first], ignore_conflicts=True)
    return take(rows, rule, now)


def busy_numbers(now: datetime.datetime | Moment) -> QuerySet[NumberPace]:
    """The numbers that have no place now."""
    return NumberPace.objects.filter(free_at__gt=now, free_at__lte=now + FURTHEST)


def seconds_to_next(now: datetime.datetime) -> float | None:
    """Until the first place of a number for which a reply waits; None where none waits for a place."""
    waiting = Reply.objects.filter(hotline=OuterRef("hotline"), state=ReplyState.RELEASED, due_at__lte=now)
    first = busy_numbers(now).filter(Exists(waiting)).aggregate(first=Min("free_at"))["first"]
    return None if first is None else (first - now).total_seconds()
