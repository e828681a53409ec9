"""Texts that are for Paravent itself and not for the person behind the number: stored as such, and never answered.

An app above this one adds what it understands; `receive` asks before it decides.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from conversations import sql
from conversations.words import Disposition
from providers.base import InboundMessage

from .hooks import Hook
from .receipts import Receipt, told_apart


@dataclass(frozen=True)
class Instruction:
    """`recognizes` is asked for every text that comes and must cost next to nothing; `carry_out` writes its rows.

    `carry_out` gets the hook, the text, the canonical sender and the moment of receipt, in the transaction that has
    stored the message's row. False means that it was none after all: the text is a message like any other.
    """

    recognizes: Callable[[str], bool]
    carry_out: Callable[[Hook, str, str, datetime.datetime], bool]


_known: list[Instruction] = []


def add(instruction: Instruction) -> None:
    """Have `receive` ask it. For `ready()` of an app that stands above this one."""
    _known.append(instruction)


def find(text: str) -> Instruction | None:
    """What understands `text`, or None."""
    return next((known for known in _known if known.recognizes(text)), None)


class _None(Exception):
    """It looked like one. Its row is taken back."""


def take(told: Instruction, hook: Hook, message: InboundMessage, sender: str, row: sql.Values) -> Receipt | None:
    """Carry out what the text asks of Paravent itself; None when it is a message like any other."""
    values = row | {"disposition": Disposition.INSTRUCTION, "reason": "", "conversation_id": None, "text_sealed": None}
    try:
        with transaction.atomic():
            if sql.insert_message(values) is None:
                return told_apart(hook, row["provider_id"], row["nonce_hash"])
            if not told.carry_out(hook, message.text, sender, message.received_at):
                raise _None
    except _None:
        return None
    return Receipt.STORED
