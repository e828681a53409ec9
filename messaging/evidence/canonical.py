"""What a message is for the chain: bytes that anybody can make again, and the hashes over them (SECURITY.md 4.7).

    sender_commit = SHA-256(sender salt | sender), in the event
    commit = SHA-256(salt | event)          chain = SHA-256(chain before | commit | received_at | provider_hash)

The chain holds commitments and not texts: when a text is erased with its salt, the chain can still be recomputed, and
nobody can try out which text it was. A number is erased before the text or after it, so it has a salt of its own.
`verify.py` has the same in ten lines.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from typing import Any
from uuid import UUID

SALT_BYTES = 32
_VERSION = 1


def canonical(value: dict[str, Any]) -> bytes:
    """JSON with sorted names, without spaces, in UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def moment(at: datetime.datetime) -> str:
    """`2026-11-29T23:31:09.000000+00:00`, always with microseconds and in UTC."""
    return at.astimezone(datetime.UTC).isoformat(timespec="microseconds")


def event(
    *,
    hotline: UUID,
    message: UUID,
    received_at: datetime.datetime,
    channel: str,
    provider: str,
    provider_id: str,
    disposition: str,
    sender_commit: bytes | None,
    text: str | None,
) -> dict[str, Any]:
    """What is committed to: everything that is known of a message at reception."""
    return {
        "v": _VERSION,
        "hotline": str(hotline),
        "message": str(message),
        "received_at": moment(received_at),
        "channel": channel,
        "provider": provider,
        "provider_id": provider_id,
        "disposition": disposition,
        "sender_commit": None if sender_commit is None else sender_commit.hex(),
        "text": text,
    }


def commit_sender(salt: bytes, sender: str) -> bytes:
    return hashlib.sha256(salt + sender.encode("utf-8", "replace")).digest()


def commit(salt: bytes, committed: dict[str, Any]) -> bytes:
    return hashlib.sha256(salt + canonical(committed)).digest()


def provider_hash(provider_id: str) -> bytes:
    return hashlib.sha256(provider_id.encode("utf-8", "replace")).digest()


def genesis(hotline: UUID) -> bytes:
    """What stands before the first link of a hotline."""
    return hashlib.sha256(f"paravent chain {hotline}".encode()).digest()


def step(before: bytes, committed: bytes, received_at: datetime.datetime, provider: bytes) -> bytes:
    """The next chain value."""
    return hashlib.sha256(before + committed + moment(received_at).encode() + provider).digest()
