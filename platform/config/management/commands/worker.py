from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config.management.engine import require_celery

#: Behind the web processes of the same host: a provider waits 8 s for a webhook, and a reply can wait.
_NICENESS = 10


class Command(BaseCommand):
    help = (
        "Run a Celery worker: it releases and sends replies. Start as many as you like, on any number of hosts. "
        "SIGTERM ends it after the sweeps it is in."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--processes", type=int, default=4, help="sweeps it runs side by side (%(default)s)")

    def handle(self, *, processes: int, **_options: Any) -> None:
        require_celery()
        from config.celery import app  # noqa: PLC0415  imports Celery, which need not be installed

        os.nice(_NICENESS)
        # Gossip and mingle talk to other workers about nothing that we use.
        quiet = ["--without-gossip", "--without-mingle", "--loglevel=WARNING"]
        app.worker_main(["worker", f"--concurrency={processes}", *quiet])
