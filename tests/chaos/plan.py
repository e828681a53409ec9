"""Who writes how much to which hotline, and how many replies must come of it. Pure: the same seed, the same plan."""

from __future__ import annotations

import enum
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.acceptance.plan import FIVE, OTHER, TWO, WORDS, Line
from tests.bench import requests
from tests.words import words_of

#: The hotlines, and the share of senders each gets; the last is another organization's.
LINES = {FIVE: 0.5, TWO: 0.2, OTHER: 0.3}
#: The digits of a hotline's number and of a sender's.
Pair = tuple[str, str]


class Kind(enum.Enum):
    """What a sender does. The value is the share of all messages; of 100 messages some 22 get a reply, as in a raid."""

    ONCE = 0.12
    FEW = 0.10
    HEAVY = 0.74
    STOP = 0.04


@dataclass(frozen=True, slots=True)
class Sms:
    """One message. `at` in [0, 1) is its place in the run; `stop` says that it is a STOP."""

    id: str
    pair: Pair
    kind: Kind
    text: str
    at: float
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """How many replies a sender must have got in the end."""

    kind: Kind
    least: int
    most: int
    limit: int


@dataclass(frozen=True)
class Plan:
    """`messages` are in the order of their arrival."""

    messages: list[Sms]
    expected: dict[Pair, Expected]


def make(messages: int, seed: int) -> Plan:
    """A plan of exactly `messages` distinct messages."""
    chance = random.Random(seed)
    senders = (requests.sender(number) for number in range(messages + 1))
    planned: list[Sms] = []
    for kind in (Kind.FEW, Kind.HEAVY, Kind.STOP, Kind.ONCE):
        # ONCE comes last and fills up what the rounding of the others left.
        wanted = messages if kind is Kind.ONCE else len(planned) + round(kind.value * messages)
        while len(planned) < wanted:
            line = chance.choices(list(LINES), list(LINES.values()))[0]
            pair = line.number.removeprefix("+"), next(senders)
            planned += _written(chance, kind, pair, min(_count(chance, kind, messages), wanted - len(planned)))
    planned.sort(key=lambda sms: sms.at)
    return Plan(planned, expected(planned))


def _count(chance: random.Random, kind: Kind, messages: int) -> int:
    match kind:
        case Kind.ONCE:
            return 1
        case Kind.FEW:
            return chance.randint(2, 9)
        case Kind.STOP:
            return chance.randint(4, 8)
        case Kind.HEAVY:
            most = max(12, min(400, messages // 60))
            return chance.randint(most // 3, most)


def _written(chance: random.Random, kind: Kind, pair: Pair, count: int) -> Iterator[Sms]:
    """One sender's messages. A heavy sender's come in one burst, those around a STOP in their order."""
    # Half of all who write more than once do it within a moment, so that their messages meet each other.
    width = 0.02 if kind is Kind.HEAVY or chance.random() < 0.5 else 0.5
    start = chance.random() * (1 - width)
    moments = sorted(start + width * chance.random() for _ in range(count))
    stop = count // 2 if kind is Kind.STOP and count > 2 else None
    for number, at in enumerate(moments):
        text = (
            chance.choice(["STOP", "Stop.", "ARRET"])
            if number == stop
            else words_of(pair[1], chance.choice(WORDS["fr"]))
        )
        yield Sms(str(uuid.UUID(int=chance.getrandbits(128), version=4)), pair, kind, text, at, number == stop)


def expected(messages: list[Sms]) -> dict[Pair, Expected]:
    """What must come of `messages`: a reply each, up to the hotline's limit. A STOP may cut it short anywhere."""
    limits = {line.number.removeprefix("+"): line.limit for line in LINES}
    texts: Counter[Pair] = Counter()
    kinds: dict[Pair, Kind] = {}
    stopped: set[Pair] = set()
    for sms in messages:
        kinds[sms.pair] = sms.kind
        if sms.stop:
            stopped.add(sms.pair)
        else:
            texts[sms.pair] += 1
    found = {}
    for pair, kind in kinds.items():
        limit = limits[pair[0]]
        most = min(limit, texts[pair])
        found[pair] = Expected(kind, 0 if pair in stopped else most, most, limit)
    return found


def line_of(pair: Pair) -> Line:
    return next(line for line in LINES if line.number.removeprefix("+") == pair[0])
