"""The embedded engine: a daemon thread of the one web process runs the sweeps, and another what waits for others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from django.db import close_old_connections

from . import faults
from .sweeps import Sweep, schedule

log = logging.getLogger("paravent.outbox")

_stop = threading.Event()
_started = threading.Lock()
_PAUSE = 0.25
THREAD = "paravent-sweeps"


def start() -> threading.Thread | None:
    """Start the thread, once in a process; None when it runs already."""
    if not _started.acquire(blocking=False):
        return None
    _stop.clear()
    thread = threading.Thread(target=_run, name=THREAD, daemon=True)
    thread.start()
    return thread


def stop() -> None:
    """Ask the threads to end after the sweeps they are in."""
    _stop.set()


def _run() -> None:
    mine, others = ([sweep for sweep in schedule() if sweep.aside is aside] for aside in (False, True))
    beside = threading.Thread(target=_loop, args=(others,), name=THREAD, daemon=True) if others else None
    try:
        if beside is not None:
            beside.start()
        _loop(mine)
        if beside is not None:
            beside.join()
    finally:
        _started.release()


def _loop(sweeps: Sequence[Sweep]) -> None:
    due = dict.fromkeys(sweeps, 0.0)
    while not _stop.is_set():
        for sweep in due:
            if not _stop.is_set() and time.monotonic() >= due[sweep]:
                run_once(sweep)
                due[sweep] = time.monotonic() + sweep.every
        _stop.wait(_PAUSE)


def run_once(sweep: Sweep) -> None:
    """One run that never ends the loop, with a connection that is fit for it before and given back after."""
    try:
        close_old_connections()
        sweep.run_safely()
        close_old_connections()
    except Exception as error:  # noqa: BLE001  a thread that ends sends nothing any more, and nobody sees it end
        log.error("sweep %s: no connection to run it with: %s", sweep.name, faults.named(error))
