"""What a rehearsal found out: figures alone, from the outside of what was rehearsed. Pure."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bill:
    """What was sent, and what it costs at the hotline's price. Money in millionths of the currency."""

    replies: int
    replies_to_raid: int
    micros: int


@dataclass(frozen=True)
class Change:
    """The hotline went to another level at `at`; `why` is what its people are told."""

    at: datetime.datetime
    before: str
    after: str
    why: str


@dataclass(frozen=True)
class Hour:
    """What came and what left in the hour that begins at `at`; `micros` is what its replies cost."""

    at: datetime.datetime
    genuine_messages: int
    raid_messages: int
    genuine_replies: int
    raid_replies: int
    micros: int


@dataclass(frozen=True)
class Day:
    """A day (UTC), what its replies cost, and the budget that it had."""

    at: datetime.datetime
    micros: int
    cap_micros: int


@dataclass(frozen=True)
class Result:
    """Of one replayed trace; the warm-up before it is in none of the figures. Durations in seconds."""

    trace: str
    seed: int
    starts_at: datetime.datetime
    ends_at: datetime.datetime
    messages: int
    genuine_senders: int
    raid_senders: int
    with_shield: Bill
    #: Computed: each sender answered up to the hotline's limit, at once.
    without_shield: Bill
    inbound_micros: int
    #: Messages that did not arrive, because the budget for what is received was spent and the number disconnected.
    undelivered: int
    #: Genuine senders whose first message was answered within a day, and within an hour of when its reply was due.
    served_in_a_day: int
    served_in_an_hour: int
    #: Of each genuine sender who was answered, in ascending order: from when his first reply was due until it left.
    delays: Sequence[float]
    blocks: int
    #: Genuine senders who were blocked before they had all their replies.
    false_blocks: int
    #: From the first message of the raid until its level was raised to "raid"; None where it never was.
    noticed_after: float | None
    #: How often the level was raised to "raid" while no raid was under way.
    false_alarms: int
    changes: Sequence[Change]
    hours: Sequence[Hour]
    days: Sequence[Day]
    #: What the detector held in memory, at most.
    detector_bytes: int
    #: The 99th percentile of the time that judging one sender took.
    judging_seconds: float


def quantile(ascending: Sequence[float], portion: float) -> float | None:
    """The smallest of the values that `portion` of them do not exceed; None where there is none."""
    return ascending[max(math.ceil(portion * len(ascending)) - 1, 0)] if ascending else None
