"""Bringing what waits in the spool into the database, as soon as it answers; one thread in each web process.

A record is accepted exactly as its request would have been, under the same constraints, so that a crash between the
commit and the removal of its segment changes nothing: the next reader meets duplicates.
"""

from __future__ import annotations

import datetime
import functools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from django.db import close_old_connections, connection
from django.utils import timezone

from outbox import faults

from . import alerts, blocked, deadline, fold, hooks, last_known, outage, spool
from .accept import accept
from .arrival import Arrival
from .hooks import Hook
from .receipts import Receipt

log = logging.getLogger("paravent.spool")

_EVERY = 0.5
#: With fewer records than this left, requests go to the database again: a full spool would never be worked off
#: if each second brought as many as it drains.
_ALMOST_DONE = 100
#: How often a record may lose to other statements, while the database is well, before it lets others go first.
_MOST_TRIES = 10
#: A fault of ours may be over soon, as between two versions' tables: a record is tried again every minute for so long.
_AGAIN_EVERY = 60.0
_GIVEN_UP_AFTER = datetime.timedelta(hours=1)


Find = Callable[[int], Hook | None]
#: When it was received, where that can be read, and the record.
Failed = tuple[datetime.datetime | None, bytes]

_stop = threading.Event()
_started = threading.Lock()
#: By segment, failures in a row while the database answers others.
_tries: Counter[str] = Counter()
THREAD = "paravent-spool"


class Gone(Exception):
    """The hotline is not there any more."""


def start() -> threading.Thread | None:
    """Start the thread, once in a process; None when it runs already."""
    if not _started.acquire(blocking=False):
        return None
    _stop.clear()
    thread = threading.Thread(target=_loop, name=THREAD, daemon=True)
    thread.start()
    return thread


def stop() -> None:
    """Ask the thread to end after the record it is at."""
    _stop.set()


def _loop() -> None:
    tried_again = time.monotonic()
    try:
        while not _stop.wait(_EVERY):
            try:
                close_old_connections()
                if time.monotonic() - tried_again > _AGAIN_EVERY:
                    tried_again = time.monotonic()
                    spool.current().retry("retry")
                run()
                alerts.look()
            except Exception as error:  # noqa: BLE001  a thread that ends drains nothing any more, and nobody sees it end
                log.error("draining failed, everything is kept and it goes on: %s", faults.named(error))
    finally:
        _started.release()


def running() -> bool:
    """Whether this process drains, so that a request may wait for it."""
    return _started.locked() and not _stop.is_set()


def run() -> int:
    """Drain what can be drained now; returns how many records are in the database or set aside."""
    lasts = outage.lasts()
    if lasts is None and not spool.current().segments():
        return 0
    if not _database_answers():
        return 0
    taken, find = 0, functools.cache(hooks.of_hotline)
    while not _stop.is_set():
        spool.current().seal()
        records, complete = _drain_segments(find)
        taken += records
        if not complete:
            break
        if records <= _ALMOST_DONE:
            outage.over()
            spool.current().seal()
            taken += _drain_segments(find)[0]
            break
    if taken and lasts is not None:
        log.warning("%d requests that waited on disk were taken from there", taken)
    return taken


def _database_answers() -> bool:
    try:
        with deadline.armed(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except outage.NO_ANSWER as error:
        outage.noticed(error)
        return False
    outage.answered()
    return True


def _drain_segments(find: Find) -> tuple[int, bool]:
    """How many records were taken from segments in nobody's hands, and whether the database took all of them."""
    taken = 0
    for path in spool.current().segments():
        with spool.reading(path) as records:
            if records is None:
                continue
            failed: list[Failed] = []
            for start in range(0, len(records), fold.SIZE):
                done, complete = _drain(path, records[start : start + fold.SIZE], failed, find)
                taken += done
                if not complete:
                    return taken, False
            _set_aside(path, failed)
            _tries.pop(path.name, None)
            spool.remove(path)
    return taken, True


def _set_aside(path: Path, failed: list[Failed]) -> None:
    """Keep what could not be taken: for another try while it is young, else for a person."""
    now = timezone.now()
    for kind in ("retry", "failed"):
        records = [
            record
            for received_at, record in failed
            if (received_at is not None and now - received_at < _GIVEN_UP_AFTER) is (kind == "retry")
        ]
        if records:
            spool.keep_aside(path, spool.boxed(records), kind)


def _drain(path: Path, records: list[bytes], failed: list[Failed], find: Find) -> tuple[int, bool]:
    waiting = [one for record in records if (one := _unpacked(record, failed))]
    rest = waiting
    if len(waiting) > 1:
        try:
            with deadline.armed():
                rest = fold.fold(waiting, find)
        except outage.NO_ANSWER as error:
            outage.noticed(error)
            return 0, False
        except Exception as error:  # noqa: BLE001  one of them is wrong: each by itself will tell which
            log.error("records of the spool cannot be counted together: %s", faults.named(error))
    for number, one in enumerate(rest):
        if _stop.is_set():
            return len(waiting) - len(rest) + number, False
        try:
            _accept(one, find)
        except outage.NO_ANSWER as error:
            outage.noticed(error)
            _tries[path.name] += outage.may_concern_one_record(error)
            if _tries[path.name] < _MOST_TRIES or not _database_answers():
                return len(waiting) - len(rest) + number, False
            failed.append((one.received_at, one.packed()))
        except Exception as error:  # noqa: BLE001  one record must not keep all others waiting
            log.error("a record of the spool cannot be taken: %s", faults.named(error))
            failed.append((one.received_at, one.packed()))
        else:
            _tries.pop(path.name, None)
    return len(records), True


def _unpacked(record: bytes, failed: list[Failed]) -> Arrival | None:
    try:
        return Arrival.unpacked(record)
    except (ValueError, KeyError, TypeError) as error:
        log.error("a record of the spool is not one of this version: %s", faults.named(error))
        failed.append((None, record))
        return None


def _accept(arrival: Arrival, find: Find) -> None:
    with deadline.armed():
        hook = find(arrival.hotline_id)
        if hook is None:
            raise Gone
        receipt = accept(hook, arrival)
    if receipt is Receipt.NONCE_REUSED:
        log.warning("a request that waited on disk used a nonce again on hotline %s: dropped", arrival.hotline_id)


def forget() -> None:
    """Drop what this process remembers of records that failed; for tests."""
    _tries.clear()
    blocked.forget()
    last_known.forget()
