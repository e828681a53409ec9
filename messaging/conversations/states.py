"""How a conversation stands, in one word: whether its sender is answered, and if not, why."""

from __future__ import annotations

import datetime
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy

from . import blocks
from .models import Block
from .words import BlockCause

STATES: Any = {
    "answered": gettext_lazy("is answered"),
    "used_up": gettext_lazy("replies used up"),
    "limit": gettext_lazy("blocked: reply limit"),
    "person": gettext_lazy("blocked by a person"),
    "everywhere": gettext_lazy("blocked on all numbers"),
    "stop": gettext_lazy("wrote STOP"),
}
COLOURS = {
    "answered": "success",
    "used_up": "info",
    "limit": "warning",
    "person": "danger",
    "everywhere": "danger",
    "stop": "info",
}


def everywhere(now: datetime.datetime) -> Exists:
    """Whether the sender of a conversation is blocked on all numbers of its organization."""
    return Exists(
        Block.objects.filter(
            blocks.standing(now),
            conversation__isnull=True,
            organization=OuterRef("organization"),
            sender_key=OuterRef("sender_key"),
        )
    )


def state_of(conversation: Any, now: datetime.datetime) -> str:
    """A key of `STATES`. `conversation` carries the annotation `is_blocked_everywhere`."""
    if conversation.opted_out_at is not None:
        return "stop"
    if conversation.is_blocked_everywhere:
        return "everywhere"
    if conversation.blocked_until is not None and conversation.blocked_until > now:
        return "person" if conversation.block_cause == BlockCause.PERSON else "limit"
    return "used_up" if conversation.slots_used >= conversation.hotline.reply_limit else "answered"
