"""What a rehearsal's ledger and a trace's truth say together. Pure.

Only what the provider took, what was written to the hotline, and which levels were announced is asked for: never the
application's own counters.
"""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shield.budgets import Window

from .result import Bill, Change, Day, Hour, Result, quantile
from .terms import Terms
from .traces import Message, Trace

_HOUR, _DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)


@dataclass(frozen=True)
class Sent:
    """The provider took a reply: when, to which number (E.164), and of how many segments."""

    at: datetime.datetime
    recipient: str
    segments: int


@dataclass(frozen=True)
class Seen:
    """What came of a trace."""

    sent: Sequence[Sent]
    changes: Sequence[Change]
    blocks: int
    false_blocks: int
    detector_bytes: int
    judging: Sequence[float]
    #: Messages that did not arrive, because the number was disconnected.
    undelivered: int = 0


def result(trace: Trace, seen: Seen, terms: Terms) -> Result:
    """The figures of the trace, without its warm-up."""
    firsts = _first_messages(trace)
    raiders = {message.sender for message in trace.messages if message.raid}
    sent = [entry for entry in seen.sent if entry.at >= trace.starts_at]
    genuine = {sender: at for sender, at in firsts.items() if sender not in raiders}
    delays = sorted(_delays(genuine, sent, terms.delay))
    raids = [change.at for change in seen.changes if change.after == "raid" and change.at >= trace.starts_at]
    begin = trace.raid_starts_at
    return Result(
        trace=trace.name,
        seed=trace.seed,
        starts_at=trace.starts_at,
        ends_at=trace.ends_at,
        messages=len(trace.messages),
        genuine_senders=len(genuine),
        raid_senders=len(raiders),
        with_shield=_bill(sent, raiders, terms),
        without_shield=_unshielded(trace.messages, raiders, sent, terms),
        inbound_micros=(len(trace.messages) - seen.undelivered) * terms.in_micros,
        undelivered=seen.undelivered,
        served_in_a_day=sum(delay <= _DAY.total_seconds() for delay in delays),
        served_in_an_hour=sum(delay <= _HOUR.total_seconds() for delay in delays),
        delays=delays,
        blocks=seen.blocks,
        false_blocks=seen.false_blocks,
        noticed_after=min(((at - begin).total_seconds() for at in raids if at >= begin), default=None)
        if begin is not None
        else None,
        false_alarms=sum(begin is None or at < begin for at in raids),
        changes=[change for change in seen.changes if change.at >= trace.starts_at],
        hours=_hours(trace, sent, raiders, terms),
        days=_days(sent, terms),
        detector_bytes=seen.detector_bytes,
        judging_seconds=quantile(sorted(seen.judging), 0.99) or 0.0,
    )


def _first_messages(trace: Trace) -> Mapping[str, datetime.datetime]:
    """When each sender wrote for the first time; without those who did so in the warm-up."""
    known = {message.sender for message in trace.warm_up}
    firsts: dict[str, datetime.datetime] = {}
    for message in trace.messages:
        if message.sender not in known:
            firsts.setdefault(message.sender, message.at)
    return firsts


def _delays(
    firsts: Mapping[str, datetime.datetime], sent: Iterable[Sent], delay: datetime.timedelta
) -> Iterable[float]:
    """Seconds from when each one's first reply was due until it left."""
    answered: dict[str, datetime.datetime] = {}
    for entry in sent:
        answered.setdefault(entry.recipient, entry.at)
    for sender, at in firsts.items():
        if sender in answered:
            yield max((answered[sender] - at - delay).total_seconds(), 0.0)


def _bill(sent: Sequence[Sent], raiders: set[str], terms: Terms) -> Bill:
    return Bill(
        replies=len(sent),
        replies_to_raid=sum(entry.recipient in raiders for entry in sent),
        micros=sum(entry.segments for entry in sent) * terms.out_micros,
    )


def _unshielded(messages: Iterable[Message], raiders: set[str], sent: Sequence[Sent], terms: Terms) -> Bill:
    """Every message answered at once, up to the limit of each sender, with the text that was sent most."""
    written = Counter(message.sender for message in messages)
    answers = {sender: min(count, terms.reply_limit) for sender, count in written.items()}
    usual = Counter(entry.segments for entry in sent).most_common(1)
    replies = sum(answers.values())
    return Bill(
        replies=replies,
        replies_to_raid=sum(count for sender, count in answers.items() if sender in raiders),
        micros=replies * terms.out_micros * (usual[0][0] if usual else 1),
    )


def _hours(trace: Trace, sent: Iterable[Sent], raiders: set[str], terms: Terms) -> list[Hour]:
    counts: dict[datetime.datetime, Counter[str]] = defaultdict(Counter)
    for message in trace.messages:
        counts[Window.HOUR.start(message.at)]["raid" if message.raid else "genuine"] += 1
    for entry in sent:
        counts[Window.HOUR.start(entry.at)]["to raid" if entry.recipient in raiders else "to genuine"] += 1
        counts[Window.HOUR.start(entry.at)]["micros"] += entry.segments * terms.out_micros
    return [
        Hour(at, count["genuine"], count["raid"], count["to genuine"], count["to raid"], count["micros"])
        for at, count in _filled(counts, trace.starts_at)
    ]


def _days(sent: Iterable[Sent], terms: Terms) -> list[Day]:
    spent: Counter[datetime.datetime] = Counter()
    for entry in sent:
        spent[Window.DAY.start(entry.at)] += entry.segments * terms.out_micros
    return [Day(at, micros, terms.cap_micros) for at, micros in sorted(spent.items())]


def _filled(
    counts: Mapping[datetime.datetime, Counter[str]], start: datetime.datetime
) -> Iterable[tuple[datetime.datetime, Counter[str]]]:
    """Each hour from the first to the last, also those without anything."""
    at = Window.HOUR.start(start)
    last = max(counts, default=at)
    while at <= last:
        yield at, counts.get(at, Counter())
        at += _HOUR
