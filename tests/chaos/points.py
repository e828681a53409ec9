"""Named points at which a process of the run kills itself, put around functions of the product from outside.

A point is armed by a file of its name in the folder `PARAVENT_CHAOS_FOLDER`. The one process that takes the file away
is killed by it; what it took lies under `fired/` afterwards, as the proof that it happened.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = "PARAVENT_CHAOS_FOLDER"
BREAK = "PARAVENT_CHAOS_BREAK"
FIRED = "fired"

#: Where a web process is killed, and where whoever runs the sweeps is.
IN_WEB = ("before-statement", "before-commit", "after-commit")
IN_OUTAGE = ("after-spool-fsync", "while-draining")
IN_WORKER = ("in-release", "after-claim", "after-accept", "before-mark", "leases-expire", "in-reconciler")


def arm(folder: Path, point: str) -> None:
    (folder / point).touch()


def fired(folder: Path) -> list[str]:
    """The points at which a process was killed, once for each time."""
    return sorted(path.name.partition(".")[0] for path in (folder / FIRED).iterdir())


def reached(point: str) -> None:
    folder = os.environ[FOLDER]
    try:
        os.rename(f"{folder}/{point}", f"{folder}/{FIRED}/{point}.{os.getpid()}.{time.time_ns()}")  # noqa: PTH104
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str, point: str) -> None:
    def called(call: Callable[[], Any]) -> Any:
        reached(point)
        return call()

    _around(owner, name, called)


def after(owner: Any, name: str, point: str, when: Callable[[Any], bool] = lambda _result: True) -> None:
    def called(call: Callable[[], Any]) -> Any:
        result = call()
        if when(result):
            reached(point)
        return result

    _around(owner, name, called)


def _around(owner: Any, name: str, called: Callable[[Callable[[], Any]], Any]) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        return called(functools.partial(original, *arguments, **named))

    setattr(owner, name, wrapped)


def install() -> None:
    """Put every point around what the product does there. A function that was renamed ends the start of a process."""
    if FOLDER not in os.environ:
        return
    from conversations import at_once, sql  # noqa: PLC0415  needs the applications
    from inbox import drain, receive, spool  # noqa: PLC0415
    from outbox import release, send, settle  # noqa: PLC0415
    from providers.base import Knowledge  # noqa: PLC0415
    from providers.plivo import Plivo  # noqa: PLC0415

    before(sql, "insert_message", "before-statement")
    before(at_once, "receive_at_once", "before-statement")
    before(at_once, "receive_known", "before-statement")
    after(receive, "_receive_step_by_step", "before-commit")
    after(receive, "receive", "after-commit")
    after(spool.Spool, "append", "after-spool-fsync")
    after(drain, "_accept", "while-draining")
    after(release, "_write", "in-release")
    after(send, "claim", "after-claim", when=lambda reply: reply is not None)
    after(Plivo, "send", "after-accept", when=lambda outcome: outcome.knowledge is Knowledge.ACCEPTED)
    before(send, "record", "before-mark")
    after(send, "expire_leases", "leases-expire")
    before(settle, "apply", "in-reconciler")


def end_raids() -> None:
    """Have no raid hold repeats back: a hundred thousand messages in ten minutes are one, and end hours later.

    Groups are still found and wait for others; what a raid does is `make raid`'s matter.
    """
    from shield import changes  # noqa: PLC0415

    changes.raided = lambda _hotlines: set()


def hurry() -> None:
    """What no setting says. Clocks of one machine agree, so a listing need not reach minutes further than it must, but
    far enough to show a reply of ours from before; and what runs once in a minute runs every few seconds, for runs that
    last a minute.
    """
    from outbox import settle, sweeps  # noqa: PLC0415

    settle.CLOCK_MARGIN = datetime.timedelta(seconds=15)
    for name, every in (("settle_unknown", 10.0), ("keep_promises", 5.0)):
        sweeps._schedule[name] = dataclasses.replace(sweeps._schedule[name], every=every)


def retry_what_is_unknown() -> None:
    """The seeded bug: a call whose outcome is unknown is made again, as "retry on time-out" does it."""
    from outbox import send  # noqa: PLC0415
    from providers.base import Knowledge, Outcome  # noqa: PLC0415

    record = send.record

    def recorded(reply: Any, outcome: Outcome, *more: Any) -> None:
        if outcome.knowledge is Knowledge.UNKNOWN:
            outcome = Outcome(Knowledge.REFUSED_FOR_NOW, detail=outcome.detail)
        record(reply, outcome, *more)

    send.record = recorded  # type: ignore[assignment]
    send.backoff = lambda *_arguments: datetime.timedelta(0)
