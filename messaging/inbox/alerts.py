"""Mails to the platform's operators about the spool: no number, no text, no organization."""

from __future__ import annotations

import logging
import socket
from typing import Any

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from outbox.alerts import mail_operators

from . import outage, spool

log = logging.getLogger("paravent.alerts")

#: A restart of the database is over before this many seconds, and nobody needs to get up for it.
_PATIENCE = 60.0
_HALF, _ALMOST_FULL = 0.5, 0.8

#: What the operators know already; only the one thread that drains asks.
_told: set[Any] = set()


def look() -> None:
    """Say once what has changed: an outage that lasts, a spool that fills, files that need a person."""
    depth, lasts, share = spool.depth(), outage.lasts(), spool.current().share()
    holding = {
        _("The database does not answer"): (_OUTAGE, lasts is not None and lasts > _PATIENCE),
        _("The spool is more than half full"): (_FULL, share > _HALF),
        _("The spool is almost full"): (_FULL, share > _ALMOST_FULL),
        _("Messages could not be taken from the spool"): (_FAILED, depth.failed > 0),
        _("A file of the spool is damaged"): (_CORRUPT, depth.corrupt > 0),
    }
    with translation.override(settings.LANGUAGE_CODE):
        for subject, (body, holds) in holding.items():
            if not holds:
                _told.discard(subject)
            elif subject not in _told:
                _told.add(subject)
                _tell(str(subject), str(body))


_OUTAGE = _(
    "The database has not answered for a minute. Messages are received and kept on this host's disk, sealed; nothing "
    "is answered meanwhile. They are taken from there by themselves when the database is back.\n\n"
    "Start the database. `manage.py spool` shows what waits."
)
_FULL = _(
    "Messages wait on this host's disk because the database does not answer. When the quota "
    "(PARAVENT_SPOOL_MEGABYTES) is reached, providers get 503, try again for some minutes, and give up.\n\n"
    "Start the database, or raise the quota if the disk has room."
)
_FAILED = _(
    "Messages that had waited on disk could not be taken into the database. They are kept in *.failed files of the "
    "spool's folder.\n\nThe log says why. After an upgrade that mends it: `manage.py spool --retry`."
)
_CORRUPT = _(
    "A file of the spool could not be read to its end. What could be read is in the database; the whole file is kept "
    "as *.corrupt in the spool's folder.\n\nCheck the disk, and whether the master key was changed."
)


def _tell(subject: str, body: str) -> None:
    host = socket.gethostname()
    log.error("told the operators: %s", subject)
    mail_operators(f"{subject} ({host})", f"{body}\n\n{host}, {timezone.now():%Y-%m-%d %H:%M} UTC")
