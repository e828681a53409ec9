"""Blocking and unblocking by a person. The limit and STOP block by themselves, in `inbox.receive`.

Block rows are the record: who, why, since, until, and who lifted it. A conversation's `blocked_until` and
`block_cause` repeat what stands for it, because deciding about a message reads that one row. A block on all numbers
is not repeated there: it also holds where the sender never wrote, and the same look-up serves both.
"""

from __future__ import annotations

import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from privacy import pseudonyms, vault

from .models import Block, Conversation, Reply
from .words import BlockCause, ReplyState

#: What "until a person lifts it" is in a column that holds a moment.
FOREVER = datetime.datetime(3000, 1, 1, tzinfo=datetime.UTC)

#: Why a waiting reply was dropped; `outbox.release` uses the same words.
_DROPPED = "blocked by a person"


def standing(now: datetime.datetime) -> Q:
    """Blocks that hold at `now`."""
    return Q(lifted_at__isnull=True) & (Q(until__isnull=True) | Q(until__gt=now))


def block_conversation(
    conversation: Conversation, author: Any, reason: str, until: datetime.datetime | None = None
) -> Block:
    """No longer answer this sender on this hotline, until `until` or until a person lifts it.

    Replies that wait are dropped; one that is being sent is on its way. Raises `ValidationError`, in words.
    """
    now = timezone.now()
    _check(reason, until, now)
    with transaction.atomic():
        row = _locked(conversation)
        older = Block.objects.filter(standing(now), conversation=row, cause=BlockCause.PERSON)
        older.update(lifted_at=now, lifted_by=author, lifted_reason=_("replaced by a newer block"))
        block = Block.objects.create(
            organization_id=row.organization_id,
            conversation=row,
            cause=BlockCause.PERSON,
            reason=reason,
            author=author,
            since=now,
            until=until,
        )
        _write_standing(row, now)
        _drop_waiting(Reply.objects.filter(conversation=row), now)
    return block


def block_everywhere(
    conversation: Conversation, author: Any, reason: str, until: datetime.datetime | None = None
) -> Block:
    """No longer answer this sender on any hotline of the organization, also where he never wrote.

    Replies that wait for him anywhere are dropped. Raises `ValidationError`, in words.
    """
    now = timezone.now()
    _check(reason, until, now)
    keys = sender_keys(conversation, now)
    with transaction.atomic():
        row = _locked(conversation)
        older = Block.objects.filter(
            organization=row.organization_id, conversation__isnull=True, sender_key__in=keys, lifted_at__isnull=True
        )
        older.update(lifted_at=now, lifted_by=author, lifted_reason=_("replaced by a newer block"))
        block = Block.objects.create(
            organization_id=row.organization_id,
            sender_key=bytes(row.sender_key),
            cause=BlockCause.PERSON,
            reason=reason,
            author=author,
            since=now,
            until=until,
        )
        _drop_waiting(
            Reply.objects.filter(conversation__organization=row.organization_id, conversation__sender_key__in=keys),
            now,
        )
    return block


def unblock(conversation: Conversation, author: Any, reason: str) -> None:
    """Answer this sender again: lift every block that concerns him here, and begin a new episode.

    A block on all numbers is lifted with it. A sender who wrote STOP is never answered again, whoever wishes it.
    Raises `ValidationError`, in words.
    """
    now = timezone.now()
    _check(reason, None, now)
    keys = sender_keys(conversation, now)
    with transaction.atomic():
        row = _locked(conversation)
        if row.opted_out_at is not None:
            raise ValidationError(_("This sender wrote STOP. Nobody else can undo that."), code="stop")
        found = Block.objects.filter(
            standing(now), Q(conversation=row) | Q(sender_key__in=keys), organization=row.organization_id
        )
        lifted = found.update(lifted_at=now, lifted_by=author, lifted_reason=reason)
        blocked = row.blocked_until is not None and row.blocked_until > now
        if not lifted and not blocked and row.slots_used < row.hotline.reply_limit:
            raise ValidationError(_("This sender is not blocked."), code="not_blocked")
        _begin_episode(row, now)


def lift(block: Block, author: Any, reason: str) -> None:
    """End one block. Where no other stands for its conversation, that begins a new episode, so that he is answered.

    Raises `ValidationError`, in words, for a STOP and for a block that is past.
    """
    now = timezone.now()
    _check(reason, None, now)
    if block.cause == BlockCause.STOP:
        raise ValidationError(_("This sender wrote STOP. Nobody else can undo that."), code="stop")
    with transaction.atomic():
        row = _locked(block.conversation) if block.conversation else None
        if not Block.objects.filter(standing(now), pk=block.pk).update(
            lifted_at=now, lifted_by=author, lifted_reason=reason
        ):
            raise ValidationError(_("This block is already past."), code="past")
        if row is not None and not _write_standing(row, now):
            _begin_episode(row, now)


def everywhere(conversation: Conversation, now: datetime.datetime) -> QuerySet[Block]:
    """The blocks on all numbers that hold for this sender at `now`."""
    return Block.objects.filter(
        standing(now),
        organization=conversation.organization_id,
        conversation__isnull=True,
        sender_key__in=sender_keys(conversation, now),
    )


def sender_keys(conversation: Conversation, now: datetime.datetime) -> set[bytes]:
    """The pseudonyms under which this sender's rows may stand: the conversation's, and those of the current and the
    last half-year where his number is still known.
    """
    keys = {bytes(conversation.sender_key)}
    try:
        sender = conversation.sender
    except vault.Unreadable:
        sender = None
    if sender:
        keys |= pseudonyms.keys_of(conversation.organization_id, sender, now)
    return keys


def _check(reason: str, until: datetime.datetime | None, now: datetime.datetime) -> None:
    if not reason.strip():
        raise ValidationError(_("Say why; your colleagues will want to know."), code="reason")
    if until is not None and until <= now:
        raise ValidationError(_("The end of the block lies in the past."), code="until")


def _locked(conversation: Conversation) -> Conversation:
    """The row that `inbox.receive` locks too: no message is decided while a block is being written."""
    return Conversation.objects.select_for_update().get(pk=conversation.pk)


def _write_standing(row: Conversation, now: datetime.datetime) -> bool:
    """Write the longest standing block into the conversation; whether there is one. A person's names the cause."""
    blocks = Block.objects.filter(standing(now), conversation=row, cause__in=[BlockCause.LIMIT, BlockCause.PERSON])
    found = list(blocks.values_list("cause", "until"))
    until = max((end or FOREVER for _cause, end in found), default=None)
    cause = BlockCause.PERSON if any(name == BlockCause.PERSON for name, _end in found) else BlockCause.LIMIT
    Conversation.objects.filter(pk=row.pk).update(blocked_until=until, block_cause=cause if found else "")
    return bool(found)


def _begin_episode(row: Conversation, now: datetime.datetime) -> None:
    Conversation.objects.filter(pk=row.pk).update(
        blocked_until=None,
        block_cause="",
        episode=row.episode + 1,
        episode_started_at=now,
        slots_used=0,
        reply_due_at=None,
    )


def _drop_waiting(replies: QuerySet[Reply], now: datetime.datetime) -> None:
    replies.filter(state__in=Reply.WAITING).update(state=ReplyState.DROPPED, detail=_DROPPED, finished_at=now)
