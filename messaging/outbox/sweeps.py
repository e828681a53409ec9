"""The work that time brings, as functions that any engine may call, as often and as many at once as it likes.

The rows are the work list. A sweep that nobody calls loses nothing; the next one finds the same rows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.utils import timezone

from conversations import sql

from . import faults, release, send, summary

log = logging.getLogger("paravent.outbox")


def release_replies() -> int:
    """Give what is due its language and text."""
    return release.release_due(timezone.now())


def send_replies(seconds: float = 20.0) -> int:
    """Send released replies one after the other until there is none, or `seconds` are over."""
    ahead = sql.clock_ahead()
    sent, until = 0, time.monotonic() + seconds
    while time.monotonic() < until and send.send_one(timezone.now(), ahead):
        sent += 1
    return sent


def keep_promises() -> int:
    """Expired leases, replies that are too late, outcomes that will never be known."""
    now = timezone.now()
    shared = now + sql.clock_ahead()
    return send.expire_leases(shared) + release.expire(now) + send.finish_unknown(shared)


def daily_summary() -> int:
    """Yesterday's new blocks, to every organization whose morning it is."""
    return summary.send_due(timezone.now())


@dataclass(frozen=True)
class Sweep:
    """A sweep, the seconds between its runs, and how many of it may well run side by side."""

    run: Callable[[], int]
    every: float
    parallel: int = 1

    @property
    def name(self) -> str:
        return self.run.__name__

    def run_safely(self) -> None:
        """One run that raises nothing: what failed stays in its row, and the next run finds it."""
        try:
            self.run()
        except Exception as error:  # noqa: BLE001  whoever calls us has other sweeps to run
            log.error("sweep %s failed, its rows are kept and it runs again: %s", self.name, faults.named(error))


_schedule: dict[str, Sweep] = {}


def add(sweep: Sweep) -> None:
    """Put `sweep` on the schedule of every engine. For `ready()` of an app that stands above this one.

    Raises `ValueError` for a name that is taken: a sweep that silently replaced another would end that one's work.
    """
    if sweep.name in _schedule:
        raise ValueError(f"there is a sweep {sweep.name} already")
    _schedule[sweep.name] = sweep


def schedule() -> tuple[Sweep, ...]:
    """All sweeps, in the order in which they were added; complete once the apps are ready."""
    return tuple(_schedule.values())


def find(name: str) -> Sweep | None:
    """The sweep of this name, or None where this process has none: it may be older than the one that names it."""
    return _schedule.get(name)


add(Sweep(release_replies, every=1.0))
add(Sweep(send_replies, every=1.0, parallel=4))
add(Sweep(keep_promises, every=30.0))
add(Sweep(daily_summary, every=300.0))
