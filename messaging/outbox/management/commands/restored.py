from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from outbox import restored


class Command(BaseCommand):
    help = (
        "After the database was restored from a backup: show what waits in it, and change nothing. --expire gives up "
        "what waits, because it may have been sent since, and lets sending go on. --keep changes no reply: for a "
        "database that was only moved. Run it before the workers start where the restore cannot be noticed: "
        "point-in-time recovery, a promoted standby, a snapshot."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--expire", action="store_true", help="it is a backup: give up what waits, then send again")
        choice.add_argument("--keep", action="store_true", help="nothing was sent since: send what waits")

    def handle(self, *, expire: bool = False, keep: bool = False, **_options: Any) -> None:
        self._show(restored.found())
        if not (expire or keep):
            self.stdout.write(
                _(
                    "Nothing was changed. If this database comes from a backup: `manage.py restored --expire`. If it "
                    "was only moved, and nothing was sent since: `manage.py restored --keep`."
                )
            )
            return
        try:
            given_up, unknown = restored.go_on(expire=expire)
        except OperationalError as error:
            raise CommandError(
                _("The database was busy, and nothing was changed. Stop the workers, and try again.")
            ) from error
        self.stdout.write(
            _("%(given_up)d replies were given up, %(unknown)d are of unknown outcome. Replies are sent again.")
            % {"given_up": given_up, "unknown": unknown}
        )

    def _show(self, found: restored.Found) -> None:
        if found.stopped_at is None:
            self.stdout.write(_("Sending goes on: nothing was noticed about this database."))
        else:
            self.stdout.write(
                _("Nothing has been sent since %(since)s (UTC): %(reason)s.")
                % {"since": date_format(found.stopped_at, "SHORT_DATETIME_FORMAT"), "reason": found.reason}
            )
        self.stdout.write(
            _("%(waiting)d replies wait, %(claimed)d were being sent, %(unknown)d are of unknown outcome.")
            % {"waiting": found.waiting, "claimed": found.claimed, "unknown": found.unknown}
        )
        if found.oldest is not None:
            self.stdout.write(
                _("The oldest of those that wait was decided on %(oldest)s (UTC).")
                % {"oldest": date_format(found.oldest, "SHORT_DATETIME_FORMAT")}
            )
