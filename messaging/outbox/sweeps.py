"""The work that time brings, as functions that any engine may call, as often and as many at once as it likes.

The rows are the work list. A sweep that nobody calls loses nothing; the next one finds the same rows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.utils import timezone

from conversations import blocks, retention
from privacy import rotation
from shield import intake, judge, ledger, watch

from . import breaker, detaching, faults, gateways, pace, release, restored, send, summary, telling
from .clock import SharedClock, shared_now
from .lanes import Closed

log = logging.getLogger("paravent.outbox")

#: Seconds to a number's next place for which a run waits: less than it takes until the next run.
_WORTH_WAITING = 0.25
#: Seconds for which a run releases.
_RELEASING = 0.75


def release_replies() -> int:
    """Give what is due its language and text, batch by batch, for less than a period: two runs would do it twice."""
    clock, released, until = SharedClock(), 0, time.monotonic() + _RELEASING
    closed: Closed = set()
    while batch := release.release_due(clock.now(), closed=closed):
        released += batch
        if time.monotonic() >= until:
            break
    return released


def send_replies(seconds: float = 20.0) -> int:
    """Send released replies one after the other until there is none, or `seconds` are over.

    For a number's next place it waits if that is near; a slower number's turn comes with the next run.
    """
    if not restored.look():
        return 0
    clock = SharedClock()
    sent, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        ahead = clock.ahead()
        if send.send_one(timezone.now(), ahead):
            sent += 1
            continue
        wait = pace.seconds_to_next(clock.now())
        if wait is None or wait > _WORTH_WAITING:
            break
        time.sleep(wait)
    return sent


def keep_promises() -> int:
    """Expired leases, replies that are too late, outcomes that will never be known, those who keep silent."""
    now = shared_now()
    told = breaker.tell(now) + gateways.tell(now)
    return send.expire_leases(now) + release.expire(now) + send.finish_unknown(now) + told


def settle_budgets() -> int:
    """Replies that ended: what they cost in the end takes the place of what was reserved."""
    return ledger.settle()


def tidy_budgets() -> int:
    """Counts whose window is long over."""
    return ledger.clean_up()


def keep_inbound_budgets() -> int:
    """What was received is counted; numbers that may receive no more are taken off, and attached again afterwards."""
    now = shared_now()
    intake.count(now)
    intake.decide(now)
    return detaching.carry_out(now)


def tell_alerts() -> int:
    """Raids, budgets that run out, machines that answer: levels are moved, and people told whom it concerns."""
    now = shared_now()
    judge.weigh_all(now)
    watch.budgets(now)
    return telling.tell(now)


def keep_blocks() -> int:
    """Blocks on all numbers follow their senders into a new half-year."""
    return blocks.follow_half_year(shared_now())


def daily_summary() -> int:
    """Yesterday's new blocks, to every organization whose morning it is."""
    return summary.send_due(shared_now())


def keep_no_longer() -> int:
    """Texts, numbers and rows whose time is over are erased."""
    return retention.erase_due(shared_now()).total


def exchange_keys() -> int:
    """What `manage.py keys reencrypt` began is ended: values under retired keys are sealed anew, then the keys go."""
    return rotation.finish(shared_now())


def end_keys() -> int:
    """Keys that open nothing any more, and those that tell senders of long ago, are deleted."""
    return rotation.end_periods(shared_now())


@dataclass(frozen=True)
class Sweep:
    """A sweep, the seconds between its runs, and how many of it may well run side by side.

    One that is not `parallel` runs once in a period over all hosts, however many of them have a scheduler. Its turn is
    not held while it runs: a host that dies in it delays it by one period, and one that is slower than its period meets
    itself, so it must do no harm twice. One that stands `aside` may wait for servers that are not ours: where threads
    run the sweeps it has another one than those that answer senders.
    """

    run: Callable[[], int]
    every: float
    parallel: int = 1
    aside: bool = False

    @property
    def name(self) -> str:
        return self.run.__name__

    def run_safely(self) -> None:
        """One run that raises nothing: what failed stays in its row, and the next run finds it."""
        try:
            if self.parallel > 1 or _alone() or pace.take_turn(self.name, self.every, shared_now()):
                self.run()
        except Exception as error:  # noqa: BLE001  whoever calls us has other sweeps to run
            log.error("sweep %s failed, its rows are kept and it runs again: %s", self.name, faults.named(error))


def _alone() -> bool:
    """Whether one process runs all sweeps, each in one thread: then a row would only write to its disk every second."""
    return settings.ENGINE == "embedded" and connection.vendor == "sqlite"


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
add(Sweep(settle_budgets, every=5.0))
add(Sweep(keep_inbound_budgets, every=15.0, aside=True))
add(Sweep(tell_alerts, every=15.0))
add(Sweep(tidy_budgets, every=3600.0))
add(Sweep(keep_blocks, every=3600.0))
add(Sweep(daily_summary, every=300.0))
add(Sweep(keep_no_longer, every=3600.0, aside=True))
add(Sweep(exchange_keys, every=3600.0, aside=True))
add(Sweep(end_keys, every=86400.0, aside=True))
