"""receive(): one transaction from a verified request to what follows from it (DESIGN.md, "One message", step 3).

It touches rows of this sender only; nothing that all messages of a hotline share is written here, because one hot row
would put all webhooks of a raid in a queue behind each other's fsync (SECURITY.md 2.2).
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import hashlib
import logging
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from conversations import senders, sql
from conversations.models import Block, Conversation, Message, Reply
from conversations.words import BlockCause, Disposition, ReplyState
from privacy import datakeys, pseudonyms, vault
from providers.base import InboundMessage, Verification
from shield import answerable
from shield.decide import Decision, Incoming, Standing, decide, fresh
from shield.keywords import keyword

from .hooks import Hook, own_numbers

security_log = logging.getLogger("paravent.security")

_STANDING = tuple(field.name for field in dataclasses.fields(Standing))


class Receipt(enum.Enum):
    """What a delivery turned out to be; the webhook answers the first two alike."""

    STORED = enum.auto()
    DUPLICATE = enum.auto()
    NONCE_REUSED = enum.auto()


class _AlreadyThere(Exception):
    """Undo the transaction: the message, or its nonce, was stored before."""


@dataclass(frozen=True)
class _Envelope:
    """What is fixed before the transaction begins, so that nothing slow happens inside it."""

    message_uuid: uuid.UUID
    provider_id: str
    nonce_hash: bytes | None
    text_sealed: bytes | None


def receive(hook: Hook, message: InboundMessage, verification: Verification, chance: float | None = None) -> Receipt:
    """Store `message`, decide about it, and write the reply that follows. The same delivery again changes nothing.

    Raises database errors as they are: the caller must not acknowledge what was not stored.
    """
    now = message.received_at
    chance = secrets.randbelow(1 << 32) / (1 << 32) if chance is None else chance
    sender = senders.canonical(message.sender)
    incoming = Incoming(
        keyword=keyword(message.text),
        refusal=answerable.refusal(sender, hook.policy.countries, own_numbers()),
    )
    pseudonym = pseudonyms.current(hook.organization_id, sender, now)
    previous = pseudonyms.previous(hook.organization_id, sender, now)
    first = decide(hook.policy, fresh(now), incoming, now, chance)
    conversation_uuid = uuid.uuid4()
    envelope = _seal(hook, message, verification, now)
    values = {
        "uuid": conversation_uuid,
        "organization_id": hook.organization_id,
        "hotline_id": hook.hotline_id,
        "sender_key": pseudonym.key,
        "key_epoch": pseudonym.epoch,
        "sender_sealed": _seal_sender(hook, sender, conversation_uuid, now),
        "language": "",
        "messages_received": 1,
        "first_message_at": now,
        "last_message_at": now,
        **_columns(first.standing),
    }
    try:
        with transaction.atomic():
            if previous is not None:
                # A new epoch must not give a sender new slots: his row follows him under his new pseudonym.
                Conversation.objects.filter(hotline_id=hook.hotline_id, sender_key=previous.key).update(
                    sender_key=pseudonym.key, key_epoch=pseudonym.epoch
                )
            row = sql.count_message(values, previous.key if previous else None, now)
            created = row["uuid"] == conversation_uuid
            asked = dataclasses.replace(
                incoming, reply_waiting=row["reply_waiting"], blocked_everywhere=row["blocked_everywhere"]
            )
            stored = first.standing if created else Standing(**{name: row[name] for name in _STANDING})
            if created and not asked.blocked_everywhere:
                decision = first
            else:
                decision = decide(hook.policy, fresh(now) if created else stored, asked, now, chance)
            message_id = sql.insert_message(_message_values(hook, message, envelope, row["id"], decision, incoming))
            if message_id is None:
                raise _AlreadyThere
            changes = _columns(decision.standing) if decision.standing != stored else {}
            if row["sender_erased"]:
                changes["sender_sealed"] = _seal_sender(hook, sender, row["uuid"], now)
            if changes:
                Conversation.objects.filter(pk=row["id"]).update(**changes)
            _follow(hook, decision, row["id"], message_id, now)
    except _AlreadyThere:
        return _told_apart(hook, envelope.provider_id)
    return Receipt.STORED


def keep_unreadable(
    hook: Hook, body: bytes, reason: str, verification: Verification, now: datetime.datetime
) -> Receipt:
    """Keep a signed request that is no message we can use; its body is sealed as it came."""
    message_uuid = uuid.uuid4()
    provider_id = "unreadable:" + pseudonyms.fingerprint(hook.organization_id, body).hex()
    place = vault.Place(Message._meta.db_table, message_uuid, "text_sealed", hook.organization_id)
    written = body.decode("utf-8", "backslashreplace")
    stored = sql.insert_message(
        {
            "uuid": message_uuid,
            "organization_id": hook.organization_id,
            "hotline_id": hook.hotline_id,
            "account_id": hook.account_id,
            "conversation_id": None,
            "provider_id": provider_id,
            "nonce_hash": nonce_hash(verification),
            "disposition": Disposition.UNREADABLE.value,
            "reason": reason[:120],
            "text_sealed": vault.seal(written, place, datakeys.Purpose.TEXT, datakeys.month(now)),
            "units": 1,
            "cost": None,
            "received_at": now,
        }
    )
    return Receipt.STORED if stored is not None else _told_apart(hook, provider_id)


def addressed_to(hook: Hook, message: InboundMessage) -> bool:
    """Whether the message was sent to this hotline's number (SECURITY.md W4)."""
    return senders.same_number(message.recipient, hook.number)


def nonce_hash(verification: Verification) -> bytes | None:
    """What `UNIQUE(account, nonce)` holds; None for a provider without nonces."""
    return hashlib.sha256(verification.nonce.encode()).digest()[:16] if verification.nonce else None


def _seal(hook: Hook, message: InboundMessage, verification: Verification, now: datetime.datetime) -> _Envelope:
    message_uuid = uuid.uuid4()
    place = vault.Place(Message._meta.db_table, message_uuid, "text_sealed", hook.organization_id)
    return _Envelope(
        message_uuid,
        # Ids longer than the column, and none was ever seen, are kept as what tells them apart.
        message.id if len(message.id) <= 64 else hashlib.sha256(message.id.encode("utf-8", "replace")).hexdigest(),
        nonce_hash(verification),
        vault.seal(message.text, place, datakeys.Purpose.TEXT, datakeys.month(now)) if message.text else None,
    )


def _seal_sender(hook: Hook, sender: str, conversation_uuid: uuid.UUID, now: datetime.datetime) -> bytes:
    place = vault.Place(Conversation._meta.db_table, conversation_uuid, "sender_sealed", hook.organization_id)
    return vault.seal(sender, place, datakeys.Purpose.NUMBER, datakeys.month(now))


def _columns(standing: Standing) -> dict[str, Any]:
    return {name: getattr(standing, name) for name in _STANDING}


def _message_values(
    hook: Hook,
    message: InboundMessage,
    envelope: _Envelope,
    conversation_id: int,
    decision: Decision,
    incoming: Incoming,
) -> dict[str, Any]:
    return {
        "uuid": envelope.message_uuid,
        "organization_id": hook.organization_id,
        "hotline_id": hook.hotline_id,
        "account_id": hook.account_id,
        "conversation_id": conversation_id,
        "provider_id": envelope.provider_id,
        "nonce_hash": envelope.nonce_hash,
        "disposition": decision.disposition.value,
        "reason": incoming.refusal if decision.disposition == Disposition.NOT_ANSWERABLE else "",
        "text_sealed": envelope.text_sealed if decision.keep_content else None,
        "units": message.units,
        "cost": message.cost,
        "received_at": message.received_at,
    }


def _follow(hook: Hook, decision: Decision, conversation_id: int, message_id: int, now: datetime.datetime) -> None:
    """Write what the decision asks for beside the two rows."""
    if decision.drop_waiting:
        Reply.objects.filter(conversation_id=conversation_id, state__in=Reply.WAITING).update(
            state=ReplyState.DROPPED, detail="stop", finished_at=now
        )
    if decision.disposition == Disposition.STOP:
        _record_block(hook, conversation_id, BlockCause.STOP, now)
    if decision.limit_reached:
        _record_block(
            hook,
            conversation_id,
            BlockCause.LIMIT,
            now,
            until=decision.standing.blocked_until,
            episode=decision.standing.episode,
        )
    if decision.reply is not None:
        Reply.objects.create(
            organization_id=hook.organization_id,
            hotline_id=hook.hotline_id,
            conversation_id=conversation_id,
            message_id=message_id,
            episode=decision.reply.episode,
            slot=decision.reply.slot,
            purpose=decision.reply.purpose,
            delayed=decision.reply.delayed,
            decided_at=now,
            due_at=decision.reply.due_at,
            expires_at=decision.reply.due_at + datetime.timedelta(hours=settings.REPLY_EXPIRY_HOURS),
        )


def _record_block(hook: Hook, conversation_id: int, cause: BlockCause, now: datetime.datetime, **fields: Any) -> None:
    Block.objects.create(
        organization_id=hook.organization_id, conversation_id=conversation_id, cause=cause, since=now, **fields
    )


def _told_apart(hook: Hook, provider_id: str) -> Receipt:
    """Nothing was written: was it this message again, or another one under a nonce that was used (W2)?"""
    if Message.objects.filter(hotline_id=hook.hotline_id, provider_id=provider_id).exists():
        return Receipt.DUPLICATE
    security_log.warning("nonce used twice on hotline %s: refused", hook.hotline_id)
    return Receipt.NONCE_REUSED
