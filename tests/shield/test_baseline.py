"""What is usual is learned from the hotline itself, hour by hour, and what is long ago is forgotten."""

from __future__ import annotations

import datetime
import json
import math
import random
import zoneinfo
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shield.baseline import BIN, BINS_PER_HOUR, FLOOR, HOURS_PER_WEEK, Baseline, Mean, bin_of, hour_of_week, load

MINUTE, HOUR, DAY = (datetime.timedelta(minutes=1), datetime.timedelta(hours=1), datetime.timedelta(days=1))
PARIS = zoneinfo.ZoneInfo("Europe/Paris")
MONDAY = datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC)
#: The hotline of most tests: a quarter of 60 replies per hour is expected, a twelfth of that in a bin.
PER_HOUR, EXPECTED = 60, 1.25

zones = st.sampled_from(
    [datetime.UTC, PARIS, *map(zoneinfo.ZoneInfo, ("America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"))]
)
moments = st.datetimes(
    min_value=datetime.datetime(2020, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    max_value=datetime.datetime(2040, 1, 1),  # noqa: DTZ001
    timezones=st.just(datetime.UTC),
)
#: Bins that somebody learned: how many came, how long after the one before, and what they wrote.
learned = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.sampled_from([BIN, HOUR, DAY, 40 * DAY]),
        st.dictionaries(st.sampled_from(["salut", "yo", ""]), st.integers(1, 50)),
    ),
    max_size=30,
)


def taught(bins: list[tuple[int, datetime.timedelta, dict[str, int]]], per_hour: int = PER_HOUR) -> Baseline:
    baseline, at = Baseline(per_hour), MONDAY
    for count, pause, greetings in bins:
        baseline.learn(count, at)
        baseline.learn_greetings(greetings, at)
        at += pause
    return baseline


def fed(
    baseline: Baseline, bins: int, count: Callable[[datetime.datetime], int], start: datetime.datetime = MONDAY
) -> datetime.datetime:
    """Learn so many bins in a row; returns when the last one is over."""
    for place in range(bins):
        baseline.learn(count(start + place * BIN), start + place * BIN)
    return start + bins * BIN


def poisson(mean: float, chance: random.Random) -> int:
    count, product, limit = 0, chance.random(), math.exp(-mean)
    while product > limit:
        count, product = count + 1, product * chance.random()
    return count


# --- bins and hours ---------------------------------------------------------------------------------------------------
@given(moments)
def test_every_moment_is_in_one_bin(moment: datetime.datetime) -> None:
    start = bin_of(moment)
    assert start <= moment < start + BIN
    assert bin_of(start) == start == bin_of(start + BIN - datetime.timedelta(microseconds=1))
    assert bin_of(start + BIN) == start + BIN
    assert start.minute % 5 == start.second == start.microsecond == 0


@given(moment=moments, zone=zones)
def test_a_bin_lies_in_one_hour_of_the_week_in_every_zone(moment: datetime.datetime, zone: datetime.tzinfo) -> None:
    start = bin_of(moment)
    local, last = (at.astimezone(zone) for at in (start, start + BIN - datetime.timedelta(microseconds=1)))
    assert 0 <= hour_of_week(local) == hour_of_week(last) < HOURS_PER_WEEK
    assert (hour_of_week(local) % 24, hour_of_week(local) // 24) == (local.hour, local.weekday())


def test_the_bin_of_the_second_of_two_like_hours_is_in_that_hour() -> None:
    second = datetime.datetime(2026, 10, 25, 1, 33, tzinfo=datetime.UTC).astimezone(PARIS)
    assert second.fold
    assert bin_of(second).timestamp() == second.timestamp() - 180


def test_the_week_begins_on_monday_at_midnight() -> None:
    assert [hour_of_week(MONDAY + hour * HOUR) for hour in range(HOURS_PER_WEEK)] == list(range(HOURS_PER_WEEK))


def test_on_the_days_when_clocks_are_set_an_hour_is_learned_twice_or_not_at_all() -> None:
    sunday_at_two = 6 * 24 + 2
    for first, times in ((datetime.datetime(2026, 3, 23), 0), (datetime.datetime(2026, 10, 19), 2)):  # noqa: DTZ001
        baseline = Baseline(PER_HOUR)
        start = first.replace(tzinfo=PARIS).astimezone(datetime.UTC)
        end = (first + 7 * DAY).replace(tzinfo=PARIS).astimezone(datetime.UTC)
        for place in range((end - start) // BIN):
            baseline.learn(1, (start + place * BIN).astimezone(PARIS))
        weights = [cell.weight for cell in baseline.cells]
        assert weights.pop(sunday_at_two) == pytest.approx(times * BINS_PER_HOUR, abs=0.1)
        assert all(weight == pytest.approx(BINS_PER_HOUR, abs=0.1) for weight in weights)


def test_people_keep_their_hours_when_clocks_are_set() -> None:
    """What is usual on Monday at six in the evening is so in winter and in summer."""
    baseline, start = Baseline(PER_HOUR), datetime.datetime(2026, 3, 9, tzinfo=PARIS)
    for place in range(14 * 288):
        local = (start.astimezone(datetime.UTC) + place * BIN).astimezone(PARIS)
        baseline.learn(20 if local.hour == 18 else 0, local)
    summer = datetime.datetime(2026, 3, 30, tzinfo=PARIS)
    busiest = max(range(24), key=lambda hour: baseline.usual(summer.replace(hour=hour)))
    assert busiest == 18
    assert baseline.usual(summer.replace(hour=18)) > 10 * baseline.usual(summer.replace(hour=17))


# --- a mean -----------------------------------------------------------------------------------------------------------
def test_what_lies_two_weeks_back_weighs_one_over_e() -> None:
    baseline = Baseline(PER_HOUR)
    baseline.learn(10, MONDAY)
    baseline.learn(0, MONDAY + 14 * DAY)
    for mean in (baseline.overall, baseline.cells[0]):
        assert mean.total == pytest.approx(10 / math.e)
        assert mean.weight == pytest.approx(1 + 1 / math.e)
        assert mean.decayed(MONDAY + 28 * DAY) == pytest.approx(10 / math.e**2)
    assert not any(cell.weight for cell in baseline.cells[1:])


@given(
    values=st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 40 * 24)), min_size=1, max_size=30),
    prior=st.floats(0, 100),
    weight=st.floats(0.1, 1000),
)
def test_a_mean_lies_between_what_was_seen_also_where_it_came_late(
    values: list[tuple[int, int]], prior: float, weight: float
) -> None:
    mean = Mean()
    for value, hours in values:
        mean.add(value, MONDAY + hours * HOUR)
    seen = [value for value, _ in values]
    assert 1 <= mean.weight <= len(values)
    assert min(seen) - 1e-6 <= mean.total / mean.weight <= max(seen) + 1e-6
    assert min(*seen, prior) - 1e-6 <= mean.blended(prior, weight) <= max(*seen, prior) + 1e-6
    assert mean.decayed(MONDAY) <= mean.total


# --- what is usual ----------------------------------------------------------------------------------------------------
@given(bins=learned, per_hour=st.integers(0, 500), hours=st.integers(0, 10_000))
def test_there_is_always_something_usual(
    bins: list[tuple[int, datetime.timedelta, dict[str, int]]], per_hour: int, hours: int
) -> None:
    usual = taught(bins, per_hour).usual(MONDAY + hours * HOUR)
    assert FLOOR <= usual <= max([FLOOR, per_hour / 48, *(count for count, _, _ in bins)]) + 1e-6


def test_a_new_hotline_is_expected_to_receive_a_quarter_of_what_it_may_answer() -> None:
    assert {Baseline(PER_HOUR).usual(MONDAY + hour * HOUR) for hour in range(HOURS_PER_WEEK)} == {EXPECTED}
    assert Baseline(1).usual(MONDAY) == FLOOR


@pytest.mark.parametrize("count", [0, 8])
def test_what_was_expected_fades_within_a_day(count: int) -> None:
    baseline, at, usual = Baseline(PER_HOUR), MONDAY, [EXPECTED]
    for _ in range(24):
        at = fed(baseline, BINS_PER_HOUR, lambda _: count, at)
        # Nobody has written at this hour of the week yet, so it is that of all hours.
        usual.append(baseline.usual(at))
    away = [abs(one - max(count, FLOOR)) for one in usual]
    assert away == sorted(away, reverse=True)
    # Half of it after half a day, and after a day what little of the day itself was forgotten.
    assert away[12] == pytest.approx(away[0] / 2, rel=0.2)
    assert away[24] <= 0.05 * away[0]


def test_what_people_allow_a_hotline_is_forgotten_after_two_days() -> None:
    small, large = Baseline(1), Baseline(10_000)
    for baseline in (small, large):
        at = fed(baseline, 2 * 288, lambda _: 3)
    assert small.usual(at) == large.usual(at) == pytest.approx(3)


def test_an_hours_own_bins_weigh_as_much_as_the_others_when_there_are_two_weeks_of_them() -> None:
    baseline = Baseline(PER_HOUR)
    at = fed(baseline, 14 * 288, lambda _: 0)
    baseline.cells[1] = Mean(24 * 6.0, 24.0, at.timestamp())
    assert baseline.usual(at + HOUR) == pytest.approx(3)
    baseline.cells[1] = Mean(72 * 6.0, 72.0, at.timestamp())
    assert baseline.usual(at + HOUR) == pytest.approx(4.5)


def test_an_hour_is_expected_to_be_as_it_is_on_other_days() -> None:
    """Mondays are unknown; on the six other days 6 came in five minutes of that hour, and 2 in others."""
    baseline = Baseline(PER_HOUR, overall=Mean(2000.0, 1000.0, MONDAY.timestamp()))
    for day in range(1, 7):
        baseline.cells[24 * day + 20] = Mean(16 * 6.0, 16.0, MONDAY.timestamp())
    assert baseline.usual(MONDAY + 20 * HOUR) == pytest.approx((96 * 6 + 24 * 2) / (96 + 24))
    assert baseline.usual(MONDAY + 19 * HOUR) == pytest.approx(2)


# --- expected ---------------------------------------------------------------------------------------------------------
def test_a_hotline_that_has_seen_nothing_expects_nobody() -> None:
    assert Baseline(PER_HOUR).expected(MONDAY, MONDAY + DAY, PARIS) == 0


def test_what_is_expected_of_a_day_is_what_came_on_others() -> None:
    baseline = Baseline(PER_HOUR)
    end = fed(baseline, 28 * 288, lambda at: at.hour >= 20)
    assert baseline.expected(end, end + DAY, datetime.UTC) == pytest.approx(48, rel=0.15)
    evening = baseline.expected(end + 20 * HOUR, end + DAY, datetime.UTC)
    assert evening == pytest.approx(48, rel=0.15)
    assert baseline.expected(end + 12 * HOUR, end + 16 * HOUR, datetime.UTC) < evening / 10


def test_after_an_hour_less_is_expected_than_after_a_day() -> None:
    """Otherwise a new hotline whose first hour was busy would keep all for those who never come."""
    young, grown = Baseline(PER_HOUR), Baseline(PER_HOUR)
    fed(young, 12, lambda _: 2)
    fed(grown, 288, lambda _: 2)
    assert grown.expected(MONDAY, MONDAY + DAY, datetime.UTC) == pytest.approx(576, rel=0.05)
    assert young.expected(MONDAY, MONDAY + DAY, datetime.UTC) == pytest.approx(576 / 24, rel=0.05)


@given(bins=learned, start=moments, minutes=st.lists(st.integers(0, 2000), min_size=2, max_size=2), zone=zones)
def test_what_is_expected_of_two_times_is_what_is_expected_of_both(
    bins: list[tuple[int, datetime.timedelta, dict[str, int]]],
    start: datetime.datetime,
    minutes: list[int],
    zone: datetime.tzinfo,
) -> None:
    """Also where the clocks go forward or back between them, and in zones that differ by half an hour."""
    baseline = taught(bins)
    middle = start + minutes[0] * MINUTE
    end = middle + minutes[1] * MINUTE
    both = baseline.expected(start, middle, zone) + baseline.expected(middle, end, zone)
    assert baseline.expected(start, end, zone) == pytest.approx(both, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_shape_of_a_week_is_learned_in_two(seed: int) -> None:
    chance, baseline = random.Random(seed), Baseline(PER_HOUR)

    def rate(at: datetime.datetime) -> float:
        return (0.3, 0.3, 1, 2, 4, 6)[at.hour // 4] * (2 if at.weekday() >= 5 else 1)

    end = fed(baseline, 14 * 288, lambda at: poisson(rate(at), chance))
    hours = [end + hour * HOUR for hour in range(HOURS_PER_WEEK)]
    mean = baseline.overall.total / baseline.overall.weight
    assert mean == pytest.approx(sum(map(rate, hours)) / HOURS_PER_WEEK, rel=0.1)
    off = []
    for at in hours:
        # Twelve bins of its own in each week, of which some are forgotten; six times as many of this hour on other
        # days, and 24 of all hours; the rest is chance.
        own = 12 * (1 + math.exp(-1 / 2))
        others = sum(rate(at + day * DAY) for day in range(1, 7)) / 6
        expected = (own * rate(at) + 24 * (6 * own * others + 24 * mean) / (6 * own + 24)) / (own + 24)
        off.append((baseline.usual(at) - expected) / (math.sqrt(own * rate(at)) / (own + 24)))
    assert max(map(abs, off)) < 4.5
    assert abs(sum(off)) / len(off) < 0.5
    night, evening = (sum(baseline.usual(at) for at in hours if at.hour // 4 == part) for part in (0, 5))
    assert evening > 2 * night


# --- greetings --------------------------------------------------------------------------------------------------------
def greeted(share: int = 2, days: int = 14) -> tuple[Baseline, datetime.datetime]:
    """Of four new senders in each bin so many write "salut"; at night nobody writes."""
    baseline, at = Baseline(PER_HOUR), MONDAY
    for _ in range(days * 288):
        awake = at.hour >= 8
        baseline.learn(4 * awake, at)
        baseline.learn_greetings({"salut": share} if awake else {}, at)
        at += BIN
    return baseline, at


def test_a_greeting_is_not_usual_until_five_have_written_it() -> None:
    baseline = Baseline(PER_HOUR)
    for place in range(5):
        at = MONDAY + place * BIN
        baseline.learn(10, at)
        baseline.learn_greetings({"salut": 1, "yo": 2}, at)
        # Of the fifth a little is forgotten by then, and of the sixth as well.
        assert (baseline.usual_greetings("yo", at) > 0) is (place >= 2)
        assert baseline.usual_greetings("salut", at) == baseline.usual_greetings("never", at) == 0
    baseline.learn_greetings({"salut": 1}, at)
    assert baseline.usual_greetings("salut", at) > 0


def test_a_greeting_of_which_no_bin_was_learned_is_not_usual() -> None:
    baseline = Baseline(PER_HOUR)
    baseline.learn_greetings({"salut": 50}, MONDAY)
    assert baseline.usual_greetings("salut", MONDAY) == 0


@pytest.mark.parametrize("share", [1, 2, 4])
def test_a_greeting_is_as_usual_as_its_share_of_the_hour(share: int) -> None:
    baseline, end = greeted(share)
    noon, night = end + 12 * HOUR, end + 3 * HOUR
    for at in (noon, night):
        expected = share / 4 * baseline.usual(at) * BINS_PER_HOUR
        assert baseline.usual_greetings("salut", at) == pytest.approx(expected, rel=0.05)
    ratio = baseline.usual(noon) / baseline.usual(night)
    assert ratio > 1.5
    said = [baseline.usual_greetings("salut", at) for at in (noon, night)]
    assert said[0] / said[1] == pytest.approx(ratio, rel=0.05)


def test_a_greeting_is_never_more_usual_than_all_who_write() -> None:
    """Where hardly anybody wrote, what is learned of a greeting is no more than a guess."""
    baseline = Baseline(PER_HOUR)
    baseline.learn(1, MONDAY)
    baseline.learn_greetings({"salut": 5}, MONDAY)
    assert baseline.usual_greetings("salut", MONDAY) == pytest.approx(baseline.usual(MONDAY) * BINS_PER_HOUR)


def test_what_nobody_writes_any_more_is_forgotten() -> None:
    baseline = Baseline(PER_HOUR)
    baseline.learn_greetings({"once": 1, "often": 20}, MONDAY)
    baseline.learn_greetings({}, MONDAY + 22 * DAY)
    assert set(baseline.greetings) == {"once", "often"}
    baseline.learn_greetings({}, MONDAY + 23 * DAY)
    assert set(baseline.greetings) == {"often"}
    baseline.learn_greetings({"new": 1}, MONDAY + 65 * DAY)
    assert set(baseline.greetings) == {"new"}


def test_texts_that_are_never_written_twice_do_not_add_up() -> None:
    """A raid of short texts must not fill a row: what is kept is what came in the last 23 days."""
    baseline = Baseline(PER_HOUR)
    for day in range(60):
        baseline.learn_greetings({f"text {day} {number}": 1 for number in range(20)}, MONDAY + day * DAY)
    assert len(baseline.greetings) == 23 * 20


def test_what_is_usual_does_not_wither_while_a_raid_keeps_it_from_being_learned() -> None:
    baseline, end = greeted()
    week = end + 7 * DAY
    assert baseline.usual(week) == baseline.usual(end)
    share = [baseline.usual_greetings("salut", at) / baseline.usual(at) for at in (end, end + 3 * DAY)]
    assert share[1] == pytest.approx(share[0], rel=0.05)


# --- in a row ---------------------------------------------------------------------------------------------------------
@given(bins=learned, per_hour=st.integers(1, 500))
def test_what_was_learned_survives_its_row(
    bins: list[tuple[int, datetime.timedelta, dict[str, int]]], per_hour: int
) -> None:
    baseline = taught(bins, per_hour)
    data = json.loads(json.dumps(baseline.dump()))
    again = load(data, per_hour)
    assert again.dump() == data
    assert set(again.greetings) == set(baseline.greetings)
    for hours in (0, 5, 100, 2000):
        at = MONDAY + hours * HOUR
        assert again.usual(at) == pytest.approx(baseline.usual(at), rel=1e-3, abs=1e-3)
    # What is learned from then on is the same too, also at the edge where a greeting becomes common.
    for one in (baseline, again):
        one.learn(7, MONDAY + 2000 * HOUR)
        one.learn_greetings({"salut": 9}, MONDAY + 2000 * HOUR)
    said = [one.usual_greetings("salut", MONDAY + 2000 * HOUR) for one in (baseline, again)]
    assert said[0] == pytest.approx(said[1], rel=1e-3, abs=1e-3)
    assert said[0] > 0


def test_an_empty_row_is_a_new_hotline() -> None:
    assert load({}, PER_HOUR) == Baseline(PER_HOUR) == load(Baseline(PER_HOUR).dump(), PER_HOUR)


def test_two_hotlines_share_nothing() -> None:
    one, other = Baseline(PER_HOUR), Baseline(PER_HOUR)
    one.learn(5, MONDAY)
    one.learn_greetings({"salut": 5}, MONDAY)
    assert other == Baseline(PER_HOUR)
    assert sum(cell.weight for cell in one.cells) == 1
