"""What became of a request, and whether one that wrote nothing was there before."""

from __future__ import annotations

import enum
import logging

from django.db.models import QuerySet

from conversations.models import Message
from conversations.words import Disposition

from .hooks import Hook

security_log = logging.getLogger("paravent.security")


class Receipt(enum.Enum):
    """What a delivery turned out to be; the webhook answers the first two alike."""

    STORED = enum.auto()
    DUPLICATE = enum.auto()
    NONCE_REUSED = enum.auto()


def row_of_missed(hook: Hook, provider_id: str) -> QuerySet[Message]:
    """The row by which `reconcile` counted this message before it came after all."""
    return Message.objects.filter(
        hotline_id=hook.hotline_id, provider_id=provider_id, disposition=Disposition.MISSED.value
    )


def told_apart(hook: Hook, provider_id: str, nonce: bytes | None) -> Receipt | None:
    """Nothing was written: was it this message again, or another one under a nonce that was used (W2)?"""
    same = Message.objects.filter(hotline_id=hook.hotline_id, provider_id=provider_id)
    if same.exclude(disposition=Disposition.MISSED).exists():
        return Receipt.DUPLICATE
    if nonce is None or not Message.objects.filter(account_id=hook.account_id, nonce_hash=nonce).exists():
        return None
    security_log.warning("nonce used twice on hotline %s: refused", hook.hotline_id)
    return Receipt.NONCE_REUSED
