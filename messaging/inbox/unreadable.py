"""A signed request that we can make nothing of is kept as it came: a person may."""

from __future__ import annotations

import datetime
import uuid

from conversations import sql
from conversations.words import Disposition
from privacy import pseudonyms
from providers.base import Verification

from . import rows
from .hooks import Hook
from .receipts import Receipt, told_apart


def keep(hook: Hook, body: bytes, reason: str, verification: Verification, now: datetime.datetime) -> Receipt:
    """Keep a signed request that is no message we can use; its body is sealed as it came."""
    message_uuid = uuid.uuid4()
    provider_id = "unreadable:" + pseudonyms.fingerprint(hook.organization_id, body).hex()
    stored = sql.insert_message(
        {
            "uuid": message_uuid,
            "organization_id": hook.organization_id,
            "hotline_id": hook.hotline_id,
            "account_id": hook.account_id,
            "conversation_id": None,
            "provider_id": provider_id,
            "nonce_hash": rows.nonce_hash(verification),
            "disposition": Disposition.UNREADABLE.value,
            "reason": reason[:120],
            "text_sealed": rows.seal_text(hook, body.decode("utf-8", "backslashreplace"), message_uuid, now),
            "units": 1,
            "cost": None,
            "received_at": now,
        }
    )
    if stored is not None:
        return Receipt.STORED
    return told_apart(hook, provider_id, rows.nonce_hash(verification)) or Receipt.DUPLICATE
