"""The same sweeps as Celery tasks. Imported only where Celery is installed; nothing else knows of it."""

from __future__ import annotations

import logging

from celery import shared_task

from . import sweeps

log = logging.getLogger("paravent.outbox")


@shared_task(name="outbox.sweep", ignore_result=True)  # type: ignore[untyped-decorator, unused-ignore]
def sweep(name: str) -> None:
    """Run the sweep `name` once. Losing this message loses nothing: beat sends the next one.

    A run that fails says so itself: Celery would log what the exception says, which may quote a number.
    """
    found = sweeps.find(name)
    if found is None:
        log.error("sweep %s is not known here: is this worker of another version than the scheduler?", name)
        return
    found.run_safely()
