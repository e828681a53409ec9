"""The plots of a rehearsal's report: every mark stands inside them, and where its figure says."""

from __future__ import annotations

import datetime
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rehearsal.results import DAY, HOUR, START

from rehearsal import plots
from rehearsal.plots import Frame
from rehearsal.result import Change, Day, Hour

FRAME = Frame(START, START + 72 * HOUR)
counts = st.integers(0, 10**12)
moments = st.timedeltas(-7 * DAY, 13 * DAY).map(lambda since: START + since)
frames = st.builds(lambda start, length: Frame(start, start + length * HOUR), moments, st.integers(0, 2_000))
hours = st.lists(st.builds(Hour, moments, counts, counts, counts, counts, counts), max_size=60)
days = st.lists(st.builds(Day, moments, counts, counts), max_size=9)
changes = st.lists(st.builds(Change, moments, st.text(), st.text(), st.text()), max_size=9)


def points(path: str) -> list[tuple[float, float]]:
    """The corners of a path of the commands M, L, H, V and Z."""
    assert not re.sub(r"[MLHVZ][\d. ]*", "", path), f"a command or number that nobody expected: {path[:200]}"
    x = y = 0.0
    found = []
    for command, numbers in re.findall(r"([MLHVZ])([\d. ]*)", path):
        match command, [float(number) for number in numbers.split()]:
            case (("M" | "L"), [x, y]):
                pass
            case "H", [x]:
                pass
            case "V", [y]:
                pass
            case "Z", []:
                continue
            case other:
                raise AssertionError(other)
        found.append((x, y))
    return found


def inside(height: float, *paths: str) -> None:
    for path in paths:
        for x, y in points(path):
            assert 0 <= x <= plots.WIDTH, (x, path[:200])
            assert 0 <= y <= height, (y, path[:200])


# --- inside ---------------------------------------------------------------------------------------------------------
@given(hours, frames)
def test_columns_are_inside(found: list[Hour], frame: Frame) -> None:
    plot = plots.mirror(found, lambda hour: hour.genuine_messages, lambda hour: hour.raid_messages, frame)
    inside(plot.height, plot.upper, plot.lower)
    assert 0 < plot.base <= plot.height
    assert all(0 <= line.y <= plot.height for line in plot.lines)


@given(hours, days, frames)
def test_money_is_inside(found: list[Hour], budgets: list[Day], frame: Frame) -> None:
    plot = plots.spent(found, budgets, frame)
    inside(plot.height, plot.area, plot.cap)
    assert all(0 <= line.y <= plot.height for line in plot.lines)


@given(st.lists(st.floats(0, 1e15), max_size=2_000).map(sorted), st.integers(0, 10**9))
def test_delays_are_inside_and_never_fall(delays: list[float], senders: int) -> None:
    plot = plots.waiting(delays, senders)
    inside(plot.height, plot.line, plot.area)
    corners = points(plot.line)
    assert all(before[0] <= after[0] and before[1] >= after[1] for before, after in itertools.pairwise(corners))
    assert all(0 <= tick.left <= 100 for tick in plot.ticks)


@given(changes, frames)
def test_bands_are_inside_and_cover_the_time(found: list[Change], frame: Frame) -> None:
    bands = plots.bands(found, frame)
    assert all(band.x >= 0 and band.width > 0 and band.x + band.width <= plots.WIDTH + 0.01 for band in bands)
    if frame.ends_at > frame.starts_at:
        assert (bands[0].starts_at, bands[-1].ends_at) == (frame.starts_at, frame.ends_at)
        assert all(before.ends_at == after.starts_at for before, after in itertools.pairwise(bands))


@given(frames)
def test_some_moments_are_named_and_never_too_many(frame: Frame) -> None:
    ticks = plots.ticks(frame)
    assert 1 <= len(ticks) <= 5
    assert all(0 <= tick.x <= plots.WIDTH and 0 <= tick.left <= 100 for tick in ticks)
    assert all(after.left - before.left > 15 for before, after in itertools.pairwise(ticks))


@given(st.lists(counts, max_size=9))
def test_shares_are_per_cent_of_the_largest(values: list[int]) -> None:
    shares = plots.shares(values)
    assert all(0 <= share <= 100 and (share > 0) == (value > 0) for share, value in zip(shares, values, strict=True))
    assert max(shares, default=0) == (100 if any(values) else 0)


# --- where it says --------------------------------------------------------------------------------------------------
def hour(number: int, genuine: int = 0, raid: int = 0, micros: int = 0) -> Hour:
    return Hour(START + number * HOUR, genuine, raid, genuine, raid, micros)


def test_a_moment_stands_at_its_share_of_the_time() -> None:
    assert FRAME.x(START + 18 * HOUR) == 250
    assert FRAME.x(START - HOUR) == 0
    assert FRAME.x(START + 80 * HOUR) == plots.WIDTH


def test_a_column_stands_in_its_hour_and_is_as_high_as_its_line() -> None:
    found = [hour(36, genuine=100), hour(37, raid=10_000)]
    plot = plots.mirror(found, lambda hour: hour.genuine_messages, lambda hour: hour.raid_messages, FRAME)
    up, down = points(plot.upper), points(plot.lower)
    assert min(x for x, _y in up) == 500
    assert min(x for x, _y in down) == pytest.approx(plots.WIDTH * 37 / 72, abs=0.01)
    assert {y for _x, y in up} == {plot.base, next(line.y for line in plot.lines if line.value == 100)}
    assert {y for _x, y in down} == {plot.base, next(line.y for line in plot.lines if line.value == 10_000)}
    assert min(y for _x, y in up) < plot.base < max(y for _x, y in down)


def test_without_a_raid_there_is_no_lower_half() -> None:
    plot = plots.mirror([hour(1, genuine=9)], lambda hour: hour.genuine_messages, lambda hour: 0, FRAME)
    assert plot.lower == ""
    assert plot.base == plot.height


def test_a_single_high_hour_of_a_year_is_not_lost() -> None:
    year = Frame(START, START + 365 * DAY)
    found = [hour(number, genuine=5_000 if number == 4_321 else 1) for number in range(8_760)]
    plot = plots.mirror(found, lambda hour: hour.genuine_messages, lambda hour: 0, year)
    assert len(plot.upper) < 40_000
    assert min(y for _x, y in points(plot.upper)) < next(line.y for line in plot.lines if line.value == 1_000)


def test_money_adds_up_within_a_day_and_begins_again() -> None:
    found = [hour(6, micros=3_000_000), hour(7, micros=2_000_000), hour(8, micros=1_000_000)]
    budgets = [Day(START - 16 * HOUR, 5_000_000, 5_000_000), Day(START + 8 * HOUR, 1_000_000, 5_000_000)]
    plot = plots.spent(found, budgets, FRAME)
    (cap,) = {y for _x, y in points(plot.cap)}
    first, second = plot.area.split("Z")[:2]
    assert min(y for _x, y in points(first)) == cap
    assert min(y for _x, y in points(second)) > cap
    assert points(second)[1] == (round(FRAME.x(found[2].at), 2), plot.height - 1)


def test_who_was_never_answered_keeps_the_curve_down() -> None:
    half = next(line.y for line in plots.waiting([], 0).lines if line.value == 50)
    assert points(plots.waiting([1.0, 2.0], 4).line)[-1] == (plots.WIDTH, half)
    assert {y for _x, y in points(plots.waiting([], 3).line)} == {179.0}


def test_a_level_of_a_moment_is_still_seen() -> None:
    blink = [
        Change(START + HOUR, "normal", "raid", ""),
        Change(START + HOUR + datetime.timedelta(seconds=1), "raid", "normal", ""),
    ]
    assert [band.level for band in plots.bands(blink, FRAME)] == ["normal", "raid", "normal"]
    assert plots.bands(blink, FRAME)[1].width >= 3
    assert [band.level for band in plots.bands([], FRAME)] == ["normal"]


def test_round_moments_are_named() -> None:
    named = [datetime.datetime.fromtimestamp(tick.value, datetime.UTC) for tick in plots.ticks(FRAME)]
    assert named == [START.replace(day=day, hour=0) for day in (28, 29, 30)]
