"""Levels: what raises them, what ends them, and that nothing else does (SECURITY.md 3.4)."""

from __future__ import annotations

import datetime
import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shield import levels
from shield.levels import ALARM, CROWD, RAID_CALM, WATCH_CALM, Detected, Money, Signs, after, surge
from shield.words import Cause, Level

NOON = datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC)
MINUTE, HOUR, DAY = (datetime.timedelta(minutes=1), datetime.timedelta(hours=1), datetime.timedelta(days=1))
TICK = datetime.timedelta(microseconds=1)
CALM = Signs()
NORMAL = Detected(Level.NORMAL)
RAID_SIGNS = (Signs(surge=ALARM + 0.01), Signs(largest_text=CROWD + 1))
#: The bins of ten days.
TEN_DAYS = 10 * 288

signs_of_anything = st.builds(
    Signs,
    surge=st.sampled_from([0.0, 0.0, 0.2, ALARM - 0.1, ALARM, ALARM + 0.1, ALARM + 1]),
    largest_text=st.sampled_from([0, 0, 5, CROWD, CROWD + 1, 5000]),
    groups=st.sampled_from([0, 0, 1, 30]),
    deferred=st.booleans(),
)
pauses = st.sampled_from([TICK, MINUTE, HOUR, WATCH_CALM - TICK, WATCH_CALM, RAID_CALM - TICK, RAID_CALM, 3 * DAY])
histories = st.lists(st.tuples(signs_of_anything, pauses), max_size=40)


def poisson(mean: float, chance: random.Random) -> int:
    count, product, limit = 0, chance.random(), math.exp(-mean)
    while product > limit:
        count, product = count + 1, product * chance.random()
    return count


def walk(history: list[tuple[Signs, datetime.timedelta]]) -> list[tuple[datetime.datetime, Signs, Detected]]:
    """What is detected after each of the signs, which are seen so long after those before."""
    found, detected, now = [], NORMAL, NOON
    for signs, pause in history:
        now += pause
        detected, _cause = after(detected, signs, now)
        found.append((now, signs, detected))
    return found


# --- the sum of new senders -------------------------------------------------------------------------------------------
@given(before=st.floats(0, ALARM + 1), new=st.integers(0, 10_000), usual=st.floats(0.1, 500))
def test_the_sum_is_never_negative_and_never_much_more_than_an_alarm(before: float, new: int, usual: float) -> None:
    assert 0 <= surge(before, new, usual) <= ALARM + 1
    assert surge(before, new, usual) <= surge(before, new + 1, usual)
    if new <= 2 * usual:
        assert surge(before, new, usual) <= before
    elif before < ALARM + 1:
        assert surge(before, new, usual) > before


def test_what_comes_above_twice_the_usual_is_added_up() -> None:
    assert surge(0, 3, 1) == 1
    assert surge(1, 5, 1.5) == 3
    assert surge(3, 0, 1) == 1
    assert surge(1, 0, 1) == 0
    assert surge(0, 100_000, 1) == ALARM + 1


@pytest.mark.parametrize("usual", [0.1, 1.0, 5.0])
def test_after_the_worst_raid_the_sum_falls_to_nothing_as_fast_as_after_a_small_one(usual: float) -> None:
    sum_, bins = surge(0, 100_000, usual), 0
    while sum_:
        sum_, bins = surge(sum_, 0, usual), bins + 1
    # So many bins; a 66th may be of what floating point leaves.
    assert bins == pytest.approx((ALARM + 1) / (2 * usual), abs=1)


@pytest.mark.parametrize("usual", [0.1, 0.3, 1.0, 2.5, 5.0])
def test_ten_quiet_days_raise_no_alarm(usual: float) -> None:
    alarms = []
    for seed in range(10):
        chance, sum_, count = random.Random(f"quiet {usual} {seed}"), 0.0, 0
        for _ in range(TEN_DAYS):
            before, sum_ = sum_, surge(sum_, poisson(usual, chance), usual)
            count += before <= ALARM < sum_
        alarms.append(count)
    assert max(alarms) <= 1
    assert sum(alarms) <= 1  # in a hundred days; measured: none


@pytest.mark.parametrize("usual", [0.1, 0.3, 1.0, 2.5, 5.0])
def test_three_times_the_usual_is_an_alarm_after_some_bins(usual: float) -> None:
    took = []
    for seed in range(40):
        chance, sum_, bins = random.Random(f"tripled {usual} {seed}"), 0.0, 0
        while sum_ <= ALARM:
            sum_, bins = surge(sum_, poisson(3 * usual, chance), usual), bins + 1
        took.append(bins)
    # It grows by the usual in each bin.
    expected = ALARM / usual
    assert sorted(took)[len(took) // 2] <= 1.25 * expected + 1
    assert max(took) <= 3.5 * expected + 1


@pytest.mark.parametrize("usual", [0.1, 1.0, 5.0])
def test_a_wave_is_an_alarm_in_its_first_bin(usual: float) -> None:
    assert Signs(surge=surge(0, math.ceil(2 * usual) + 13, usual)).raid is Cause.ARRIVALS


# --- what makes a raid ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("signs", "cause"),
    [
        (CALM, None),
        (Signs(surge=ALARM), None),
        (Signs(surge=math.nextafter(ALARM, 99)), Cause.ARRIVALS),
        (Signs(largest_text=50), None),
        (Signs(largest_text=51), Cause.TEXTS),
        (Signs(surge=ALARM + 1, largest_text=51), Cause.ARRIVALS),
        (Signs(surge=ALARM, largest_text=50, groups=1000, deferred=True), None),
    ],
)
def test_only_a_surge_or_a_crowd_of_like_texts_makes_a_raid(signs: Signs, cause: Cause | None) -> None:
    assert signs.raid is cause
    for before in (NORMAL, Detected(Level.WATCH), Detected(Level.WATCH, NOON)):
        detected, why = after(before, signs, NOON + MINUTE)
        assert (detected.level is Level.RAID) == (cause is not None)
        assert cause is None or why is cause


@pytest.mark.parametrize("signs", RAID_SIGNS)
def test_a_raid_that_goes_on_is_no_change(signs: Signs) -> None:
    for since in (None, NOON, NOON - DAY):
        assert after(Detected(Level.RAID, since), signs, NOON + MINUTE) == (Detected(Level.RAID), None)


# --- watch ------------------------------------------------------------------------------------------------------------
def test_a_group_is_watched_and_two_hours_without_one_end_that() -> None:
    group = Signs(groups=1)
    watch, cause = after(NORMAL, group, NOON)
    assert (watch, cause) == (Detected(Level.WATCH), Cause.GROUP)
    assert after(watch, group, NOON + DAY) == (Detected(Level.WATCH), None)
    calm, cause = after(watch, CALM, NOON + DAY)
    assert (calm, cause) == (Detected(Level.WATCH, NOON + DAY), None)
    assert after(calm, CALM, NOON + DAY + 2 * HOUR - TICK) == (calm, None)
    assert after(calm, CALM, NOON + DAY + 2 * HOUR) == (NORMAL, Cause.CALM)


def test_another_group_begins_the_two_hours_anew() -> None:
    calm = Detected(Level.WATCH, NOON)
    assert after(calm, Signs(groups=1), NOON + HOUR) == (Detected(Level.WATCH), None)


def test_what_is_no_group_and_no_raid_is_normal_and_lengthens_no_watch() -> None:
    busy = Signs(surge=ALARM, largest_text=CROWD, deferred=True)
    assert after(NORMAL, busy, NOON) == (NORMAL, None)
    assert after(Detected(Level.WATCH, NOON), busy, NOON + HOUR) == (Detected(Level.WATCH, NOON), None)
    assert after(Detected(Level.WATCH, NOON), busy, NOON + 2 * HOUR) == (NORMAL, Cause.CALM)


# --- the end of a raid ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("left", [Signs(surge=0.01), Signs(deferred=True), Signs(surge=ALARM, deferred=True)])
def test_a_raid_does_not_end_while_something_is_left_of_it(left: Signs) -> None:
    assert after(Detected(Level.RAID), left, NOON + 30 * DAY) == (Detected(Level.RAID), None)


@pytest.mark.parametrize(("groups", "then"), [(0, Level.NORMAL), (1, Level.WATCH)])
def test_a_raid_ends_six_hours_after_nothing_was_left_of_it(groups: int, then: Level) -> None:
    signs = Signs(groups=groups)
    calm, cause = after(Detected(Level.RAID), signs, NOON)
    assert (calm, cause) == (Detected(Level.RAID, NOON), None)
    assert after(calm, signs, NOON + 6 * HOUR - TICK) == (calm, None)
    assert after(calm, signs, NOON + 6 * HOUR) == (Detected(then), Cause.CALM)


@pytest.mark.parametrize("small", [Signs(surge=5.0), Signs(deferred=True), Signs(groups=3), Signs(surge=ALARM)])
def test_an_ordinary_hour_does_not_begin_the_six_hours_anew(small: Signs) -> None:
    calm = Detected(Level.RAID, NOON)
    assert after(calm, small, NOON + 3 * HOUR) == (calm, None)
    assert after(calm, small, NOON + 6 * HOUR)[1] is Cause.CALM


@pytest.mark.parametrize("signs", RAID_SIGNS)
def test_another_wave_begins_the_six_hours_anew(signs: Signs) -> None:
    again, cause = after(Detected(Level.RAID, NOON), signs, NOON + 5 * HOUR)
    assert (again, cause) == (Detected(Level.RAID), None)
    calm, _ = after(again, CALM, NOON + 5 * HOUR + MINUTE)
    assert after(calm, CALM, NOON + 11 * HOUR) == (calm, None)
    assert after(calm, CALM, NOON + 11 * HOUR + MINUTE) == (NORMAL, Cause.CALM)


@given(histories)
def test_a_raid_is_what_its_signs_and_their_end_make_it(history: list[tuple[Signs, datetime.timedelta]]) -> None:
    """Said once more, from all that was seen: since the last sign of a raid there were no six hours of calm."""
    seen = walk(history)
    for place, (now, _, detected) in enumerate(seen):
        past = seen[: place + 1]
        raids = [at for at, (_, signs, _) in enumerate(past) if signs.raid]
        later = past[raids[-1] + 1 :] if raids else []
        calm = [at for at, signs, _ in later if not (signs.surge or signs.deferred)]
        ended = bool(calm) and now - calm[0] >= RAID_CALM
        assert (detected.level is Level.RAID) == (bool(raids) and not ended), now


@given(histories)
def test_every_change_has_its_cause_and_nothing_else_has_one(
    history: list[tuple[Signs, datetime.timedelta]],
) -> None:
    detected, now, left = NORMAL, NOON, {Level.WATCH: WATCH_CALM, Level.RAID: RAID_CALM}
    for signs, pause in history:
        now += pause
        before, (detected, cause) = detected, after(detected, signs, now)
        assert (cause is None) == (before.level is detected.level)
        assert detected.level is not Level.SILENT
        assert detected.calm_since is None or NOON < detected.calm_since <= now
        if detected.level is Level.RAID and before.level is not Level.RAID:
            assert cause is signs.raid is not None
        elif cause is Cause.GROUP:
            assert signs.groups
            assert (before.level, detected.level) == (Level.NORMAL, Level.WATCH)
        elif cause is not None:
            assert cause is Cause.CALM
            assert signs.raid is None
            assert detected.level in ((Level.NORMAL,) if not signs.groups else (Level.WATCH,))
            assert before.calm_since is not None
            assert now - before.calm_since >= left[before.level]


@given(history=histories, pause=st.sampled_from([MINUTE, 17 * MINUTE, HOUR, 10 * DAY]))
def test_whatever_was_seen_endless_calm_ends_in_normal(
    history: list[tuple[Signs, datetime.timedelta]], pause: datetime.timedelta
) -> None:
    *_, (now, _, detected) = walk([*history, (CALM, TICK)])
    calm = now
    while detected.level is not Level.NORMAL:
        now += pause
        detected, _cause = after(detected, CALM, now)
        assert now <= calm + RAID_CALM + pause
    for _ in range(3):
        now += pause
        assert after(detected, CALM, now) == (NORMAL, None)


# --- what people see --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("detected", "money", "seen"),
    [
        (Level.NORMAL, Money.ENOUGH, Level.NORMAL),
        (Level.NORMAL, Money.HALF, Level.WATCH),
        (Level.NORMAL, Money.SPENT, Level.SILENT),
        (Level.WATCH, Money.ENOUGH, Level.WATCH),
        (Level.WATCH, Money.HALF, Level.WATCH),
        (Level.WATCH, Money.SPENT, Level.SILENT),
        (Level.RAID, Money.ENOUGH, Level.RAID),
        (Level.RAID, Money.HALF, Level.RAID),
        (Level.RAID, Money.SPENT, Level.SILENT),
    ],
)
def test_a_budget_is_shown_and_never_hides_a_raid_but_by_silence(detected: Level, money: Money, seen: Level) -> None:
    assert levels.shown(detected, money) is seen


@pytest.mark.parametrize(
    ("before", "seen", "detected", "money", "cause"),
    [
        (Level.NORMAL, Level.WATCH, Cause.GROUP, Money.ENOUGH, Cause.GROUP),
        (Level.NORMAL, Level.WATCH, None, Money.HALF, Cause.HALF),
        # Both at once: what somebody does to the hotline says more than what it costs.
        (Level.NORMAL, Level.WATCH, Cause.GROUP, Money.HALF, Cause.GROUP),
        (Level.NORMAL, Level.RAID, Cause.ARRIVALS, Money.ENOUGH, Cause.ARRIVALS),
        (Level.WATCH, Level.RAID, Cause.TEXTS, Money.HALF, Cause.TEXTS),
        (Level.RAID, Level.NORMAL, Cause.CALM, Money.ENOUGH, Cause.CALM),
        (Level.RAID, Level.WATCH, Cause.CALM, Money.HALF, Cause.CALM),
        (Level.WATCH, Level.NORMAL, None, Money.ENOUGH, Cause.ROOM),
        (Level.NORMAL, Level.SILENT, None, Money.SPENT, Cause.SPENT),
        (Level.NORMAL, Level.SILENT, Cause.TEXTS, Money.SPENT, Cause.SPENT),
        (Level.RAID, Level.SILENT, Cause.CALM, Money.SPENT, Cause.SPENT),
        (Level.SILENT, Level.NORMAL, None, Money.ENOUGH, Cause.ROOM),
        (Level.SILENT, Level.WATCH, None, Money.HALF, Cause.HALF),
        (Level.SILENT, Level.RAID, None, Money.ENOUGH, Cause.ROOM),
        # It was calm before, and nobody was shown: what people see is that it may answer again.
        (Level.SILENT, Level.NORMAL, Cause.CALM, Money.ENOUGH, Cause.ROOM),
    ],
)
def test_why_people_see_another_level(
    before: Level, seen: Level, detected: Cause | None, money: Money, cause: Cause
) -> None:
    assert levels.reason(before, seen, detected, money) is cause


def test_a_raid_that_begins_as_a_budget_is_renewed_is_named() -> None:
    detected, cause = after(NORMAL, RAID_SIGNS[1], NOON)
    seen = levels.shown(detected.level, Money.ENOUGH)
    assert seen is Level.RAID
    assert levels.reason(Level.SILENT, seen, cause, Money.ENOUGH) is Cause.TEXTS


def test_what_a_budget_says_is_said_where_nothing_was_detected() -> None:
    causes = (None, *Cause)
    for before, detected, cause, money in itertools.product(Level, (Level.NORMAL, Level.WATCH), causes, Money):
        seen = levels.shown(detected, money)
        why = levels.reason(before, seen, cause, money)
        assert isinstance(why, Cause)
        if money is Money.SPENT:
            assert (seen, why) == (Level.SILENT, Cause.SPENT)
        elif cause is None:
            assert why is {Money.HALF: Cause.HALF, Money.ENOUGH: Cause.ROOM}[money]
