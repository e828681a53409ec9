from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from config.management.engine import require_celery


class Command(BaseCommand):
    help = (
        "Run Celery beat: it says every second that there may be replies to send. Start one; a second one does no harm."
    )

    def handle(self, **_options: Any) -> None:
        require_celery()
        from config.celery import app  # noqa: PLC0415  imports Celery, which need not be installed

        # In memory: a schedule of seconds has nothing to remember, and a file would have to be kept safe and writable.
        app.start(["beat", "--scheduler=celery.beat.Scheduler", "--loglevel=WARNING"])
