"""What a listing proves about calls without an answer: judged against what the provider really took."""

from __future__ import annotations

import datetime
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from outbox.settle import CLOCK_MARGIN, Absent, Attempt, Found, decide
from providers.base import LogEntry
from providers.masks import could_be

NOON = datetime.datetime(2026, 11, 2, 12, tzinfo=datetime.UTC)
LEASE = datetime.timedelta(seconds=60)
SOURCES = ("33937000001", "33937000002")
#: Two of them share all but the last three digits.
NUMBERS = ("33639980101", "33639980102", "33639981101", "4915112345678")


def seconds(number: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=number)


@st.composite
def stories(draw: st.DrawFn, *, masks: bool, strangers: bool) -> tuple[list[Attempt], list[LogEntry], dict[int, str]]:
    """Attempts, the whole log of their time, and the id of what was taken of each.

    One reply of a conversation is in flight, so that no two attempts of these seconds share number and hotline.
    """
    pairs = draw(st.lists(st.sampled_from([(s, n) for s in SOURCES for n in NUMBERS]), unique=True, max_size=6))
    attempts, entries, taken = [], [], {}
    for reply, (source, number) in enumerate(pairs):
        claimed_at = NOON + seconds(draw(st.integers(0, 400)))
        known = draw(st.booleans()) or not masks
        attempts.append(Attempt(reply, source, number if known else None, claimed_at))
        if draw(st.booleans()):
            taken[reply] = f"id-{reply}"
            # The call lasts as long as its lease at most; the two clocks differ by two minutes at most.
            at = claimed_at + seconds(draw(st.integers(0, 60))) + seconds(draw(st.integers(-120, 120)))
            hidden = masks and draw(st.booleans())
            entries.append(LogEntry(f"id-{reply}", False, source, number[:-3] + "XXX" if hidden else number, at))
    if strangers:
        for n in range(draw(st.integers(0, 3))):
            at = NOON + seconds(draw(st.integers(-200, 700)))
            entries.append(LogEntry(f"x-{n}", draw(st.booleans()), draw(_number), draw(_number), at))
    return attempts, draw(st.permutations(entries)), taken


_number = st.sampled_from([*SOURCES, *NUMBERS, "33639980XXX", "", "InfoSMS", "+33 6 39 98 01 01", "***", "33639"])


@given(stories(masks=False, strangers=False))
def test_with_plain_numbers_everything_is_known(story: tuple[list[Attempt], list[LogEntry], dict[int, str]]) -> None:
    attempts, entries, taken = story
    verdicts = decide(attempts, entries, LEASE)
    told = {reply: verdict.entry.id for reply, verdict in verdicts.items() if isinstance(verdict, Found)}
    assert told == taken
    assert {reply for reply, verdict in verdicts.items() if verdict == Absent()} == set(range(len(attempts))) - set(
        taken
    )


@given(stories(masks=True, strangers=False))
def test_with_hidden_ends_what_is_said_is_true(story: tuple[list[Attempt], list[LogEntry], dict[int, str]]) -> None:
    attempts, entries, taken = story
    for reply, verdict in decide(attempts, entries, LEASE).items():
        if isinstance(verdict, Found):
            assert taken.get(reply) == verdict.entry.id
        if verdict == Absent():
            assert reply not in taken


@given(stories(masks=True, strangers=True), st.sampled_from(["provable", "absent_before"]))
def test_nothing_that_was_taken_is_ever_absent(
    story: tuple[list[Attempt], list[LogEntry], dict[int, str]], doubt: str
) -> None:
    attempts, entries, taken = story
    absent = {reply for reply, verdict in decide(attempts, entries, LEASE).items() if verdict == Absent()}
    assert not absent & set(taken)
    doubtful = [replace(attempt, **{doubt: doubt == "absent_before"}) for attempt in attempts]
    assert Absent() not in decide(doubtful, entries, LEASE).values()


def test_one_hidden_entry_for_two_is_nobodys() -> None:
    attempts = [Attempt(0, SOURCES[0], NUMBERS[0], NOON), Attempt(1, SOURCES[0], NUMBERS[1], NOON)]
    entry = LogEntry("id", False, SOURCES[0], "33639980XXX", NOON)
    assert decide(attempts, [entry], LEASE) == {0: None, 1: None}
    assert decide(attempts[:1], [entry], LEASE) == {0: Found(entry)}
    assert decide(attempts[:1], [entry, replace(entry, id="id-2")], LEASE) == {0: None}


def test_the_window_reaches_from_a_margin_before_to_a_margin_after_the_lease() -> None:
    attempt = Attempt(0, SOURCES[0], NUMBERS[0], NOON)
    entry = LogEntry("id", False, SOURCES[0], NUMBERS[0], NOON)
    for at in (NOON - CLOCK_MARGIN, NOON + LEASE + CLOCK_MARGIN):
        there = replace(entry, at=at)
        assert decide([attempt], [there], LEASE) == {0: Found(there)}
    for at in (NOON - CLOCK_MARGIN - seconds(1), NOON + LEASE + CLOCK_MARGIN + seconds(1)):
        assert decide([attempt], [replace(entry, at=at)], LEASE) == {0: Absent()}


def test_numbers_that_may_be_another() -> None:
    number = "+33639980101"
    maybe = ["33639980101", "+33639980101", "33639980XXX", "33639980***", "33639980", "336 39 98 01 01", "", "XXX"]
    maybe += ["InfoSMS", "XXX39980101", "0639980101", "33639980101XXX", "33-6"]
    never = ["33639980102", "33639981XXX", "336399801011", "4915112345678", "44XXX", "33639980102 "]
    assert [could_be(written, number) for written in maybe] == [True] * len(maybe)
    assert [could_be(written, number) for written in never] == [False] * len(never)
