"""Budgets as arithmetic: windows, what fits, what is settled, what comes at this pace."""

from __future__ import annotations

import datetime
import decimal

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from hotlines.models import Hotline
from organizations import money
from outbox import pace
from shield import budgets
from shield.budgets import Caps, Fate, Kept, Line, Name, Scope, Window

NOON = datetime.datetime(2026, 10, 25, 12, 34, 56, tzinfo=datetime.UTC)
HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)

moments = st.datetimes(
    min_value=datetime.datetime(2020, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    max_value=datetime.datetime(2040, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([datetime.UTC, datetime.timezone(5.5 * HOUR), datetime.timezone(-11 * HOUR)]),
)
amounts = st.none() | st.integers(0, 2000)


def line(caps: Caps) -> Line:
    return Line(Name(Scope.HOTLINE, "1", Window.DAY, NOON), caps)


# --- windows ----------------------------------------------------------------------------------------------------------
@given(moment=moments, window=st.sampled_from(Window))
def test_every_moment_is_in_one_window(moment: datetime.datetime, window: Window) -> None:
    start, end = window.start(moment), window.end(moment)
    assert start <= moment < end
    assert window.end(start) == end
    assert window.start(end) == end
    assert window.start(end - datetime.timedelta(microseconds=1)) == start


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        (Window.HOUR, "2026-10-25 12:00", "2026-10-25 13:00"),
        (Window.DAY, "2026-10-25 00:00", "2026-10-26 00:00"),
        (Window.MONTH, "2026-10-01 00:00", "2026-11-01 00:00"),
    ],
)
def test_windows_are_those_of_utc_also_on_the_day_of_25_hours(window: Window, start: str, end: str) -> None:
    said = (window.start(NOON), window.end(NOON))
    assert tuple(f"{moment:%Y-%m-%d %H:%M}" for moment in said) == (start, end)


# --- what fits --------------------------------------------------------------------------------------------------------
@given(
    caps=st.builds(Caps, amounts, amounts, amounts),
    wishes=st.lists(st.tuples(st.integers(0, 500), st.booleans(), st.integers(0, 50)), max_size=40),
)
def test_nothing_that_fits_passes_a_cap(caps: Caps, wishes: list[tuple[int, bool, int]]) -> None:
    budget = line(caps)
    for micros, new, kept in wishes:
        if not budget.refuses(micros, new_recipient=new, kept=Kept(kept, kept)):
            budget.add(micros, new_recipient=new)
        for used, cap in (
            (budget.added_micros, caps.micros),
            (budget.added_messages, caps.messages),
            (budget.added_recipients, caps.recipients),
        ):
            assert cap is None or used <= cap


def test_what_fits_exactly_fits_and_one_more_does_not() -> None:
    budget = line(Caps(micros=100, messages=2, recipients=1))
    assert not budget.refuses(100, new_recipient=True)
    assert budget.refuses(101)
    budget.add(40, new_recipient=True)
    assert budget.refuses(60, new_recipient=True)
    assert not budget.refuses(60)
    budget.add(60)
    assert budget.refuses(0)


@given(
    caps=st.builds(Caps, amounts, amounts, amounts),
    counted=st.tuples(st.integers(0, 2000), st.integers(0, 50)),
    micros=st.integers(0, 500),
    kept=st.builds(Kept, st.integers(0, 2000), st.integers(0, 50)),
)
def test_there_is_room_for_just_as_many_as_fit(caps: Caps, counted: tuple[int, int], micros: int, kept: Kept) -> None:
    budget = line(caps)
    budget.micros, budget.messages = counted
    room = budget.room(micros, kept)
    for _ in range(min(room, 2100)):
        assert not budget.refuses(micros, kept=kept)
        budget.add(micros)
    assert room > 2100 or budget.refuses(micros, kept=kept)


def test_a_repeat_leaves_the_reserve_to_others() -> None:
    budget = line(Caps(micros=100))
    budget.add(70)
    assert not budget.refuses(10, kept=Kept(20))
    assert budget.refuses(11, kept=Kept(20))
    assert not budget.refuses(30)


# --- settling, forecasting --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fate", "billed", "days", "costs"),
    [
        (Fate.OPEN, 40, 9, None),
        (Fate.NEVER_SENT, None, 0, 0),
        (Fate.NEVER_SENT, 40, 0, 0),
        (Fate.SENT, 40, 0, 40),
        (Fate.SENT, 120, 0, 120),
        (Fate.SENT, 0, 0, 0),
        (Fate.SENT, None, 2.9, None),
        (Fate.SENT, None, 3, 100),
    ],
)
def test_what_a_reply_costs_in_the_end(fate: Fate, billed: int | None, days: float, costs: int | None) -> None:
    assert budgets.settled(fate, 100, billed, days * DAY) == costs


def test_when_it_is_used_up_at_this_pace() -> None:
    start = Window.DAY.start(NOON)
    day, at = Name(Scope.HOTLINE, "1", Window.DAY, start), start + 6 * HOUR
    assert budgets.spent_at(25, 100, day, at) == start + 24 * HOUR
    assert budgets.spent_at(50, 100, day, at) == start + 12 * HOUR
    assert budgets.spent_at(100, 100, day, at) == at
    assert budgets.spent_at(0, 100, day, at) is None
    assert budgets.spent_at(0, 0, day, at) == at
    assert budgets.spent_at(1, 10**15, day, at) is None


def test_a_day_that_has_only_begun_has_no_pace() -> None:
    start = Window.DAY.start(NOON)
    day, minute = Name(Scope.HOTLINE, "1", Window.DAY, start), datetime.timedelta(minutes=1)
    assert budgets.spent_at(1, 25, day, start) == start + 24 * HOUR
    assert budgets.spent_at(1, 25, day, start + minute) == start + minute + 24 * HOUR


# --- money ------------------------------------------------------------------------------------------------------------
def test_money_is_counted_in_millionths_and_never_less_than_it_is() -> None:
    assert money.micros(decimal.Decimal("0.07627")) == 76_270
    assert money.micros(decimal.Decimal("0.0000001")) == 1
    assert money.amount(76_270) == decimal.Decimal("0.07627")


def test_an_amount_is_written_as_its_reader_writes_it() -> None:
    with translation.override("fr"):
        assert money.spoken(1_234_505_000) == "1\N{NO-BREAK SPACE}234,51\N{NO-BREAK SPACE}EUR"
    with translation.override("en"):
        assert money.spoken(1_234_505_000) == "1,234.51\N{NO-BREAK SPACE}EUR"


# --- replies per hour -------------------------------------------------------------------------------------------------
@given(per_hour=st.integers(1, 500), behind=st.floats(-3, 5))
def test_places_are_as_many_as_can_be_taken_one_by_one(per_hour: int, behind: float) -> None:
    rule = pace.of_hour(Hotline(replies_per_hour=per_hour))
    free_at, taken = NOON - behind * HOUR, 0
    free = pace.places(free_at, rule, NOON)
    while (after := pace.moved(free_at, rule, NOON)) is not None and taken <= free:
        free_at, taken = after, taken + 1
    assert taken == free


def test_an_hour_that_nobody_used_is_kept_once() -> None:
    rule = pace.of_hour(Hotline(replies_per_hour=60))
    assert pace.places(NOON - 100 * DAY, rule, NOON) == 120
    assert pace.places(NOON, rule, NOON) == 1
    assert pace.places(NOON + datetime.timedelta(seconds=30), rule, NOON) == 0
