from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError

#: How many times a migration asks for its locks, and how long it lets the others work in between. A lock is waited for
#: one second (`lock_timeout` in settings): who reads a table waits behind the change that waits for it.
_ATTEMPTS = 60
_PAUSE_SECONDS = 1.0

#: PostgreSQL's codes for a lock that was not given in time, and for one that two wanted crosswise; both have changed
#: nothing: https://www.postgresql.org/docs/current/errcodes-appendix.html
_NOT_GIVEN = {"55P03", "40P01"}


def _is_busy(error: OperationalError) -> bool:
    cause = error.__cause__
    of_sqlite = getattr(cause, "sqlite_errorname", "")
    return getattr(cause, "sqlstate", "") in _NOT_GIVEN or of_sqlite.startswith("SQLITE_BUSY")


class Command(migrate.Command):
    """Django's `migrate`, for tables that others write to meanwhile: when a lock is not given it tries again.

    Each migration is one transaction, so what was applied stays and the next attempt begins with the one that was
    refused.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                super().handle(*args, **options)
            except OperationalError as error:
                if not _is_busy(error):
                    raise
                if attempt == _ATTEMPTS:
                    raise CommandError(
                        f"The tables were in use at each of {_ATTEMPTS} attempts. Migrations that were applied stay "
                        "applied, the others have changed nothing. Run this when fewer messages come, or stop the "
                        "workers meanwhile: messages wait in the spool."
                    ) from error
                self.stderr.write(f"A table is in use; trying again ({attempt} of {_ATTEMPTS}).")
                time.sleep(_PAUSE_SECONDS)
            else:
                return
