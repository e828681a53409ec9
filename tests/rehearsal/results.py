"""Results as a rehearsal could have them, for what reports on them; nothing was rehearsed."""

from __future__ import annotations

import dataclasses
import datetime
import random
from typing import Any

from rehearsal.result import Bill, Change, Day, Hour, Result

START = datetime.datetime(2017, 10, 27, 16, tzinfo=datetime.UTC)
HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)
#: Of a reply of one segment, and of a message received, in millionths: the prices of 2017.
REPLY, MESSAGE = 76_300, 7_500
CAP = 50_000_000


def result(**changes: Any) -> Result:
    """A quiet three days; `changes` to any of its fields."""
    hours = [_hour(number, random.Random(number), raid=False) for number in range(72)]
    served = sum(hour.genuine_messages for hour in hours)
    bill = Bill(replies=served, replies_to_raid=0, micros=served * REPLY)
    quiet = Result(
        trace="quiet",
        seed=1,
        starts_at=START,
        ends_at=START + 72 * HOUR,
        messages=served,
        genuine_senders=served,
        raid_senders=0,
        with_shield=bill,
        without_shield=bill,
        inbound_micros=served * MESSAGE,
        undelivered=0,
        served_in_a_day=served,
        served_in_an_hour=served,
        delays=sorted(random.Random(0).uniform(0.2, 3.0) for _ in range(served)),
        blocks=3,
        false_blocks=0,
        noticed_after=None,
        false_alarms=0,
        changes=[],
        hours=hours,
        days=_days(hours),
        detector_bytes=2_400_000,
        judging_seconds=0.00041,
    )
    return dataclasses.replace(quiet, **changes)


def raid(seed: int = 1, **changes: Any) -> Result:
    """Three days with three waves of copied texts from 50,000 numbers; `changes` to any field."""
    dice = random.Random(seed)
    hours = [
        _hour(number, dice, raid=any(first <= number < first + 4 for first in (24, 48, 66))) for number in range(72)
    ]
    genuine = sum(hour.genuine_messages for hour in hours)
    replies = sum(hour.genuine_replies + hour.raid_replies for hour in hours)
    to_raid = sum(hour.raid_replies for hour in hours)
    came = sum(hour.raid_messages for hour in hours)
    waves = [START + number * HOUR for number in (24, 48, 66)]
    stages = [
        (waves[0] + datetime.timedelta(seconds=40), "normal", "watch", "12 times as many new senders as usual"),
        (
            waves[0] + datetime.timedelta(seconds=100),
            "watch",
            "raid",
            "the same text from 214 numbers within 3 minutes",
        ),
        (waves[0] + 5 * HOUR, "raid", "watch", "an hour without copied texts"),
        (waves[0] + 9 * HOUR, "watch", "normal", "as many new senders as usual"),
        (waves[1] + datetime.timedelta(seconds=70), "normal", "raid", "a text of the last raid came back"),
        (waves[1] + 3 * HOUR, "raid", "silent", "the budget for messages received is used up"),
        (waves[1] + 8 * HOUR, "silent", "watch", "a new day with a new budget"),
        (waves[2] + datetime.timedelta(seconds=30), "watch", "raid", "a text of the last raid came back"),
    ]
    happened = result(
        trace="copy",
        seed=seed,
        messages=genuine + came,
        genuine_senders=genuine,
        raid_senders=50_000,
        with_shield=Bill(replies=replies, replies_to_raid=to_raid, micros=replies * REPLY),
        without_shield=Bill(replies=genuine + came, replies_to_raid=came, micros=(genuine + came) * REPLY),
        inbound_micros=(genuine + came) * MESSAGE,
        undelivered=0,
        served_in_a_day=genuine - 1,
        served_in_an_hour=genuine - 27,
        delays=sorted([dice.lognormvariate(0.5, 1.0) for _ in range(genuine - 41)] + [90.0 * n for n in range(40)]),
        blocks=1_874,
        noticed_after=100.0,
        changes=[Change(*stage) for stage in stages],
        hours=hours,
        days=_days(hours),
        detector_bytes=38_200_000,
        judging_seconds=0.00083,
    )
    return dataclasses.replace(happened, **changes)


def empty(**changes: Any) -> Result:
    """Nobody wrote, for no time at all."""
    nothing = {
        "trace": "empty",
        "ends_at": START,
        "messages": 0,
        "genuine_senders": 0,
        "with_shield": Bill(0, 0, 0),
        "without_shield": Bill(0, 0, 0),
        "inbound_micros": 0,
        "undelivered": 0,
        "served_in_a_day": 0,
        "served_in_an_hour": 0,
        "delays": [],
        "blocks": 0,
        "hours": [],
        "days": [],
        "detector_bytes": 0,
        "judging_seconds": 0.0,
    }
    return result(**{**nothing, **changes})


def _hour(number: int, dice: random.Random, *, raid: bool) -> Hour:
    at = START + number * HOUR
    busy = 2 if 2 <= at.hour < 9 else 22
    genuine = dice.randint(busy // 2, busy)
    came = dice.randint(3_000, 14_000) if raid else 0
    answered = dice.randint(20, 75) if raid else 0
    return Hour(at, genuine, came, genuine, answered, (genuine + answered) * REPLY)


def _days(hours: list[Hour]) -> list[Day]:
    sums: dict[datetime.datetime, int] = {}
    for hour in hours:
        midnight = hour.at.replace(hour=0)
        sums[midnight] = sums.get(midnight, 0) + hour.micros
    return [Day(at, micros, CAP) for at, micros in sums.items()]
