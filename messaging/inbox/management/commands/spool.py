from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from inbox import spool


class Command(BaseCommand):
    help = (
        "Show what waits on this host's disk for the database. Requests are taken from there by the web processes by "
        "themselves. --retry gives those that were set aside another try, after an upgrade for instance."
    )
    requires_system_checks: tuple[()] = ()  # an outage is when it is needed

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--retry", action="store_true", help="let the files that were set aside wait again")

    def handle(self, *, retry: bool = False, **_options: Any) -> None:
        depth = spool.depth()
        self.stdout.write(
            _("%(bytes)d bytes in %(segments)d files wait; %(failed)d failed, %(corrupt)d are damaged: %(folder)s")
            % {**vars(depth), "folder": settings.SPOOL_DIR}
        )
        if retry:
            count = spool.current().retry("failed")
            self.stdout.write(
                _("%(count)d files wait again; a web process of this host takes them.") % {"count": count}
            )
