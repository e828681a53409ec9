"""Texts that are for Paravent itself and not for the person behind the number: stored as such, and never answered.

An app above this one adds what it understands; `receive` asks before it decides.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from .hooks import Hook


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
