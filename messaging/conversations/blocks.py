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
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from privacy import datakeys, pseudonyms, vault

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
    block = _everywhere(
        conversation.organization_id, vault.read_or_none(conversation, "sender"), author, reason, until, now
    )
    with transaction.atomic():
        row = _locked(conversation)
        # Under the name that his rows bear: they follow him into a new half-year together.
        block.sender_key, block.key_epoch = bytes(row.sender_key), row.key_epoch
        _write_everywhere(block, keys, now)
    return block


def block_sender(
    organization_id: int, sender: str, author: Any, reason: str, until: datetime.datetime | None = None
) -> Block | None:
    """No longer answer `sender` (canonical) on any hotline of the organization; he may never have written.

    None where a block on all numbers stands for him already that ends no earlier. Raises `ValidationError`, in words.
    """
    now = timezone.now()
    _check(reason, until, now)
    keys = pseudonyms.keys_of(organization_id, sender, now)
    block = _everywhere(organization_id, sender, author, reason, until, now)
    with transaction.atomic():
        stands = Block.objects.filter(
            standing(now), organization=organization_id, conversation__isnull=True, sender_key__in=keys
        )
        if any(end is None or (until is not None and end >= until) for end in stands.values_list("until", flat=True)):
            return None
        _write_everywhere(block, keys, now)
    return block


def sender_of(block: Block) -> str | None:
    """The canonical sender of a block on all numbers, or None where he is not known any more."""
    try:
        return vault.unseal(block.sender_sealed, _place(block)) if block.sender_sealed else None
    except vault.Unreadable:
        return None


def _place(block: Block) -> vault.Place:
    return vault.Place(Block._meta.db_table, block.uuid, "sender_sealed", block.organization_id)


def _everywhere(
    organization_id: int,
    sender: str | None,
    author: Any,
    reason: str,
    until: datetime.datetime | None,
    now: datetime.datetime,
) -> Block:
    """A block that is not written yet; its keys are made before the transaction, as `datakeys.for_writing` asks."""
    block = Block(
        organization_id=organization_id, cause=BlockCause.PERSON, reason=reason, author=author, since=now, until=until
    )
    if sender is not None:
        _name(block, sender, now)
    return block


def _name(block: Block, sender: str, now: datetime.datetime) -> None:
    """Say whom a block on all numbers concerns, by the pseudonym of today."""
    pseudonym = pseudonyms.current(block.organization_id, sender, now)
    block.sender_key, block.key_epoch = pseudonym.key, pseudonym.epoch
    block.sender_sealed = vault.seal(sender, _place(block), datakeys.Purpose.NUMBER, datakeys.month(now))


def _write_everywhere(block: Block, keys: set[bytes], now: datetime.datetime) -> None:
    """Write it in the place of what stood for the same sender, and drop what waits for him."""
    older = Block.objects.filter(
        organization=block.organization_id, conversation__isnull=True, sender_key__in=keys, lifted_at__isnull=True
    )
    older.update(lifted_at=now, lifted_by=block.author, lifted_reason=_("replaced by a newer block"))
    block.save()
    his = Reply.objects.filter(conversation__organization=block.organization_id, conversation__sender_key__in=keys)
    _drop_waiting(his, now)


def follow_half_year(now: datetime.datetime) -> int:
    """Put blocks on all numbers under the pseudonyms of the half-year of `now`; returns how many.

    Or a sender who writes nothing for a year would find himself forgotten, and be answered.
    """
    epoch = datakeys.half_year(now)
    old = Block.objects.filter(standing(now), conversation__isnull=True, sender_sealed__isnull=False)
    followed = 0
    for block in old.exclude(key_epoch__gte=epoch).order_by("pk"):
        sender = sender_of(block)
        if sender is None:
            continue
        before = bytes(block.sender_key or b"")
        _name(block, sender, now)
        name = {"sender_key": block.sender_key, "key_epoch": block.key_epoch}
        mine = Block.objects.filter(organization=block.organization_id, conversation__isnull=True, lifted_at=None)
        his = Conversation.objects.filter(organization=block.organization_id)
        with transaction.atomic():
            # Unless his next message was quicker: then they bear the new name already.
            there = his.filter(hotline=OuterRef("hotline"), sender_key=block.sender_key)
            his.filter(~Exists(there), sender_key=before).update(**name)
            standing_now = mine.filter(sender_key=block.sender_key)
            followed += mine.filter(~Exists(standing_now), pk=block.pk).update(
                **name, sender_sealed=block.sender_sealed
            )
    return followed


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
    if sender := vault.read_or_none(conversation, "sender"):
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
