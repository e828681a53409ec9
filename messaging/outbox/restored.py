"""A database that was restored from a backup must not send again what was sent since (SECURITY.md F15).

Two things tell it. The database has an identity, kept in the one row of `UsedDatabase`, that a copy does not share. And
each host that sends keeps on disk which reply it claimed last, which a database that was set back has forgotten.
Where either is not as it was, nothing is claimed any more, on any host, until a person has said what was sent since
(`manage.py restored`). Messages are received and stored meanwhile.
"""

from __future__ import annotations

import datetime
import functools
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, Min, Q, Value
from django.db.models.expressions import Combinable
from django.utils import timezone

from conversations import sql
from conversations.models import Reply
from conversations.words import ReplyState

from . import alerts
from .clock import shared_now
from .models import UsedDatabase

log = logging.getLogger("paravent.outbox")

_ROW = 1
#: What the row of a reply says that was given up because of a restore.
DETAIL = "restored"


# --- what tells a database from its copy ------------------------------------------------------------------------------
def here() -> Combinable:
    """The identity of the database that a query runs on, as an expression of that query."""
    if connection.vendor == "postgresql":
        return sql.ServersIdentity(of_cluster=_of_cluster())
    try:
        return Value(f"inode {os.stat(connection.settings_dict['NAME']).st_ino}")  # noqa: PTH116  may be a URI
    except OSError:
        return Value("in memory")


@functools.cache
def _of_cluster() -> bool:
    return sql.may_ask_for_cluster()


def is_the_same() -> Q:
    """For the query that claims: true where this is the database that was used last, and sending is not stopped."""
    return Q(Exists(UsedDatabase.objects.filter(pk=_ROW, stopped_at__isnull=True, identity=here())))


def _witness() -> Path:
    return Path(settings.SPOOL_DIR) / "last-claim"


def remember(reply: Reply) -> None:
    """Keep on this host's disk that `reply` was claimed. For a claim that is committed, before the call."""
    try:
        _witness().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _witness().write_text(json.dumps([reply.pk, reply.claimed_at and reply.claimed_at.isoformat()]))
    except OSError as error:  # a host without a disk of its own sends all the same; the identity is left
        log.debug("the last claim is not kept on disk: %s", type(error).__name__)


def _remembered() -> tuple[int, datetime.datetime] | None:
    try:
        pk, claimed_at = json.loads(_witness().read_text())
        return int(pk), datetime.datetime.fromisoformat(claimed_at)
    except (OSError, ValueError, TypeError):  # none, or torn by a power cut
        return None


# --- noticing ---------------------------------------------------------------------------------------------------------
def look() -> bool:
    """Whether replies may be sent. Where not, stop sending on all hosts, and tell the operators, each once.

    One cheap query where all is well; call it before each run that sends.
    """
    claim = _remembered()
    known = Reply.objects.filter(pk=claim[0], claimed_at__gte=claim[1]) if claim else Reply.objects.none()
    row = (
        UsedDatabase.objects.filter(pk=_ROW)
        .values("identity", "accepted_at", "stopped_at", "told_at", actual=here(), knows_claim=Exists(known))
        .first()
    )
    if row is None:
        log.error("the row is missing that says which database was used last")
        UsedDatabase.objects.bulk_create([_stopped_row(shared_now())], ignore_conflicts=True)
    elif row["stopped_at"] is not None:
        if row["told_at"] is None:
            _tell()
        return False
    elif row["identity"] != row["actual"]:
        _stop(UsedDatabase.Reason.IDENTITY)
    elif claim and claim[1] > row["accepted_at"] and not row["knows_claim"]:
        _stop(UsedDatabase.Reason.FORGOTTEN)
    else:
        return True
    _tell()
    return False


def _stopped_row(now: datetime.datetime) -> UsedDatabase:
    return UsedDatabase(
        pk=_ROW, identity="", accepted_at=now, stopped_at=now, reason=UsedDatabase.Reason.IDENTITY.value
    )


def _stop(reason: UsedDatabase.Reason) -> None:
    """Conditional, so that of all workers one stops it and one moment is written."""
    going = UsedDatabase.objects.filter(pk=_ROW, stopped_at__isnull=True)
    if going.update(stopped_at=shared_now(), reason=reason.value):
        log.error("nothing is sent any more, this database may be a restored one: %s", reason.value)


def _tell() -> None:
    untold = UsedDatabase.objects.filter(pk=_ROW, stopped_at__isnull=False, told_at__isnull=True)
    now = shared_now()
    if untold.update(told_at=now) and not alerts.sending_stopped():
        UsedDatabase.objects.filter(pk=_ROW, told_at=now).update(told_at=None)


def stopped_since() -> datetime.datetime | None:
    """Since when nothing is sent because of a restore; None where sending goes on."""
    return UsedDatabase.objects.filter(pk=_ROW).values_list("stopped_at", flat=True).first()


def begin(**migrated: Any) -> None:
    """Accept an emptied database as it is: for `post_migrate`, which follows `flush`. A new one has its row already."""
    if migrated["using"] != "default" or UsedDatabase._meta.db_table not in connection.introspection.table_names():
        return
    if not UsedDatabase.objects.exists():
        UsedDatabase.objects.create(pk=_ROW, identity=here(), accepted_at=timezone.now())


# --- going on ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Found:
    """What a person decides on: replies that wait, since when, and those that may have been sent."""

    waiting: int
    oldest: datetime.datetime | None
    claimed: int
    unknown: int
    stopped_at: datetime.datetime | None
    reason: str


def found() -> Found:
    waiting = Reply.objects.filter(state__in=Reply.WAITING)
    row = UsedDatabase.objects.filter(pk=_ROW).first() or UsedDatabase()
    return Found(
        waiting.count(),
        waiting.aggregate(oldest=Min("decided_at"))["oldest"],
        Reply.objects.filter(state=ReplyState.CLAIMED).count(),
        Reply.objects.filter(state=ReplyState.UNKNOWN).count(),
        row.stopped_at,
        row.get_reason_display(),
    )


def go_on(*, expire: bool) -> tuple[int, int]:
    """Accept this database, and send again. Returns how many replies were given up, and how many became unknown.

    With `expire` every reply that waits is given up, because it may have been sent after the backup, and every claim is
    unknown. Neither these nor those that were unknown before are ever released again: the provider's log is searched
    around the claim that we know of, and a later one may have been made.
    """
    now = shared_now()
    given_up = unknown = 0
    with transaction.atomic():
        UsedDatabase.objects.bulk_create([_stopped_row(now)], ignore_conflicts=True)
        row = UsedDatabase.objects.select_for_update().filter(pk=_ROW)
        row.get()
        if expire:
            given_up = Reply.objects.filter(state__in=Reply.WAITING, decided_at__lte=now).update(
                state=ReplyState.EXPIRED, detail=DETAIL, finished_at=now
            )
            claimed = Reply.objects.filter(state=ReplyState.CLAIMED)
            unknown = claimed.update(state=ReplyState.UNKNOWN, detail=DETAIL)
            Reply.objects.filter(state=ReplyState.UNKNOWN).update(absences=1)
        row.update(identity=here(), accepted_at=now, stopped_at=None, reason="", told_at=None)
    log.warning("this database is accepted; %d replies were given up, %d are unknown", given_up, unknown)
    return given_up, unknown
