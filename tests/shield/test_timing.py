from __future__ import annotations

import datetime
import zoneinfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hotlines.policy import Policy
from shield import timing

UTC = datetime.UTC
PARIS = zoneinfo.ZoneInfo("Europe/Paris")
MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)

#: By clock changes: an hour in spring and autumn, at midnight, of half an hour, of two hours, in Ramadan, none, +14 h.
ZONES = [
    zoneinfo.ZoneInfo(name)
    for name in (
        "Europe/Paris",
        "America/Havana",
        "America/Asuncion",
        "Australia/Lord_Howe",
        "Antarctica/Troll",
        "Africa/Casablanca",
        "Africa/Cairo",
        "Asia/Kolkata",
        "Pacific/Apia",
        "America/New_York",
        "UTC",
    )
]
FIRST, LAST = datetime.datetime.fromisoformat("2011-01-01"), datetime.datetime.fromisoformat("2030-01-01")
moments = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
clocks = st.one_of(
    st.sampled_from([datetime.time(hour, minute) for hour in (0, 1, 2, 3, 22, 23) for minute in (0, 15, 30, 45)]),
    st.times(),
)
chances = st.floats(0, 1, exclude_max=True)


def policy(quiet: tuple[str, str] | None = None, *, delay: int = 0, jitter: int = 0, zone: object = PARIS) -> Policy:
    """`quiet` as two clock times, `delay` and `jitter` in minutes."""
    start, end = (datetime.time.fromisoformat(clock) for clock in quiet) if quiet else (None, None)
    assert isinstance(zone, zoneinfo.ZoneInfo)
    return Policy(
        reply_limit=5,
        window=24 * HOUR,
        block_time=24 * HOUR,
        safety_delay=MINUTE * delay,
        jitter=MINUTE * jitter,
        quiet_from=start,
        quiet_until=end,
        time_zone=zone,
    )


def paris(text: str) -> datetime.datetime:
    """A local time of Paris, `fold=1` where the text ends in `'`."""
    moment = datetime.datetime.fromisoformat(text.rstrip("'")).replace(tzinfo=PARIS)
    return moment.replace(fold=1) if text.endswith("'") else moment


def due(rules: Policy, now: str, chance: float = 0.0) -> str:
    """When a reply decided at `now` is due, as Paris's clock shows it."""
    return timing.due_at(rules, paris(now), chance).astimezone(PARIS).isoformat(timespec="minutes")


@given(now=moments, delay=st.integers(1, 360), jitter=st.integers(0, 120), chance=chances)
def test_the_jitter_is_added_to_the_delay_and_stays_below_its_bound(
    now: datetime.datetime, delay: int, jitter: int, chance: float
) -> None:
    rules = policy(delay=delay, jitter=jitter)
    at = timing.due_at(rules, now, chance)
    assert now + rules.safety_delay <= at <= now + rules.safety_delay + rules.jitter
    assert timing.due_at(rules, now, 0.0) == now + rules.safety_delay
    assert timing.due_at(rules, now, 0.5) == now + rules.safety_delay + rules.jitter / 2


@given(now=moments, jitter=st.integers(0, 120), chance=chances)
def test_without_a_delay_there_is_no_jitter(now: datetime.datetime, jitter: int, chance: float) -> None:
    assert timing.due_at(policy(jitter=jitter), now, chance) == now


@settings(max_examples=500)
@given(
    now=moments,
    start=clocks,
    end=clocks,
    delay=st.integers(0, 360),
    jitter=st.integers(0, 120),
    chance=chances,
    zone=st.sampled_from(ZONES),
)
# Awake only from 2 to 3 of the clock, on the night that skips that hour; and around the hour that comes twice.
@example(paris("2026-03-29T01:30"), datetime.time(3), datetime.time(2), 0, 60, 0.9, PARIS)
@example(paris("2026-03-29T01:30"), datetime.time(2, 30), datetime.time(1, 45), 0, 60, 0.9, PARIS)
@example(paris("2026-10-25T02:15"), datetime.time(22), datetime.time(2, 30), 0, 90, 0.5, PARIS)
@example(paris("2026-10-25T02:15'"), datetime.time(22), datetime.time(2, 30), 0, 90, 0.5, PARIS)
# Awake for one hour of the day, and two hours of jitter.
@example(paris("2026-06-01T12:00"), datetime.time(8), datetime.time(7), 0, 120, 0.9, PARIS)
def test_a_reply_is_never_due_in_quiet_hours_nor_before_its_delay(
    now: datetime.datetime,
    start: datetime.time,
    end: datetime.time,
    delay: int,
    jitter: int,
    chance: float,
    zone: zoneinfo.ZoneInfo,
) -> None:
    rules = policy((start.isoformat(), end.isoformat()), delay=delay, jitter=jitter, zone=zone)
    at = timing.due_at(rules, now, chance)
    clock = at.astimezone(zone).time()
    quiet = start != end and (start <= clock < end if start < end else not end <= clock < start)
    assert not quiet
    assert at >= now + rules.safety_delay
    # A night, a day that a country skipped, and the spread.
    assert at <= now + rules.safety_delay + rules.jitter * 2 + 49 * HOUR


def test_quiet_hours_over_midnight_end_on_the_right_day() -> None:
    night = policy(("22:00", "07:00"))
    assert due(night, "2026-06-01T21:59") == "2026-06-01T21:59+02:00"
    assert due(night, "2026-06-01T22:00") == "2026-06-02T07:00+02:00"
    assert due(night, "2026-06-02T06:59") == "2026-06-02T07:00+02:00"
    assert due(night, "2026-06-02T07:00") == "2026-06-02T07:00+02:00"


def test_quiet_hours_within_a_day() -> None:
    noon = policy(("12:00", "14:00"))
    assert due(noon, "2026-06-01T11:59") == "2026-06-01T11:59+02:00"
    assert due(noon, "2026-06-01T12:00") == "2026-06-01T14:00+02:00"
    assert due(noon, "2026-06-01T14:00") == "2026-06-01T14:00+02:00"


def test_the_delay_counts_before_quiet_hours_do() -> None:
    assert due(policy(("22:00", "07:00"), delay=60), "2026-06-01T21:30") == "2026-06-02T07:00+02:00"
    assert due(policy(("22:00", "07:00"), delay=60), "2026-06-02T06:30") == "2026-06-02T07:30+02:00"


def test_replies_of_a_night_are_spread_by_the_jitter() -> None:
    night = policy(("22:00", "07:00"), delay=60, jitter=30)
    assert [due(night, "2026-06-01T23:00", chance) for chance in (0.0, 0.5, 0.9)] == [
        "2026-06-02T07:00+02:00",
        "2026-06-02T07:15+02:00",
        "2026-06-02T07:27+02:00",
    ]


def test_the_spread_never_reaches_the_next_quiet_hours() -> None:
    assert due(policy(("08:00", "07:00"), jitter=120), "2026-06-01T12:00", 0.5) == "2026-06-02T07:30+02:00"


def test_the_night_clocks_go_forward() -> None:
    """2026-03-29, 02:00 is 03:00."""
    assert due(policy(("22:00", "07:00")), "2026-03-28T23:00") == "2026-03-29T07:00+02:00"
    assert due(policy(("22:00", "02:30")), "2026-03-29T01:59") == "2026-03-29T03:30+02:00"
    assert due(policy(("03:00", "02:00")), "2026-03-29T01:30") == "2026-03-30T02:00+02:00"


def test_the_night_clocks_go_back() -> None:
    """2026-10-25, 03:00 is 02:00 again: quiet hours that end between the two end after the second."""
    assert due(policy(("22:00", "07:00")), "2026-10-24T23:00") == "2026-10-25T07:00+01:00"
    assert due(policy(("22:00", "02:30")), "2026-10-25T02:15") == "2026-10-25T02:30+01:00"
    assert due(policy(("22:00", "02:30")), "2026-10-25T02:15'") == "2026-10-25T02:30+01:00"
    assert due(policy(("22:00", "02:30"), jitter=90), "2026-10-25T02:15", 0.5) == "2026-10-25T03:15+01:00"


def test_half_given_or_empty_quiet_hours_are_none() -> None:
    now = paris("2026-06-01T23:00")
    for start, end in ((None, datetime.time(7)), (datetime.time(22), None), (datetime.time(7), datetime.time(7))):
        rules = Policy(reply_limit=1, window=HOUR, block_time=HOUR, quiet_from=start, quiet_until=end, time_zone=PARIS)
        assert timing.due_at(rules, now, 0.5) == now
