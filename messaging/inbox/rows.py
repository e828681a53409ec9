"""What a request leaves in our rows, whatever is decided about it: ids, nonces, sealed texts and numbers."""

from __future__ import annotations

import datetime
import decimal
import hashlib
import uuid
from typing import Any

from conversations import senders, sql
from conversations.models import Conversation, Message
from privacy import datakeys, vault
from providers.base import InboundMessage, Verification

from .hooks import Hook


def message_row(hook: Hook, message: InboundMessage, verification: Verification) -> sql.Values:
    """The row to insert, less what is decided and what only an unblocked sender's message keeps."""
    return {
        "uuid": uuid.uuid4(),
        "organization_id": hook.organization_id,
        "hotline_id": hook.hotline_id,
        "account_id": hook.account_id,
        "provider_id": stored_id(message.id),
        "nonce_hash": nonce_hash(verification),
        "units": message.units,
        "cost": message.cost,
        "received_at": message.received_at,
    }


def packed(row: sql.Values) -> list[Any]:
    """The row of a blocked sender's message, less its moment, as JSON can hold it."""
    nonce, cost = row["nonce_hash"], row["cost"]
    return [
        row["uuid"].hex,
        row["organization_id"],
        row["hotline_id"],
        row["account_id"],
        row["provider_id"],
        nonce and nonce.hex(),
        row["units"],
        None if cost is None else str(cost),
        row["sender_key"].hex(),
    ]


def unpacked(values: list[Any], received_at: datetime.datetime) -> sql.Values:
    """The inverse of `packed`."""
    message_uuid, organization_id, hotline_id, account_id, provider_id, nonce, units, cost, sender_key = values
    return {
        "uuid": uuid.UUID(hex=message_uuid),
        "organization_id": organization_id,
        "hotline_id": hotline_id,
        "account_id": account_id,
        "provider_id": provider_id,
        "nonce_hash": nonce and bytes.fromhex(nonce),
        "units": units,
        "cost": None if cost is None else decimal.Decimal(cost),
        "received_at": received_at,
        "sender_key": bytes.fromhex(sender_key),
    }


def addressed_to(hook: Hook, message: InboundMessage) -> bool:
    """Whether the message was sent to this hotline's number (SECURITY.md W4).

    Where the provider does not say to which, its address says it: its token is the hotline's alone.
    """
    if message.recipient is None:
        return True
    home = hook.number if message.national else ""
    return senders.canonical(message.recipient, home) == senders.canonical(hook.number)


def sender_of(hook: Hook, message: InboundMessage) -> str:
    """The canonical sender."""
    return senders.canonical(message.sender, hook.number if message.national else "")


def nonce_hash(verification: Verification) -> bytes | None:
    """What `UNIQUE(account, nonce)` holds; None for a provider without nonces."""
    return hashlib.sha256(verification.nonce.encode()).digest()[:16] if verification.nonce else None


def stored_id(provider_id: str) -> str:
    """A provider's id as the column holds it: a longer one, and none was ever seen, as what tells it apart."""
    return provider_id if len(provider_id) <= 64 else _digest(provider_id)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


def seal_text(hook: Hook, text: str, message_uuid: uuid.UUID, now: datetime.datetime) -> bytes:
    place = vault.Place(Message._meta.db_table, message_uuid, "text_sealed", hook.organization_id)
    return vault.seal(text, place, datakeys.Purpose.TEXT, datakeys.month(now))


def seal_sender(hook: Hook, sender: str, conversation_uuid: uuid.UUID, now: datetime.datetime) -> bytes:
    place = vault.Place(Conversation._meta.db_table, conversation_uuid, "sender_sealed", hook.organization_id)
    return vault.seal(sender, place, datakeys.Purpose.NUMBER, datakeys.month(now))
