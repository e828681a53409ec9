"""The levels of a hotline: when they are raised, and when they end by themselves (SECURITY.md 3.4). Pure.

Only a surge of new senders or a large group of like texts makes a raid. What is left of a budget is a level of its own
account: it is shown, and neither makes a raid nor keeps the usual from being learned.
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass

from .words import Cause, Level


class Money(enum.Enum):
    """What is left of the tightest budget that all replies of the hotline share."""

    ENOUGH = enum.auto()
    HALF = enum.auto()
    SPENT = enum.auto()


#: New senders above twice the usual, added up, that make an alarm. The sum is held there, so that it falls again.
ALARM = 12.0
#: Senders of like texts in an hour that make a raid.
CROWD = 50
WATCH_CALM = datetime.timedelta(hours=2)
RAID_CALM = datetime.timedelta(hours=6)
#: A raid that is longer than this is what is usual now, and is learned.
LONGEST_RAID = datetime.timedelta(days=3)


def surge(before: float, new_senders: int, usual: float) -> float:
    """The sum after a bin of so many new senders: Page's one-sided CUSUM with twice the usual as its reference."""
    return min(max(before + new_senders - 2 * usual, 0.0), ALARM + 1)


@dataclass(frozen=True)
class Signs:
    """What there is to be seen. `surge` counts the bin that is not over yet."""

    surge: float = 0.0
    largest_text: int = 0
    groups: int = 0
    deferred: bool = False

    @property
    def raid(self) -> Cause | None:
        """What makes this a raid, if anything."""
        if self.surge > ALARM:
            return Cause.ARRIVALS
        return Cause.TEXTS if self.largest_text > CROWD else None


@dataclass(frozen=True)
class Detected:
    """What detection says of a hotline: `calm_since` is when the signs of its level ended, None while there are any."""

    level: Level
    calm_since: datetime.datetime | None = None


def after(before: Detected, signs: Signs, now: datetime.datetime) -> tuple[Detected, Cause | None]:
    """What is detected now, and why it changed: None where it did not."""
    cause = signs.raid
    if cause is not None:
        return Detected(Level.RAID), None if before.level is Level.RAID else cause
    if before.level is Level.RAID:
        patience, then = RAID_CALM, Level.WATCH if signs.groups else Level.NORMAL
        # Once there was nothing left of it, an ordinary hour's ups and downs do not begin the wait anew.
        if before.calm_since is None and (signs.surge or signs.deferred):
            return Detected(Level.RAID), None
    elif signs.groups:
        return Detected(Level.WATCH), None if before.level is Level.WATCH else Cause.GROUP
    elif before.level is Level.WATCH:
        patience, then = WATCH_CALM, Level.NORMAL
    else:
        return Detected(Level.NORMAL), None
    since = before.calm_since or now
    if now - since >= patience:
        return Detected(then), Cause.CALM
    return Detected(before.level, since), None


def shown(detected: Level, money: Money) -> Level:
    """The level that people see."""
    if money is Money.SPENT:
        return Level.SILENT
    if money is Money.HALF and detected is Level.NORMAL:
        return Level.WATCH
    return detected


def reason(before: Level, after: Level, detected: Cause | None, money: Money) -> Cause:
    """Why people see another level: what was detected, or what a budget says, whichever made it."""
    if detected is None or after is Level.SILENT or (before is Level.SILENT and after is not Level.RAID):
        return {Money.SPENT: Cause.SPENT, Money.HALF: Cause.HALF, Money.ENOUGH: Cause.ROOM}[money]
    return detected
