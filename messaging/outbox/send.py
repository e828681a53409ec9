"""Sending: claim, commit, one call, write what it taught. At most once, and never repeated blindly.

The order is the whole point (SECURITY.md 2.2, design D6): the claim is committed before the first byte leaves, so a
worker that dies leaves a claim that expires into `unknown`, and never a reply that looks unsent.
"""

from __future__ import annotations

import datetime
import logging
import re
import secrets
import uuid

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.urls import reverse
from django.utils import timezone

from conversations.models import Reply
from conversations.senders import number_of
from conversations.words import ReplyState
from hotlines.models import Account
from privacy import vault
from providers import registry
from providers.base import Knowledge, Outcome, OutgoingReply

from . import alerts
from .release import must_not_be_sent

log = logging.getLogger("paravent.outbox")

_RECIPIENT = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
_FIRST_BACKOFF = 5.0
_MOST_DOUBLINGS = 6


def send_one(now: datetime.datetime) -> bool:
    """Claim and send the most urgent released reply. False when there is none."""
    reply = claim(now)
    if reply is None:
        return False
    record(reply, _call(reply))
    return True


def claim(now: datetime.datetime) -> Reply | None:
    """Take one reply for this worker, committed on return; or give up one that must no longer be sent and look on."""
    while True:
        try:
            with transaction.atomic():
                reply = _next(now)
                if reply is None:
                    return None
                reason = must_not_be_sent(reply, now)
                if not reason:
                    token = uuid.uuid4()
                    Reply.objects.filter(pk=reply.pk).update(
                        state=ReplyState.CLAIMED,
                        claimed_at=timezone.now(),
                        claim_token=token,
                        attempts=F("attempts") + 1,
                    )
                    reply.refresh_from_db(fields=["state", "claimed_at", "claim_token", "attempts"])
                    return reply
                state = ReplyState.EXPIRED if reason == "expired" else ReplyState.DROPPED
                Reply.objects.filter(pk=reply.pk).update(state=state, detail=reason, finished_at=now)
        except IntegrityError:
            # Another worker put a reply of this conversation in flight between our look and our claim.
            continue


def _next(now: datetime.datetime) -> Reply | None:
    in_flight = Reply.objects.filter(conversation=OuterRef("conversation"), state__in=Reply.IN_FLIGHT)
    ready = (
        Reply.objects.filter(
            Q(hotline__account__resume_sending_at__isnull=True) | Q(hotline__account__resume_sending_at__lte=now),
            ~Exists(in_flight),
            state=ReplyState.RELEASED,
            due_at__lte=now,
            hotline__account__sending_paused_at__isnull=True,
        )
        .select_related("conversation", "hotline__account", "hotline__organization")
        .order_by("slot", "due_at", "pk")
    )
    if connection.features.has_select_for_update_skip_locked:
        ready = ready.select_for_update(skip_locked=True, of=("self",))
    return ready.first()


def _call(reply: Reply) -> Outcome:
    account = reply.hotline.account
    try:
        outgoing = OutgoingReply(
            uuid=reply.uuid,
            source=reply.hotline.number.removeprefix("+"),
            recipient=_recipient(reply),
            text=reply.text or "",
            report_url=report_url(reply),
        )
        credentials = account.credentials
    except (vault.Unreadable, ValueError) as error:
        return Outcome(Knowledge.REFUSED, detail=type(error).__name__)
    try:
        provider = registry.get(account.provider)
    except registry.UnknownProvider:
        return Outcome(Knowledge.ACCOUNT_REFUSED, detail="provider not offered here")
    return provider.send(outgoing, credentials)


def _recipient(reply: Reply) -> str:
    """Digits and nothing else: no byte of a sender's writing reaches a provider's `dst` (SECURITY.md T7)."""
    digits = (number_of(reply.conversation.sender or "") or "").removeprefix("+")
    if not _RECIPIENT.fullmatch(digits):
        raise ValueError("not a number that can be answered")
    return digits


def report_url(reply: Reply) -> str:
    """Where the provider reports on this reply; the path is what its signature covers."""
    path = reverse(
        "hook-report",
        kwargs={
            "provider": reply.hotline.account.provider,
            "token": reply.hotline.hook_token,
            "reply": reply.uuid,
        },
    )
    return f"{settings.PUBLIC_URL}{path}"


def record(reply: Reply, outcome: Outcome) -> None:
    """Write what the call taught, if this worker still holds the claim (SECURITY.md 2.5).

    A claim that was lost meanwhile (lease over, settled by a report) says more than we know: it stays.
    """
    now = timezone.now()
    mine = Reply.objects.filter(pk=reply.pk, state=ReplyState.CLAIMED, claim_token=reply.claim_token)
    match outcome.knowledge:
        case Knowledge.ACCEPTED:
            changes: dict[str, object] = {
                "state": ReplyState.SENT,
                "provider_id": outcome.provider_id,
                "sent_at": now,
                "finished_at": now,
            }
        case Knowledge.REFUSED:
            changes = {"state": ReplyState.FAILED, "finished_at": now}
        case Knowledge.UNKNOWN:
            changes = {"state": ReplyState.UNKNOWN}
        case Knowledge.REFUSED_FOR_NOW | Knowledge.ACCOUNT_REFUSED:
            changes = {"state": ReplyState.RELEASED, "due_at": now + backoff(reply.attempts, outcome)}
    try:
        with transaction.atomic():
            mine.update(detail=outcome.detail[:60], **changes)
    except IntegrityError:
        # The provider gave an id it gave before: it took this one, under a name that proves nothing.
        mine.update(state=ReplyState.UNKNOWN, detail="provider id used twice")
    if outcome.knowledge is Knowledge.ACCOUNT_REFUSED:
        pause(reply.hotline.account, outcome.detail, now)
    elif outcome.retry_after is not None:
        Account.objects.filter(pk=reply.hotline.account_id).update(
            resume_sending_at=now + datetime.timedelta(seconds=outcome.retry_after)
        )


def backoff(attempts: int, outcome: Outcome) -> datetime.timedelta:
    """5 s doubled with each attempt, six times at most, plus up to half of it by chance; or what the provider named."""
    if outcome.retry_after is not None:
        return datetime.timedelta(seconds=outcome.retry_after)
    seconds = _FIRST_BACKOFF * 2 ** min(max(attempts - 1, 0), _MOST_DOUBLINGS)
    return datetime.timedelta(seconds=seconds * (1 + secrets.randbelow(1000) / 2000))


def pause(account: Account, reason: str, now: datetime.datetime) -> None:
    """Stop sending for an account that is out of credit or refused, and tell its people once; nothing is failed."""
    paused = Account.objects.filter(pk=account.pk, sending_paused_at__isnull=True).update(
        sending_paused_at=now, sending_paused_reason=reason[:200] or "refused"
    )
    if paused:
        alerts.account_paused(account, reason)


def expire_leases(now: datetime.datetime) -> int:
    """A claim without an outcome becomes `unknown`, never released again: its owner may have sent it."""
    lost = Reply.objects.filter(
        state=ReplyState.CLAIMED, claimed_at__lt=now - datetime.timedelta(seconds=settings.CLAIM_LEASE)
    )
    return lost.update(state=ReplyState.UNKNOWN, detail="claim expired")


def finish_unknown(now: datetime.datetime) -> int:
    """Unknown for a day is unknown for good, and stands in nobody's way."""
    old = Reply.objects.filter(
        state=ReplyState.UNKNOWN, claimed_at__lt=now - datetime.timedelta(hours=settings.REPLY_EXPIRY_HOURS)
    )
    return old.update(state=ReplyState.UNKNOWN_FINAL, finished_at=now)
