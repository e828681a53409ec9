"""Traces: the sizes that were asked for, the same on every machine; what makes no sense is refused."""

from __future__ import annotations

import datetime
import hashlib
import itertools
from collections import Counter
from functools import cache
from typing import Any

import phonenumbers
import pytest
from tests.rehearsal.small import MADE_UP, PRESETS, RAIDS, lines, sizes, small

from rehearsal import texts, traces
from rehearsal.traces import STARTS_AT, TRACES, Message, Trace, make

HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)


@cache
def mimic() -> Trace:
    """Enough people to compare distributions."""
    return make("mimic", 5, genuine=2000, raid=100, lookalikes=2000)


def senders(messages: Any, *, raid: bool) -> Counter[str]:
    return Counter(message.sender for message in messages if message.raid is raid)


def firsts(messages: Any) -> list[Message]:
    """Of every sender, the first."""
    found: dict[str, Message] = {}
    for message in messages:
        found.setdefault(message.sender, message)
    return list(found.values())


def block(sender: str) -> str:
    return sender[:-4]


# --- the same everywhere ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", TRACES)
def test_a_seed_makes_the_same_trace_again_and_another_seed_another(name: str) -> None:
    again = make(name, 1, **sizes(name))
    assert again == small(name)
    assert small(name, 2).messages != again.messages


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("mix", "aa64a4600195cbe523956ceb476eb48b87b28e7f5d8d749045e2949b6965148f"),
        ("mimic", "e60d0ffc68b707d62af9380cfbb950e37e001f51c5381ca4a71306cce8f84473"),
    ],
)
def test_a_trace_is_the_same_on_every_python_and_machine(name: str, digest: str) -> None:
    """Whoever changes texts or traces on purpose pins the new digest: older results are not comparable any more."""
    assert hashlib.sha256("".join(lines(small(name))).encode()).hexdigest() == digest


def test_the_same_seed_has_the_same_people_in_every_raid() -> None:
    people = {name: [message for message in small(name).messages if not message.raid] for name in MADE_UP}
    assert all(people[name] == people["quiet"] for name in RAIDS)
    assert all(small(name).warm_up == small("quiet").warm_up for name in RAIDS)
    assert small("copy").raid_starts_at != small("farm").raid_starts_at


# --- what holds for each ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", TRACES)
def test_messages_are_in_order_and_in_their_time(name: str) -> None:
    trace = small(name)
    for messages, start, end in (
        (trace.warm_up, trace.starts_at - 14 * DAY, trace.starts_at),
        (trace.messages, trace.starts_at, trace.ends_at),
    ):
        assert all(one.at <= other.at for one, other in itertools.pairwise(messages))
        assert all(start <= message.at < end for message in messages)
    assert {message.at.tzinfo for message in trace.messages} == {datetime.UTC}
    assert not any(message.raid for message in trace.warm_up)
    assert trace.raid_starts_at == min((message.at for message in trace.messages if message.raid), default=None)


@pytest.mark.parametrize("name", TRACES)
def test_nobody_is_two_people(name: str) -> None:
    trace = small(name)
    people, raid = senders(trace.messages, raid=False), senders(trace.messages, raid=True)
    before = senders(trace.warm_up, raid=False)
    assert not people.keys() & raid.keys()
    assert not before.keys() & (people.keys() | raid.keys())
    assert max((people + before).values()) <= 8
    assert all(message.text.strip() for message in trace.messages)


def test_all_numbers_are_french_mobiles_of_all_ranges() -> None:
    numbers = {message.sender for message in (*small("copy").messages, *small("mix").messages)}
    for number in numbers:
        parsed = phonenumbers.parse(number)
        assert phonenumbers.is_possible_number(parsed)
        assert phonenumbers.is_valid_number_for_region(parsed, "FR")
        assert phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.MOBILE
        assert phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == number
    assert {number[:6] for number in numbers} == {f"+33{first}" for first in traces._RANGES}
    people = Counter(sender[3] for sender in senders(mimic().messages, raid=False))
    sixes = sum(first.startswith("6") for first in traces._RANGES) / len(traces._RANGES)
    assert abs(people["6"] / people.total() - sixes) < 0.04


def test_every_trace_is_described_in_a_sentence() -> None:
    assert set(TRACES) >= {"quiet", "heavy", "copy", "farm", "mix", "mimic", *PRESETS}
    assert all(kind.description.endswith(".") and len(kind.description) < 100 for kind in TRACES.values())


# --- people -----------------------------------------------------------------------------------------------------------
def test_people_are_as_many_as_asked_for_and_write_2_7_texts() -> None:
    trace = make("quiet", 3)
    people, before = senders(trace.messages, raid=False), senders(trace.warm_up, raid=False)
    assert (trace.starts_at, trace.ends_at) == (STARTS_AT, STARTS_AT + 3 * DAY)
    assert len(people) == 1010
    assert len(before) == round(1010 * 14 / 3)
    assert 2.6 < before.total() / len(before) < 2.75
    assert set(before.values()) == set(range(1, 9))
    greeted = sum(message.text.strip(" !.?,:)").casefold() in texts.GREETINGS for message in firsts(trace.warm_up))
    assert 0.10 < greeted / len(before) < 0.19, "those without an emoji"


def test_as_many_people_come_a_day_however_many_days_there_are() -> None:
    month = make("quiet", 3, days=28, genuine=300)
    assert month.ends_at - month.starts_at == 28 * DAY
    assert len(senders(month.messages, raid=False)) == 2800
    assert len(senders(month.warm_up, raid=False)) == 1400


def test_evenings_and_weekends_are_busy_and_nights_are_not() -> None:
    month = make("quiet", 4, days=28, genuine=900)
    seen = firsts(month.messages)
    hours = Counter((message.at.weekday(), message.at.hour) for message in seen)
    mean = len(seen) / (7 * 24)
    assert 2.3 < max(hours.values()) / mean < 3.0
    assert hours.most_common(1)[0][0][0] in {4, 5}
    assert hours.most_common(1)[0][0][1] in {18, 19, 20, 21}
    assert sum(hours[day, hour] for day in range(7) for hour in range(2, 6)) / len(seen) < 0.03
    assert sum(hours[5, hour] for hour in range(24)) > 1.2 * sum(hours[1, hour] for hour in range(24))


def test_the_rest_of_what_somebody_writes_follows_within_minutes_or_hours() -> None:
    written: dict[str, list[Message]] = {}
    for message in small("quiet").warm_up:
        written.setdefault(message.sender, []).append(message)
    gaps = sorted(other.at - one.at for messages in written.values() for one, other in itertools.pairwise(messages))
    assert gaps[0] >= HOUR / 60
    assert gaps[len(gaps) // 2] < HOUR / 3
    assert HOUR < gaps[-1] <= 8 * HOUR


# --- raids ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [name for name in RAIDS if not name.startswith("mimic")])
def test_a_raid_has_as_many_messages_as_asked_for(name: str) -> None:
    assert sum(message.raid for message in small(name).messages) == 3000


def test_heavy_is_300_sims() -> None:
    trace = make("heavy", 1, genuine=30, raid=9_999)
    raid = senders(trace.messages, raid=True)
    assert len(raid) == 300
    assert set(raid.values()) == {33, 34}
    said = {(message.sender, message.text) for message in trace.messages if message.raid}
    assert len(said) == 300
    assert {text for _sender, text in said} == set(texts.RAID_TEMPLATES)
    assert set(senders(small("heavy").messages, raid=True).values()) == {10}


def test_copy_is_many_people_who_paste_twice_in_one_wave() -> None:
    raid = [message for message in small("copy").messages if message.raid]
    assert set(senders(raid, raid=True).values()) == {2}
    assert len(senders(raid, raid=True)) == 1500
    assert len({message.text for message in raid}) > 2700
    days: dict[str, set[int]] = {}
    for message in raid:
        days.setdefault(message.sender, set()).add(message.at.day)
    assert all(len(seen) == 1 for seen in days.values())


def test_farm_is_numbers_of_ten_blocks() -> None:
    trace = make("farm", 1)
    raid = [message for message in trace.messages if message.raid]
    assert len(raid) == 100_000
    assert set(senders(raid, raid=True).values()) == {20}
    blocks = Counter(block(sender) for sender in senders(raid, raid=True))
    assert len(blocks) == 10
    assert set(blocks.values()) == {500}
    opened = [message.text for message in firsts(raid)]
    greeted = sum(text.strip(" !.?,:)").casefold() in texts.GREETINGS for text in opened)
    assert 0.10 < greeted / len(opened) < 0.19
    assert len(set(opened)) > 0.8 * len(opened)
    assert len({block(sender) for sender in senders(trace.messages, raid=False)}) > 900


def test_a_small_farm_still_has_fifty_numbers_that_write_more_than_once() -> None:
    for raid, numbers in ((500, 50), (1000, 50), (2000, 100), (100, 50)):
        counted = senders(make("farm", 1, genuine=10, raid=raid).messages, raid=True)
        assert len(counted) == numbers
        assert min(counted.values()) >= 2


def test_mix_is_of_60_25_and_15_in_a_hundred() -> None:
    raid = [message for message in small("mix").messages if message.raid]
    counts = senders(raid, raid=True)
    templates = Counter(message.sender for message in raid if message.text in texts.RAID_TEMPLATES)
    assert sum(count for count in counts.values() if count == 2) == 1800
    crowded = Counter(block(sender) for sender, count in counts.items() if count == 15)
    assert crowded.total() == 50
    assert len(crowded) == 10
    assert templates.total() == 450
    assert set(templates.values()) == {10}


@pytest.mark.parametrize("name", ["heavy", "copy", "farm", "mix"])
@pytest.mark.parametrize("days", [1, 3])
def test_each_day_has_a_wave_that_begins_at_once_and_then_falls(name: str, days: int) -> None:
    trace = make(name, 9, days=days, genuine=20, raid=9000)
    for day in range(days):
        start = trace.starts_at + day * DAY
        wave = [message.at for message in trace.messages if message.raid and start <= message.at < start + DAY]
        assert len(wave) > 9000 / days * 0.7
        length = wave[-1] - wave[0]
        assert HOUR / 2 < length <= 6 * HOUR
        quarters = Counter(int((at - wave[0]) / (length * 1.0001) * 4) for at in wave)
        assert quarters[0] > 0.45 * len(wave)
        assert quarters[0] > quarters[1] > quarters[2] > quarters[3]


# --- lookalikes -------------------------------------------------------------------------------------------------------
def _distance(one: Counter[int], other: Counter[int]) -> float:
    """Of two distributions: the share that would have to move."""
    return sum(abs(one[key] / one.total() - other[key] / other.total()) for key in one | other) / 2


def _lookalikes(trace: Trace) -> list[Message]:
    """All that they wrote: the heavy ones paste, and send ten messages and more."""
    counts = senders(trace.messages, raid=True)
    return [message for message in trace.messages if message.raid and counts[message.sender] < 9]


def test_nothing_but_the_truth_tells_lookalikes_from_people() -> None:
    trace = mimic()
    assert trace.raid_starts_at is not None
    alike = _lookalikes(trace)
    people = [message for message in trace.messages if not message.raid]
    assert len(firsts(alike)) == 2000
    since = [message for message in firsts(people) if message.at >= trace.raid_starts_at]
    by_hour = [Counter(int((message.at - STARTS_AT) / HOUR) for message in found) for found in (firsts(alike), since)]
    assert _distance(*by_hour) < 0.1
    even = Counter(range(24, 72))
    assert _distance(by_hour[0], even) > 0.2, "the same distance would tell a day's hours from no hours"
    lengths = [Counter(len(message.text) // 10 for message in firsts(found)) for found in (alike, people)]
    assert _distance(*lengths) < 0.06
    counts = [Counter(Counter(message.sender for message in found).values()) for found in (alike, people)]
    assert _distance(*counts) < 0.06
    ranges = [Counter(int(message.sender[3:5]) for message in firsts(found)) for found in (alike, people)]
    assert _distance(*ranges) < 0.08
    assert max(Counter(block(message.sender) for message in firsts(alike)).values()) <= 5


def test_lookalikes_come_beside_a_heavy_raid_and_are_1000_unless_told() -> None:
    for name in ("mimic", "mimic-waves"):
        trace = make(name, 2, genuine=20, raid=1000)
        assert len(firsts(_lookalikes(trace))) == 1000
        heavy = sum(message.raid for message in trace.messages) - len(_lookalikes(trace))
        assert heavy == 1000


def test_lookalikes_in_waves_first_write_in_them() -> None:
    trace = make("mimic-waves", 3, genuine=20, raid=3000, lookalikes=300)
    alike = {message.sender for message in _lookalikes(trace)}
    waves = [message.at for message in trace.messages if message.raid and message.sender not in alike]
    for message in firsts(_lookalikes(trace)):
        assert min(abs(message.at - at) for at in waves) < HOUR / 2


# --- what happened ----------------------------------------------------------------------------------------------------
def test_anti_harcelement_had_40_messages_in_three_weeks() -> None:
    for seed in range(5):
        trace = make("anti-harcelement-2017", seed)
        assert len(trace.messages) == 40
        assert trace.ends_at - trace.starts_at == 21 * DAY
        assert trace.raid_starts_at is None
        assert trace.warm_up == ()
        assert 8 <= len(senders(trace.messages, raid=False)) <= 25


def test_anti_relous_had_9000_messages_in_two_days_and_20000_in_six_hours() -> None:
    trace = small("anti-relous-2017")
    assert f"{trace.starts_at:%a %d %b %Y %H:%M}" == "Fri 27 Oct 2017 14:00"
    launch = [message for message in trace.messages if message.at < trace.starts_at + 2 * DAY]
    assert len(launch) == 9000
    assert not any(message.raid for message in launch)
    assert 3000 <= len(senders(launch, raid=False)) <= 3700
    raid = [message for message in trace.messages if message.raid]
    assert len(raid) == 20_000
    assert trace.raid_starts_at is not None
    assert f"{trace.raid_starts_at:%a %H}" == "Mon 15"
    assert raid[-1].at - raid[0].at < 6 * HOUR
    counts = senders(raid, raid=True)
    assert sum(count >= 1000 for count in counts.values()) == 6
    assert len(counts) == 6 + 60 + 4000
    assert len(trace.messages) == 30_000
    during = [message for message in trace.messages if not message.raid and message.at >= trace.raid_starts_at]
    assert len(senders(during, raid=False)) > 20


# --- what makes no sense ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "sizes", "said"),
    [
        ("raid", {}, "No trace is called 'raid'. There are: quiet, heavy, copy"),
        ("copy", {"raid": 0}, "Of the trace copy, raid must be from 100 to 1000000, not 0."),
        ("quiet", {"raid": 100}, "The trace quiet has no size that is called raid."),
        ("copy", {"lookalikes": 100}, "The trace copy has no size that is called lookalikes."),
        ("mimic", {"lookalikes": 0}, "lookalikes must be from 1 to"),
        ("mix", {"days": 0}, "days must be from 1 to 366, not 0"),
        ("mix", {"genuine": -1}, "genuine must be from 1 to"),
        *(
            (name, {size: 3000}, "has no size")
            for name in PRESETS
            for size in ("days", "genuine", "raid", "lookalikes")
        ),
        ("quiet", {"starts_at": datetime.datetime(2026, 3, 4)}, "must tell its time zone"),  # noqa: DTZ001  on purpose
        ("quiet", {"starts_at": datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)}, "must be of this century"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(name: str, sizes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace(".", r"\.")):
        make(name, 1, **sizes)


def test_a_trace_can_be_moved_in_time_and_is_told_in_utc() -> None:
    paris = datetime.timezone(2 * HOUR)
    moved = make("mix", 1, genuine=20, raid=100, starts_at=datetime.datetime(2026, 7, 1, 2, tzinfo=paris))
    assert moved.starts_at == datetime.datetime(2026, 7, 1, tzinfo=datetime.UTC)
    assert moved.starts_at.tzinfo is datetime.UTC
    later = make("anti-harcelement-2017", 1, starts_at=STARTS_AT)
    assert later.ends_at == STARTS_AT + 21 * DAY
