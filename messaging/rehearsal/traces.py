"""Traffic to rehearse on: quiet days, the raids of SECURITY.md 3.5, and two hotlines of 2017. Pure.

Written from the sizes of SECURITY.md 3.3 and 3.5 and from CAMPAIGNS.md; no real message, number or log is known to us.
Assumed, as nobody has published it: when in a day and a week people write, how many texts they write and how soon, how
a raid rises and falls, and everything that texts.py says. Where the figures were found by another simulation, its
traces were other ones of the same sizes.

A seed makes the same trace on every machine and Python: only `random()` is used, which alone is promised to stay the
same, only arithmetic that is exact everywhere, and UTC. In every trace that is not of 2017, the same seed, days and
starts_at make the same genuine people, so that raids can be compared.
"""

from __future__ import annotations

import datetime
import json
import re
from bisect import bisect, bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any

from . import texts

_MILLISECOND = datetime.timedelta(milliseconds=1)
_MINUTE, _HOUR, _DAY = (datetime.timedelta(minutes=1), datetime.timedelta(hours=1), datetime.timedelta(days=1))
#: What a detector takes for normal has been seen in so many days before a trace.
WARM_UP = 14 * _DAY
#: A Wednesday, so that the three days from it are as busy together as three days are on average.
STARTS_AT = datetime.datetime(2026, 3, 4, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """`at` is when the provider took it in; `raid` is the truth, which no detector is told."""

    at: datetime.datetime
    sender: str
    text: str
    raid: bool


@dataclass(frozen=True)
class Trace:
    """What came from `starts_at` until before `ends_at`, and in the quiet days before; each in the order of time."""

    name: str
    seed: int
    starts_at: datetime.datetime
    ends_at: datetime.datetime
    messages: Sequence[Message]
    raid_starts_at: datetime.datetime | None
    warm_up: Sequence[Message]


# --- people -----------------------------------------------------------------------------------------------------------
#: How busy each hour of the day is, by UTC (one hour less than in Paris in winter), in tenths of the mean.
_HOURS = (5, 4, 2, 1, 1, 1, 2, 4, 6, 7, 8, 10, 12, 11, 11, 12, 15, 19, 20, 21, 21, 21, 16, 10)
#: The same of each day of the week from Monday on, in hundredths.
_WEEKDAYS = (85, 85, 90, 95, 115, 125, 105)
#: Of a hundred people, how many texts each writes: 2.7 on average.
_TEXTS = (1,) * 33 + (2,) * 24 + (3,) * 16 + (4,) * 10 + (5,) * 7 + (6,) * 5 + (7,) * 3 + (8,) * 2
#: What phonenumbers takes for French mobile numbers, by the first three of their nine digits; a million each.
_RANGES = tuple(map(str, (*range(600, 639), *range(640, 690), 695, 698, 699, *range(730, 800))))


def _busyness(start: datetime.datetime, end: datetime.datetime) -> list[int]:
    """How many people are expected until the end of each hour, in thousandths of an average hour's."""
    moments = (start + hour * _HOUR for hour in range((end - start) // _HOUR))
    return list(accumulate(_HOURS[moment.hour] * _WEEKDAYS[moment.weekday()] for moment in moments))


class _Crowd:
    """Draws who writes, when and what. No number is drawn twice by those who share what is `taken`."""

    def __init__(self, seed: str, taken: set[str]) -> None:
        self._random = Random(seed)  # noqa: S311  no secret is made of it
        self._taken = taken

    def below(self, limit: int) -> int:
        return int(self._random.random() * limit)

    def number(self, block: str = "") -> str:
        """One that nobody has yet, in E.164; in a block, ten thousand numbers share their first seven digits."""
        while True:
            prefix = block or self.block()
            number = f"{prefix}{self.below(10_000):04}"
            if number not in self._taken:
                self._taken.add(number)
                return number

    def block(self) -> str:
        return f"+33{_RANGES[self.below(len(_RANGES))]}{self.below(100):02}"

    def moments(self, start: datetime.datetime, end: datetime.datetime) -> Iterator[datetime.datetime]:
        """Endlessly, when somebody first writes: a Poisson process of the hours between, given how many are taken."""
        expected = _busyness(start, end)
        while True:
            hour = bisect(expected, self.below(expected[-1]))
            yield start + hour * _HOUR + self.below(3_600_000) * _MILLISECOND

    def person(self, first: datetime.datetime, end: datetime.datetime, *, raid: bool = False) -> Iterator[Message]:
        """All that one person writes before `end`: mostly minutes apart, sometimes hours."""
        sender, at = self.number(), first
        for count in range(_TEXTS[self.below(len(_TEXTS))]):
            if count:
                least, most = ((1, 15), (1, 15), (1, 15), (15, 90), (90, 480))[self.below(5)]
                at += least * _MINUTE + self.below((most - least) * 60_000) * _MILLISECOND
            if at >= end:
                return
            yield Message(at, sender, (texts.later if count else texts.genuine)(self._random), raid)

    def people(self, count: int, start: datetime.datetime, end: datetime.datetime) -> list[Message]:
        moments = self.moments(start, end)
        return [message for _ in range(count) for message in self.person(next(moments), end)]

    def writing(self, messages: int, start: datetime.datetime, end: datetime.datetime) -> list[Message]:
        """As many people as write just so many messages."""
        found: list[Message] = []
        moments = self.moments(start, end)
        while len(found) < messages:
            found += self.person(next(moments), end)
        return found[:messages]


# --- raids ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Wave:
    onset: datetime.datetime
    minutes: int


class _Raid(_Crowd):
    """Those who raid, in waves between `start` and `end`; `lookalikes` of them pass for people."""

    def __init__(
        self, seed: str, taken: set[str], start: datetime.datetime, end: datetime.datetime, lookalikes: int = 0
    ) -> None:
        super().__init__(seed, taken)
        self._start, self._end, self._lookalikes = start, end, lookalikes
        #: One a day: ten to eighteen hours after its start, for one to six hours.
        self.waves = [
            _Wave(start + day * _DAY + 10 * _HOUR + self.below(8 * 3_600_000) * _MILLISECOND, 60 + self.below(301))
            for day in range((end - start) // _DAY)
        ]

    def heavy(self, messages: int, sims: int = 300) -> Iterator[Message]:
        """A few SIMs whose robots each paste one template; fewer SIMs where each would send less than ten."""
        for count in _shares(messages, max(1, min(sims, messages // 10))):
            sender, text = self.number(), self._template()
            for _ in range(count):
                yield Message(self._during(self._wave()), sender, text, raid=True)

    def copy(self, messages: int) -> Iterator[Message]:
        """Half as many people as messages, each in one wave; every message is a template, varied anew."""
        for count in _shares(messages, messages // 2):
            sender, wave = self.number(), self._wave()
            for _ in range(count):
                yield Message(self._during(wave), sender, texts.vary(self._template(), self._random), raid=True)

    def farm(self, messages: int) -> Iterator[Message]:
        """One number for every twenty messages, at least fifty, in ten blocks; their texts are as people's are."""
        blocks: list[str] = []
        while len(blocks) < 10:
            block = self.block()
            blocks += [block] * (block not in blocks)
        for place, count in enumerate(_shares(messages, min(max(50, messages // 20), messages // 2))):
            sender = self.number(blocks[place % len(blocks)])
            for turn, at in enumerate(sorted(self._during(self._wave()) for _ in range(count))):
                yield Message(at, sender, (texts.later if turn else texts.genuine)(self._random), raid=True)

    def mix(self, messages: int) -> Iterator[Message]:
        copied, farmed = messages * 60 // 100, messages * 25 // 100
        yield from self.copy(copied)
        yield from self.farm(farmed)
        yield from self.heavy(messages - copied - farmed)

    def mimic(self, messages: int) -> Iterator[Message]:
        """From the first wave on, nothing but the truth tells lookalikes from people."""
        moments = (moment for moment in self.moments(self._start, self._end) if moment >= self.waves[0].onset)
        return self._mimic(messages, moments)

    def mimic_waves(self, messages: int) -> Iterator[Message]:
        return self._mimic(messages, (self._during(self._wave()) for _ in range(self._lookalikes)))

    def _mimic(self, messages: int, moments: Iterator[datetime.datetime]) -> Iterator[Message]:
        for _ in range(self._lookalikes):
            yield from self.person(next(moments), self._end, raid=True)
        yield from self.heavy(messages)

    def _template(self) -> str:
        return texts.RAID_TEMPLATES[self.below(len(texts.RAID_TEMPLATES))]

    def _wave(self) -> _Wave:
        return self.waves[self.below(len(self.waves))]

    def _during(self, wave: _Wave) -> datetime.datetime:
        """As the least of three: at its onset three times as much comes as on average, and then less and less."""
        share = min(self._random.random(), self._random.random(), self._random.random())
        return wave.onset + int(share * wave.minutes * 60_000) * _MILLISECOND


def _shares(messages: int, senders: int) -> Iterator[int]:
    """So many messages among so many senders, as evenly as can be."""
    return (messages // senders + (place < messages % senders) for place in range(senders))


# --- what happened in 2017 (CAMPAIGNS.md) -----------------------------------------------------------------------------
def _anti_relous(name: str, seed: int, starts_at: datetime.datetime | None) -> Trace:
    """9,000 messages in the two days from the launch on, from about 3,300 people, and 20,000 more in under six hours.

    The raid is what came from Monday 16:00 on (Paris), and nothing else: 7,200 messages from 6 robots, "by the
    thousand", 4,800 from 60, 8,000 from a forum's 4,000 members. How they were divided is our guess. So is that what
    the sources' totals leave beside both (1,000 of "over 30,000") were people, from Sunday 16:00 to Monday's end. Who
    tried it out at its launch is no raid. Nothing was before the launch, so there is no warm-up.
    """
    start = starts_at or datetime.datetime(2017, 10, 27, 14, tzinfo=datetime.UTC)
    end, onset = start + 81 * _HOUR, start + 73 * _HOUR
    taken: set[str] = set()
    people = _Crowd(f"{name} {seed}", taken)
    found = people.writing(9000, start, start + 2 * _DAY) + people.writing(1000, start + 2 * _DAY, end)
    raid = _Raid(f"raid {name} {seed}", taken, start, end)
    raid.waves = [_Wave(onset, 345)]
    found += [*raid.heavy(7200, sims=6), *raid.heavy(4800, sims=60), *raid.copy(8000)]
    return _trace(name, seed, start, end, found)


def _anti_harcelement(name: str, seed: int, starts_at: datetime.datetime | None) -> Trace:
    """40 messages in the first three weeks, none of a raid, and nothing before them."""
    start = starts_at or datetime.datetime(2017, 12, 4, tzinfo=datetime.UTC)
    end = start + 21 * _DAY
    return _trace(name, seed, start, end, _Crowd(f"{name} {seed}", set()).writing(40, start, end))


def _trace(name: str, seed: int, start: datetime.datetime, end: datetime.datetime, found: Iterable[Message]) -> Trace:
    """Of messages in any order: those before `start` are the warm-up."""
    ordered = sorted(found, key=lambda message: message.at)
    first = bisect_left(ordered, start, key=lambda message: message.at)
    onset = next((message.at for message in ordered if message.raid), None)
    return Trace(name, seed, start, end, tuple(ordered[first:]), onset, tuple(ordered[:first]))


# --- all that there is ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Kind:
    """A trace that can be made: with a raid, without one, or as it happened."""

    description: str
    raid: Callable[[_Raid, int], Iterator[Message]] | None = None
    happened: Callable[[str, int, datetime.datetime | None], Trace] | None = None


TRACES: Mapping[str, Kind] = {
    "quiet": Kind("People alone, and no raid."),
    "heavy": Kind("300 SIMs send all of the raid, each its one text.", _Raid.heavy),
    "copy": Kind("Everybody of a crowd pastes one of 8 texts twice, with typos, emoji and numbers.", _Raid.copy),
    "farm": Kind("Numbers of 10 blocks write as people do, 20 messages each.", _Raid.farm),
    "mix": Kind("Of the raid, 60 % are as in copy, 25 % as in farm, 15 % as in heavy.", _Raid.mix),
    "mimic": Kind("Beside heavy, lookalikes write as people do, and when people do.", _Raid.mimic),
    "mimic-waves": Kind("Beside heavy, lookalikes write as people do, in the raid's waves.", _Raid.mimic_waves),
    "anti-harcelement-2017": Kind("40 messages in the first three weeks, and no raid.", happened=_anti_harcelement),
    "anti-relous-2017": Kind("9,000 messages in two days, then a raid of 20,000 in six hours.", happened=_anti_relous),
}


def make(
    name: str,
    seed: int,
    *,
    days: int | None = None,
    genuine: int | None = None,
    raid: int | None = None,
    lookalikes: int | None = None,
    starts_at: datetime.datetime | None = None,
) -> Trace:
    """The trace of that name; ValueError says what makes no sense.

    It has 3 `days`; 1,010 `genuine` first-time senders in three days, however many days it has, and as many in the
    warm-up; 100,000 messages of the `raid`, beside those of 1,000 `lookalikes`, who write as many each as people do.
    What happened has its own sizes, and can only be moved in time.
    """
    kind = TRACES.get(name)
    if kind is None:
        raise ValueError(f"No trace is called {name!r}. There are: {', '.join(TRACES)}.")
    if starts_at is not None:
        starts_at = _in_utc(starts_at)
    sizes = {"days": days, "genuine": genuine, "raid": raid, "lookalikes": lookalikes}
    limits = {"days": (1, 366), "genuine": (1, 100_000)} if kind.happened is None else {}
    limits |= {"raid": (100, 1_000_000)} if kind.raid else {}
    limits |= {"lookalikes": (1, 1_000_000)} if name.startswith("mimic") else {}
    for size, value in ((size, value) for size, value in sizes.items() if value is not None):
        if size not in limits:
            raise ValueError(f"The trace {name} has no size that is called {size}.")
        least, most = limits[size]
        if not least <= value <= most:
            raise ValueError(f"Of the trace {name}, {size} must be from {least} to {most}, not {value}.")
    if kind.happened:
        return kind.happened(name, seed, starts_at)
    start = starts_at or STARTS_AT
    end = start + (days or 3) * _DAY
    taken: set[str] = set()
    count = max(1, round((genuine or 1010) * (days or 3) / 3))
    before = round(count * _busyness(start - WARM_UP, start)[-1] / _busyness(start, end)[-1])
    found = _Crowd(f"genuine {seed}", taken).people(count, start, end)
    found += _Crowd(f"warm-up {seed}", taken).people(before, start - WARM_UP, start)
    if kind.raid:
        found += kind.raid(_Raid(f"{name} {seed}", taken, start, end, lookalikes or 1000), raid or 100_000)
    return _trace(name, seed, start, end, found)


# --- as lines ---------------------------------------------------------------------------------------------------------
_HEADER = {"trace": str, "seed": int, "starts_at": str, "ends_at": str, "messages": int}
_MESSAGE = {"at": str, "sender": str, "text": str, "raid": bool}
_KINDS = {str: "a text", int: "a whole number", bool: "true or false"}
_HALF = re.compile("[\ud800-\udfff]")
_SENDER = re.compile(r"\+[1-9][0-9]{6,14}")


def dump(trace: Trace) -> Iterator[str]:
    """JSON lines, with their ends: a header, then all messages in the order of time, the warm-up's first."""
    messages = (*trace.warm_up, *trace.messages)
    moments = (trace.starts_at.isoformat(), trace.ends_at.isoformat())
    yield json.dumps(dict(zip(_HEADER, (trace.name, trace.seed, *moments, len(messages)), strict=True))) + "\n"
    for message in messages:
        values = (message.at.isoformat(), message.sender, message.text, message.raid)
        yield json.dumps(dict(zip(_MESSAGE, values, strict=True))) + "\n"


def read(lines: Iterable[str]) -> Trace:
    """What `dump` wrote, or anybody in its format; ValueError names the line and what is wrong with it."""
    number, header, found = 0, dict[str, Any](), list[Message]()
    start = end = STARTS_AT
    try:
        for number, line in enumerate(lines, 1):
            if number > 1:
                found.append(_message(line, found[-1].at if found else start - WARM_UP, start, end))
                continue
            header = _object(line, _HEADER)
            start, end = _moment(header["starts_at"]), _moment(header["ends_at"])
            if not start < end <= start + 366 * _DAY:
                raise ValueError("ends_at must be after starts_at, within 366 days")
        if not header:
            number = 1
            raise ValueError("there is no header")
        if header["messages"] != len(found):
            raise ValueError(f"the header promises {header['messages']} messages, and {len(found)} came")
    except ValueError as error:
        what = "what follows is not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise ValueError(f"Line {number}: {what}.") from error
    return _trace(header["trace"], header["seed"], start, end, found)


def _message(line: str, least: datetime.datetime, start: datetime.datetime, end: datetime.datetime) -> Message:
    values = _object(line, _MESSAGE)
    message = Message(_moment(values["at"]), values["sender"], values["text"], values["raid"])
    if not least <= message.at < end:
        raise ValueError("at is before the line above it, before the 14 days of the warm-up, or not before ends_at")
    if message.raid and message.at < start:
        raise ValueError("a raid in the warm-up is none")
    if not _SENDER.fullmatch(message.sender):
        raise ValueError("sender must be a number in E.164, such as +33612345678")
    return message


def _object(line: str, fields: Mapping[str, type]) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(found, dict) or found.keys() != fields.keys():
        raise ValueError(f"it must be an object of {', '.join(fields)}, and nothing else")
    for field, kind in fields.items():
        if type(found[field]) is not kind:
            raise ValueError(f"{field} must be {_KINDS[kind]}")
        if kind is str and _HALF.search(found[field]):
            raise ValueError(f"{field} has half a character")
    return found


def _moment(text: str) -> datetime.datetime:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no moment, such as {STARTS_AT.isoformat()}") from None
    return _in_utc(moment)


def _in_utc(moment: datetime.datetime) -> datetime.datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment must tell its time zone, such as +00:00")
    if not 2000 <= moment.year < 2100:
        raise ValueError("a moment must be of this century")
    return moment.astimezone(datetime.UTC)
