"""The embedded engine: one daemon thread of the one web process runs the sweeps."""

from __future__ import annotations

import logging
import threading
import time

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
    thread = threading.Thread(target=_loop, name=THREAD, daemon=True)
    thread.start()
    return thread


def stop() -> None:
    """Ask the thread to end after the sweep it is in."""
    _stop.set()


def _loop() -> None:
    due = dict.fromkeys(schedule(), 0.0)
    try:
        while not _stop.is_set():
            for sweep in due:
                if not _stop.is_set() and time.monotonic() >= due[sweep]:
                    run_once(sweep)
                    due[sweep] = time.monotonic() + sweep.every
            _stop.wait(_PAUSE)
    finally:
        _started.release()


def run_once(sweep: Sweep) -> None:
    """One run that never ends the loop, with a connection that is fit for it before and given back after."""
    try:
        close_old_connections()
        sweep.run_safely()
        close_old_connections()
    except Exception as error:  # noqa: BLE001  a thread that ends sends nothing any more, and nobody sees it end
        log.error("sweep %s: no connection to run it with: %s", sweep.name, faults.named(error))
