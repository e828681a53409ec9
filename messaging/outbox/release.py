"""Releasing: what is due gets its language and text now, or is dropped because it must no longer be sent."""

from __future__ import annotations

import datetime

from django.db import connection, transaction
from django.db.models import Q

from conversations.models import Block, Conversation, Reply
from conversations.senders import number_of
from conversations.words import BlockCause, ReplyState
from hotlines.models import Hotline
from privacy import datakeys, vault
from replies import choosing, segments


def release_due(now: datetime.datetime, limit: int = 100) -> int:
    """Release, drop or expire up to `limit` replies that are due at `now`; returns how many were looked at.

    First replies go before repeats, each by its time (SECURITY.md 3.1, principle 2).
    """
    with transaction.atomic():
        due = (
            Reply.objects.filter(state=ReplyState.PENDING, due_at__lte=now)
            .select_related("conversation", "hotline__organization", "message")
            .order_by("slot", "due_at", "pk")
        )
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True, of=("self",))
        replies = list(due[:limit])
        for reply in replies:
            Reply.objects.filter(pk=reply.pk, state=ReplyState.PENDING).update(**_released(reply, now))
    return len(replies)


def _released(reply: Reply, now: datetime.datetime) -> dict[str, object]:
    reason = must_not_be_sent(reply, now)
    if reason:
        state = ReplyState.EXPIRED if reason == "expired" else ReplyState.DROPPED
        return {"state": state, "detail": reason, "finished_at": now}
    choice = _choose(reply)
    if choice is None:
        return {"state": ReplyState.FAILED, "detail": "no text", "finished_at": now}
    sealed = vault.seal(choice.text, reply.place, datakeys.Purpose.TEXT, datakeys.month(now))
    if choice.language_seen:
        Conversation.objects.filter(pk=reply.conversation_id).update(language=choice.language_seen)
    return {
        "state": ReplyState.RELEASED,
        "language": choice.language,
        "text_sealed": sealed,
        "segments": segments.count(choice.text).segments,
    }


def must_not_be_sent(reply: Reply, now: datetime.datetime) -> str:
    """Why a waiting reply is given up, or "". The block that the limit itself sets is no reason."""
    conversation = reply.conversation
    if now >= reply.expires_at:
        return "expired"
    if conversation.opted_out_at is not None:
        return "stop"
    if (
        conversation.block_cause == BlockCause.PERSON
        and conversation.blocked_until
        and now < conversation.blocked_until
    ):
        return "blocked by a person"
    standing = Block.objects.filter(
        Q(until__isnull=True) | Q(until__gt=now),
        organization_id=reply.organization_id,
        sender_key=bytes(conversation.sender_key),
        conversation__isnull=True,
        lifted_at__isnull=True,
    )
    if standing.exists():
        return "blocked by a person"
    if reply.hotline.state != Hotline.State.ACTIVE:
        return f"number is {reply.hotline.state}"
    return ""


def _choose(reply: Reply) -> choosing.Choice | None:
    try:
        written = reply.message.text or ""
        sender = reply.conversation.sender or ""
    except vault.Unreadable:
        written, sender = "", ""
    return choosing.choose(
        reply.hotline,
        purpose=reply.purpose,
        step=reply.slot,
        written=written,
        remembered=reply.conversation.language,
        number=number_of(sender),
    )


def expire(now: datetime.datetime) -> int:
    """Give up what was not sent in time, whatever kept it: a paused account, a provider that is down."""
    return Reply.objects.filter(state__in=Reply.WAITING, expires_at__lte=now).update(
        state=ReplyState.EXPIRED, finished_at=now
    )
