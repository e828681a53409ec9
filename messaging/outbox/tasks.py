"""The same sweeps as Celery tasks. Imported only where Celery is installed; nothing else knows of it."""

from __future__ import annotations

from celery import shared_task

from .sweeps import SCHEDULE

_BY_NAME = {sweep.name: sweep for sweep in SCHEDULE}


@shared_task(name="outbox.sweep", ignore_result=True)  # type: ignore[untyped-decorator, unused-ignore]
def sweep(name: str) -> None:
    """Run the sweep `name` once. Losing this message loses nothing: beat sends the next one.

    A run that fails says so itself: Celery would log what the exception says, which may quote a number.
    """
    _BY_NAME[name].run_safely()
