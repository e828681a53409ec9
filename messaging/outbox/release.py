"""Releasing: what is due gets its language and text now, or is dropped because it must no longer be sent."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Sequence

from django.db import InterfaceError, OperationalError

from conversations import blocks
from conversations.models import Conversation, Reply
from conversations.senders import number_of
from conversations.words import BlockCause, ReplyState
from hotlines.models import Hotline
from privacy import datakeys, vault
from replies import choosing, segments
from replies.models import ReplyTemplate

from . import faults

log = logging.getLogger("paravent.outbox")

#: How long a reply that we cannot handle is left alone, so that it stands in no other's way.
_SET_ASIDE = datetime.timedelta(minutes=5)


def release_due(now: datetime.datetime, limit: int = 100) -> int:
    """Release, drop or expire up to `limit` replies that are due at `now`; returns how many.

    First replies go before repeats, each by its time (SECURITY.md 3.1, principle 2). There is no lock: choosing is
    slow, and one conditional statement for each reply writes what was chosen or, where another was faster, nothing.
    """
    order = ("slot", "due_at", "pk")
    due = Reply.objects.filter(state=ReplyState.PENDING, due_at__lte=now).order_by(*order).values_list("pk", flat=True)
    # In two steps: sorted with all that belongs to them, a raid's replies would take longer than they take to release.
    replies = Reply.objects.filter(pk__in=list(due[:limit])).order_by(*order)
    replies = replies.select_related("conversation", "hotline__organization", "message")
    texts: dict[int, Sequence[ReplyTemplate]] = {}
    return sum(_release(reply, now, texts) for reply in list(replies))


def _release(reply: Reply, now: datetime.datetime, texts: dict[int, Sequence[ReplyTemplate]]) -> bool:
    """Whether this reply was ours to release. A fault of ours is logged, and the reply tried again later.

    `texts` keeps what hotlines may answer with, for the short time of one run.
    """
    try:
        changes, language_seen = _released(reply, now, texts)
        released = bool(Reply.objects.filter(pk=reply.pk, state=ReplyState.PENDING).update(**changes))
    except (OperationalError, InterfaceError):  # it is the database that fails, and not this row
        raise
    except Exception as error:  # noqa: BLE001  one reply must not keep all others waiting
        set_aside(reply, error, now)
        return False
    if released and language_seen:
        Conversation.objects.filter(pk=reply.conversation_id).update(language=language_seen)
    return released


def _released(
    reply: Reply, now: datetime.datetime, texts: dict[int, Sequence[ReplyTemplate]]
) -> tuple[dict[str, object], str]:
    """What its row shall say, and the language that the message itself was in, or ""."""
    reason = must_not_be_sent(reply, now)
    if reason:
        return given_up(reason, now), ""
    choice = _choose(reply, texts)
    if choice is None:
        return {"state": ReplyState.FAILED, "detail": "no text", "finished_at": now}, ""
    return {
        "state": ReplyState.RELEASED,
        "language": choice.language,
        "text_sealed": vault.seal(choice.text, reply.place, datakeys.Purpose.TEXT, datakeys.month(now)),
        "segments": segments.count(choice.text).segments,
    }, choice.language_seen


def given_up(reason: str, now: datetime.datetime) -> dict[str, object]:
    """What the row of a reply says that `must_not_be_sent` gave a reason for."""
    state = ReplyState.EXPIRED if reason == "expired" else ReplyState.DROPPED
    return {"state": state, "detail": reason, "finished_at": now}


def set_aside(reply: Reply, error: Exception, now: datetime.datetime) -> None:
    """Leave a reply that raised `error` as it is, for a while; if that never ends, it expires."""
    log.error("reply %s is set aside: %s", reply.pk, faults.named(error))
    Reply.objects.filter(pk=reply.pk, state__in=Reply.WAITING).update(
        due_at=now + _SET_ASIDE, detail=type(error).__name__[:60]
    )


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
    if blocks.everywhere(conversation, now).exists():
        return "blocked by a person"
    if reply.hotline.state != Hotline.State.ACTIVE:
        return f"number is {reply.hotline.state}"
    return ""


def _choose(reply: Reply, texts: dict[int, Sequence[ReplyTemplate]]) -> choosing.Choice | None:
    if reply.hotline_id not in texts:
        texts[reply.hotline_id] = choosing.texts_of(reply.hotline)
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
        texts=texts[reply.hotline_id],
    )


def expire(now: datetime.datetime) -> int:
    """Give up what was not sent in time, whatever kept it: a paused account, a provider that is down."""
    return Reply.objects.filter(state__in=Reply.WAITING, expires_at__lte=now).update(
        state=ReplyState.EXPIRED, finished_at=now, detail="expired"
    )
