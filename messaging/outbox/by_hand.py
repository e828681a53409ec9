"""A reply that a person writes: in place of the one that waits, or to a message that has none.

It is one of the episode's, because the limit is a promise; it keeps the safety delay, because the person who gave the
number away may still stand there; it is priced, released and sent like all others.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from conversations.models import Block, Conversation, Message, Reply
from conversations.states import state_of
from conversations.words import BlockCause, Disposition, ReplyState
from hotlines import succession
from privacy import datakeys, vault
from replies import lint
from shield import decide
from shield.decide import PlannedReply, Standing

from .release import may_send, silence

#: One that is being sent may be refused for now, and then waits again.
_UNSENT = (*Reply.WAITING, ReplyState.CLAIMED)


@dataclass(frozen=True)
class Outlook:
    """What a text written now would become: `waiting` is the reply whose place it takes, or None for one more."""

    slot: int
    limit: int
    due_at: datetime.datetime
    waiting: Reply | None = None


def outlook(conversation: Conversation, now: datetime.datetime) -> Outlook:
    """Raises `ValidationError`, in words, where no reply can be written."""
    found, limit = _look(conversation, now), conversation.hotline.reply_limit
    if isinstance(found, Reply):
        return Outlook(found.slot, limit, max(found.due_at, now), found)
    return Outlook(found.reply.slot, limit, found.reply.due_at)


def is_offered(conversation: Conversation, now: datetime.datetime) -> bool:
    """Whether a page has the button: what `outlook` says, in one statement, but for a reply that is leaving now.

    `conversation` is as `states.state_of` wants it.
    """
    state = state_of(conversation, now)
    if state not in {"answered", "used_up", "limit"} or conversation.sender_sealed is None:
        return False
    if not may_send(conversation.hotline, tried=conversation.tester):
        return False
    waits = Exists(Reply.objects.filter(conversation=OuterRef("pk"), state__in=_UNSENT))
    unanswered = Exists(_unanswered(OuterRef("pk")).exclude(disposition=Disposition.NOT_ANSWERABLE))
    wanted = waits | unanswered if state == "answered" else waits
    return Conversation.objects.filter(wanted, pk=conversation.pk).exists()


def write(conversation: Conversation, text: str, language: str = "") -> Reply:
    """Have `text` sent; `language` is its tag, where that is known.

    Raises `ValidationError`, in words; then nothing is changed.
    """
    text = lint.normalized(text)
    lint.validate_text(text)
    succession.check_text(text, conversation.organization_id)
    now = timezone.now()
    # Before the transaction, as `datakeys.for_writing` asks.
    datakeys.for_writing(conversation.organization_id, datakeys.Purpose.TEXT, datakeys.month(now))
    with transaction.atomic():
        locked = Conversation.objects.select_for_update(of=("self",)).select_related("hotline__organization")
        row = locked.get(pk=conversation.pk)
        found = _look(row, now, lock=True)
        if isinstance(found, Reply):
            return _replaced(found, text, language, now)
        return _added(row, found, text, language, now)


@dataclass(frozen=True)
class _Next:
    """One more reply: to which message, and what the conversation's row says afterwards."""

    message: Message
    reply: PlannedReply
    standing: Standing
    limit_reached: bool


def _look(row: Conversation, now: datetime.datetime, *, lock: bool = False) -> Reply | _Next:
    """The reply that waits, or what one more would be."""
    _refuse(row, now)
    waiting = Reply.objects.filter(conversation=row, state__in=_UNSENT).order_by("slot", "pk")
    found = (waiting.select_for_update(of=("self",)) if lock else waiting).first()
    if found is not None:
        if found.state != ReplyState.PENDING:
            raise ValidationError(_("A reply is about to leave. Look again in a minute."), code="leaving")
        return found
    if row.blocked_until is not None and now < row.blocked_until:
        used = _("All replies of this episode are used. Unblock the sender first, if one more is right.")
        raise ValidationError(used, code="limit")
    message = _unanswered(row).order_by("-received_at", "-pk").first()
    if message is None:
        every = _("Every message has its reply. Another one can be written when the sender writes again.")
        raise ValidationError(every, code="answered")
    if message.disposition == Disposition.NOT_ANSWERABLE:
        raise ValidationError(_("Replies to this sender are never sent."), code="not answerable")
    standing = Standing(**{name: getattr(row, name) for name in _STANDING})
    decision = decide.by_hand(row.hotline.policy, standing, message.received_at, now)
    if decision.reply is None or decision.reply.slot > row.hotline.reply_limit:
        raise ValidationError(_("All replies of this episode are used."), code="limit")
    return _Next(message, decision.reply, decision.standing, decision.limit_reached)


def _unanswered(conversation: Any) -> QuerySet[Message]:
    """To which one more reply could be."""
    spoken = (Disposition.STOP, Disposition.STOPPED, Disposition.UNREADABLE)
    return Message.objects.filter(conversation=conversation, reply=None).exclude(disposition__in=spoken)


_STANDING = tuple(Standing.__dataclass_fields__)


def _refuse(row: Conversation, now: datetime.datetime) -> None:
    """What no reply may be written in spite of."""
    reason = silence(row, row.hotline, now, by_hand=True)
    if reason:
        words = {
            "stop": _("The sender wrote STOP: nothing more is sent."),
            "blocked by a person": _("This sender is blocked by a person. Unblock the sender first."),
        }
        raise ValidationError(words.get(reason, _("This number is not active: it sends nothing.")), code="silence")
    if row.sender_sealed is None:
        raise ValidationError(_("The sender’s number is erased: nothing can be sent."), code="erased")


def _sealed(text: str, reply: Reply, now: datetime.datetime) -> bytes:
    return vault.seal(text, reply.place, datakeys.Purpose.TEXT, datakeys.month(now))


def _replaced(reply: Reply, text: str, language: str, now: datetime.datetime) -> Reply:
    """It leaves when the one that waited was to leave."""
    reply.text_sealed, reply.by_hand, reply.language = _sealed(text, reply, now), True, language
    reply.save(update_fields=["text_sealed", "by_hand", "language"])
    return reply


def _added(row: Conversation, following: _Next, text: str, language: str, now: datetime.datetime) -> Reply:
    planned, after = following.reply, following.standing
    for name in _STANDING:
        setattr(row, name, getattr(after, name))
    row.save(update_fields=[*_STANDING])
    if following.limit_reached:
        Block.objects.create(
            organization_id=row.organization_id,
            conversation=row,
            cause=BlockCause.LIMIT,
            since=now,
            until=after.blocked_until,
            episode=after.episode,
        )
    reply = Reply(
        organization_id=row.organization_id,
        hotline_id=row.hotline_id,
        conversation=row,
        message=following.message,
        episode=planned.episode,
        slot=planned.slot,
        purpose=planned.purpose,
        delayed=planned.delayed,
        # A person chose whom she answers; nobody needs to judge it.
        suspicion="" if planned.slot == 1 else None,
        decided_at=now,
        due_at=planned.due_at,
        expires_at=Reply.expiry(planned.due_at),
        language=language,
        by_hand=True,
    )
    reply.text_sealed = _sealed(text, reply, now)
    reply.save()
    return reply
