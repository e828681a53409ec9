"""Settling unknown replies by the provider's log (SECURITY.md 2.2, T6): found, provably absent, or still unknown.

A reply that is wrongly thought absent is sent twice, so everything in doubt stays unknown: an incomplete listing, a
number whose end is hidden and that could be this one, a log that has shown us nothing of ours yet.
"""

from __future__ import annotations

import datetime
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from conversations import sql
from conversations.models import Reply
from conversations.senders import number_of
from conversations.words import ReplyState
from hotlines.models import Account
from privacy import vault
from providers import masks, reading
from providers.base import LogEntry, LogQuery, Unavailable
from providers.models import LogReading

from . import faults, routing

log = logging.getLogger("paravent.outbox")

#: How far the provider's clock and ours may differ.
CLOCK_MARGIN = datetime.timedelta(minutes=2)
#: No listing is longer than this, so that a page that fails does not undo much.
_LONGEST_WINDOW = datetime.timedelta(minutes=15)


# --- deciding ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Attempt:
    """One call that may have been accepted, and of which we hold no id.

    `source` and `recipient` are digits; `recipient` is None where it can no longer be read. `provable` says whether
    this log would show it: the call was made with this account, after the log began to show what is ours.
    """

    reply: int
    source: str
    recipient: str | None
    claimed_at: datetime.datetime
    provable: bool = True
    absent_before: bool = False


@dataclass(frozen=True)
class Found:
    entry: LogEntry


@dataclass(frozen=True)
class Absent:
    pass


Verdict = Found | Absent | None


def window(attempt: Attempt, lease: datetime.timedelta) -> tuple[datetime.datetime, datetime.datetime]:
    """From when to when the log may have written it down: the call ends within its lease."""
    return attempt.claimed_at - CLOCK_MARGIN, attempt.claimed_at + lease + CLOCK_MARGIN


def decide(attempts: Sequence[Attempt], entries: Iterable[LogEntry], lease: datetime.timedelta) -> dict[int, Verdict]:
    """What each attempt is now known to be, by its reply; None where that cannot be known. Pure.

    `attempts` are all that could own an entry, also those that shall not be settled yet. `entries` is the whole
    listing of every attempt's window, less the entries whose id belongs to a reply.
    """
    rows = [entry for entry in entries if not entry.inbound]
    candidates = {
        attempt.reply: [index for index, entry in enumerate(rows) if _could_be(attempt, entry, lease)]
        for attempt in attempts
    }
    claims = Counter(index for found in candidates.values() for index in found)
    return {attempt.reply: _verdict(attempt, candidates[attempt.reply], claims, rows) for attempt in attempts}


def _verdict(attempt: Attempt, found: list[int], claims: Counter[int], rows: Sequence[LogEntry]) -> Verdict:
    if not found:
        return Absent() if attempt.provable and not attempt.absent_before else None
    only = found[0]
    return Found(rows[only]) if len(found) == 1 and claims[only] == 1 else None


def _could_be(attempt: Attempt, entry: LogEntry, lease: datetime.timedelta) -> bool:
    since, until = window(attempt, lease)
    return (
        since <= entry.at <= until
        and masks.could_be(entry.sender, attempt.source)
        and (attempt.recipient is None or masks.could_be(entry.recipient, attempt.recipient))
    )


# --- asking -----------------------------------------------------------------------------------------------------------
def settle_unknown() -> int:
    """Settle what is unknown for long enough, account by account; returns how many were settled."""
    now = timezone.now() + sql.clock_ahead()
    unknown = Reply.objects.filter(state=ReplyState.UNKNOWN, claimed_at__lte=now - _lease() - _settle_time())
    due = unknown.annotate(by=routing.ACCOUNT)
    settled = 0
    for account in Account.objects.filter(pk__in=due.values("by")).order_by("pk"):
        try:
            if reading.terms(account) is not None:
                settled += _settle_account(account, due.filter(by=account.pk), now)
        except Unavailable as error:
            log.warning("the log of account %s cannot be read now: %s", account.pk, error)
        except faults.OF_THE_DATABASE:  # it is the database that fails, and not this account
            raise
        except Exception as error:  # noqa: BLE001  one account must not keep all others waiting
            log.error("replies of account %s could not be settled: %s", account.pk, faults.named(error))
    return settled


def _lease() -> datetime.timedelta:
    return datetime.timedelta(seconds=settings.CLAIM_LEASE)


def _settle_time() -> datetime.timedelta:
    return datetime.timedelta(seconds=settings.SETTLE_TIME)


def _settle_account(account: Account, due: QuerySet[Reply], now: datetime.datetime) -> int:
    read = reading.reading_of(account, now)
    groups = _neighbours(due.order_by("claimed_at", "pk"))
    # Where the provider's rate ends a run early, each run begins with another one.
    first = int(now.timestamp()) // 60 % len(groups) if groups else 0
    return sum(_settle_group(account, read, group) for group in groups[first:] + groups[:first])


def _neighbours(due: Iterable[Reply]) -> list[list[Reply]]:
    """Replies whose windows overlap, and that one listing shall answer for."""
    groups: list[list[Reply]] = []
    for reply in due:
        gap = _claimed_at(reply) - _claimed_at(groups[-1][-1]) if groups else _LONGEST_WINDOW
        if groups and gap <= _lease() and _claimed_at(reply) - _claimed_at(groups[-1][0]) < _LONGEST_WINDOW:
            groups[-1].append(reply)
        else:
            groups.append([reply])
    return groups


def _settle_group(account: Account, read: LogReading, due: list[Reply]) -> int:
    since = _claimed_at(due[0]) - CLOCK_MARGIN
    until = _claimed_at(due[-1]) + _lease() + CLOCK_MARGIN
    entries = reading.listing(account, read, LogQuery(since, until, inbound=False))
    # In this order: what gets its id between the two questions is known twice, and not at all the other way round.
    rivals = list(
        Reply.objects.filter(
            Q(hotline__account=account) | Q(message__account=account) | Q(sent_by__account=account),
            state__in=(*Reply.IN_FLIGHT, ReplyState.UNKNOWN_FINAL),
            claimed_at__gte=since - _lease() - CLOCK_MARGIN,
            claimed_at__lte=until + CLOCK_MARGIN,
        ).select_related("conversation", "hotline", "message", "sent_by")
    )
    owned = _owned(account, [entry.id for entry in entries])
    reading.note_known(read, [entry for entry in entries if entry.id in owned])
    attempts = [_attempt(reply, account, read) for reply in rivals]
    verdicts = decide(attempts, [entry for entry in entries if entry.id not in owned], _lease())
    return sum(apply(reply, verdicts.get(reply.pk)) for reply in due)


def _owned(account: Account, ids: list[str]) -> set[str]:
    """Those of the provider's ids that a reply bears already."""
    found: set[str] = set()
    for start in range(0, len(ids), 500):
        by_account = Q(hotline__account=account) | Q(sent_by__account=account)
        bearing = Reply.objects.filter(by_account, provider_id__in=ids[start : start + 500])
        found.update(bearing.values_list("provider_id", flat=True))
    return found


def _attempt(reply: Reply, account: Account, read: LogReading) -> Attempt:
    claimed_at = _claimed_at(reply)
    shown = read.covers_from is not None and read.covers_from <= claimed_at
    return Attempt(
        reply=reply.pk,
        source=reply.sender.number.removeprefix("+"),
        recipient=_recipient(reply),
        claimed_at=claimed_at,
        # A number that was moved to another account may have sent with either; so may one that stood in.
        provable=shown and reply.sent_by is None and reply.message.account_id == account.pk == reply.hotline.account_id,
        absent_before=reply.absences > 0,
    )


def _claimed_at(reply: Reply) -> datetime.datetime:
    """A constraint holds that what is in flight has one."""
    assert reply.claimed_at is not None  # noqa: S101
    return reply.claimed_at


def _recipient(reply: Reply) -> str | None:
    sender = vault.read_or_none(reply.conversation, "sender")
    return (number_of(sender or "") or "").removeprefix("+") or None


# --- writing ----------------------------------------------------------------------------------------------------------
def apply(reply: Reply, verdict: Verdict) -> bool:
    """Write a verdict on `reply` as it was read. False, and no change, where a report, another settler or another
    attempt has moved it on.
    """
    match verdict:
        case None:
            return False
        case Found(entry):
            changes: dict[str, object] = {
                "state": ReplyState.SENT,
                "provider_id": entry.id[:128],
                "sent_at": reply.claimed_at,
                "finished_at": timezone.now(),
                "detail": "found in the log",
            }
            if entry.status is not None:
                changes |= {"delivery": entry.status.value, "error_code": entry.error_code}
            if entry.cost is not None:
                changes["cost"] = entry.cost
        case Absent():
            changes = {
                "state": ReplyState.RELEASED,
                "due_at": timezone.now(),
                # Its safety delay is over: later messages of its sender wait for another reply, or for none.
                "delayed": False,
                "absences": F("absences") + 1,
                "detail": "not in the log",
            }
    same = Reply.objects.filter(pk=reply.pk, state=ReplyState.UNKNOWN, claim_token=reply.claim_token)
    try:
        with transaction.atomic():
            return bool(same.update(**changes))
    except IntegrityError:
        log.warning("reply %s stays unknown: what the log says contradicts another reply", reply.pk)
        return False
