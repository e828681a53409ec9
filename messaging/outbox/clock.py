"""The database's clock, the one that all hosts share, without asking it for every reply."""

from __future__ import annotations

import datetime
import time

from django.utils import timezone

from conversations import sql

_TOLERANCE = 0.5
_ASK_AGAIN = 30.0


class SharedClock:
    """How far the database's clock is ahead of ours; asked again after a while, and as soon as ours was set."""

    def __init__(self) -> None:
        self._ask()

    def _ask(self) -> None:
        self._ahead = sql.clock_ahead()
        self._wall, self._steady = time.time(), time.monotonic()

    def ahead(self) -> datetime.timedelta:
        steady = time.monotonic() - self._steady
        if steady > _ASK_AGAIN or abs(time.time() - self._wall - steady) > _TOLERANCE:
            self._ask()
        return self._ahead

    def now(self) -> datetime.datetime:
        """The database's time."""
        ahead = self.ahead()
        return timezone.now() + ahead


def shared_now() -> datetime.datetime:
    """The database's time, asked now."""
    return timezone.now() + sql.clock_ahead()


class Stopwatch:
    """Seconds since it was made, also those during which this process or its whole machine stood still.

    A stopped process, a sleeping laptop and a clock that was set forward all count; only a virtual machine whose every
    clock was stopped, and that has not been set since, escapes it.
    """

    def __init__(self) -> None:
        self._wall, self._steady = time.time(), _steady()

    def seconds(self) -> float:
        return max(time.time() - self._wall, _steady() - self._steady)


def _steady() -> float:
    """Counts on while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
