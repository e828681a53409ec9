"""The embedded engine: one daemon thread of the one web process runs the sweeps."""

from __future__ import annotations

import logging
import threading
import time

from django.db import close_old_connections

from .sweeps import SCHEDULE, Sweep

log = logging.getLogger("paravent.outbox")

_stop = threading.Event()
_started = threading.Lock()
_PAUSE = 0.25


def start() -> threading.Thread | None:
    """Start the thread, once in a process; None when it runs already."""
    if not _started.acquire(blocking=False):
        return None
    _stop.clear()
    thread = threading.Thread(target=_loop, name="paravent-sweeps", daemon=True)
    thread.start()
    return thread


def stop() -> None:
    """Ask the thread to end after the sweep it is in."""
    _stop.set()


def _loop() -> None:
    due = dict.fromkeys(SCHEDULE, 0.0)
    try:
        while not _stop.is_set():
            for sweep in SCHEDULE:
                if time.monotonic() >= due[sweep]:
                    run_once(sweep)
                    due[sweep] = time.monotonic() + sweep.every
            _stop.wait(_PAUSE)
    finally:
        _started.release()


def run_once(sweep: Sweep) -> None:
    """One run that never ends the loop: what failed stays in its row, and the next run finds it."""
    close_old_connections()
    try:
        sweep.run()
    except Exception:
        log.exception("sweep %s failed; its rows are kept and it runs again", sweep.name)
    finally:
        close_old_connections()
