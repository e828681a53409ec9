"""A hotline's level: raised by what comes, lowered by itself, told once, with its figures."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Any

import pytest
from django.core import mail
from tests.outbox.replies import HOUR, NOON, SECOND
from tests.outbox.test_concurrency import at_once
from tests.outbox.test_release_budgets import budget
from tests.shield.crowd import strangers
from tests.world import World, build_world

from hotlines.models import Hotline
from organizations.models import Organization
from outbox import release, telling
from shield import baseline, changes, judge
from shield.models import Alert, HotlineLevel, LevelChange

pytestmark = pytest.mark.once  # what is counted is counted by `test_intake` on both

MINUTE = 60 * SECOND
DAY = 24 * HOUR
SAME = "venez tous rire avec nous sur ce numero"


@pytest.fixture
def quiet(world: World) -> World:
    """Hotlines that expect 15 new senders an hour, 1.25 in five minutes."""
    Hotline.objects.update(replies_per_hour=60)
    return world


def level(world: World) -> str:
    return HotlineLevel.objects.get(hotline=world.north.hotline).level


def history(world: World) -> list[tuple[str, str, str]]:
    rows = LevelChange.objects.filter(hotline=world.north.hotline).order_by("pk")
    return list(rows.values_list("before", "after", "cause"))


def look_on(until: datetime.datetime, since: datetime.datetime, every: datetime.timedelta = 5 * MINUTE) -> None:
    """Let time pass, with the sweep that moves levels."""
    moment = since
    while moment < until:
        moment += every
        judge.weigh_all(moment)


# --- raised -----------------------------------------------------------------------------------------------------------
def test_many_new_senders_at_once_are_a_raid(quiet: World) -> None:
    strangers(quiet.north.hotline, 14)
    judge.look(NOON)
    assert level(quiet) == "normal"
    strangers(quiet.north.hotline, 1, first=100, at=NOON + SECOND)
    judge.look(NOON + SECOND)
    assert level(quiet) == "raid"
    assert history(quiet) == [("normal", "raid", "arrivals")]
    [change] = LevelChange.objects.all()
    assert change.figures == {
        "new_in_bin": 15,
        "new_in_hour": 15,
        "usual_in_bin": 1.25,
        "largest_text": 0,
        "groups": 0,
    }


def test_what_its_people_allow_counts_at_once(quiet: World) -> None:
    judge.weigh_all(NOON)
    Hotline.objects.update(replies_per_hour=100_000)
    strangers(quiet.north.hotline, 30)
    judge.look(NOON)
    assert history(quiet) == []


def test_as_many_as_are_usual_are_none(quiet: World) -> None:
    """2.5 in five minutes, which is twice the usual, for ten hours."""
    for number in range(120):
        at = NOON + number * 5 * MINUTE
        strangers(quiet.north.hotline, 2 + number % 2, first=10 * number, at=at)
        judge.weigh_all(at)
    assert history(quiet) == []


def test_a_slow_rise_is_noticed_by_its_sum(quiet: World) -> None:
    """Five in five minutes, which is four times the usual: no single bin would tell."""
    for number in range(8):
        assert history(quiet) == []
        strangers(quiet.north.hotline, 5, first=10 * number, at=NOON + number * 5 * MINUTE)
        judge.weigh_all(NOON + number * 5 * MINUTE)
        if history(quiet):
            break
    assert history(quiet) == [("normal", "raid", "arrivals")]
    assert number >= 4


def test_a_crowd_with_one_text_is_a_raid_whatever_is_usual(world: World) -> None:
    Hotline.objects.update(replies_per_hour=100_000)
    strangers(world.north.hotline, 50, text=SAME)
    judge.look(NOON)
    assert history(world) == [("normal", "watch", "group")]
    strangers(world.north.hotline, 1, first=100, text=SAME)
    judge.look(NOON)
    assert history(world)[-1] == ("watch", "raid", "texts")


def test_a_small_group_is_watched_and_forgotten_after_two_hours(world: World) -> None:
    strangers(world.north.hotline, 6, text=SAME)
    judge.look(NOON)
    assert history(world) == [("normal", "watch", "group")]
    look_on(NOON + 3 * HOUR - 5 * MINUTE, NOON)
    assert level(world) == "watch"
    look_on(NOON + 3 * HOUR + 5 * MINUTE, NOON + 3 * HOUR - 5 * MINUTE)
    assert history(world)[1:] == [("watch", "normal", "calm")]


def test_another_organizations_level_stays_as_it_is(quiet: World) -> None:
    strangers(quiet.north.hotline, 30)
    judge.weigh_all(NOON)
    assert HotlineLevel.objects.get(hotline=quiet.south.hotline).level == "normal"
    assert set(LevelChange.objects.values_list("organization", flat=True)) == {quiet.north.organization.pk}


# --- lowered ----------------------------------------------------------------------------------------------------------
def test_a_raid_ends_six_hours_after_it_has_gone(quiet: World) -> None:
    strangers(quiet.north.hotline, 30)
    judge.weigh_all(NOON)
    assert level(quiet) == "raid"
    look_on(NOON + 30 * MINUTE, NOON)
    row = HotlineLevel.objects.get(hotline=quiet.north.hotline)
    assert row.calm_since is not None
    assert NOON < row.calm_since <= NOON + 30 * MINUTE
    look_on(row.calm_since + 6 * HOUR - 10 * MINUTE, NOON + 30 * MINUTE)
    assert level(quiet) == "raid"
    look_on(row.calm_since + 6 * HOUR + 10 * MINUTE, row.calm_since + 6 * HOUR - 10 * MINUTE)
    assert history(quiet) == [("normal", "raid", "arrivals"), ("raid", "normal", "calm")]


def test_a_raid_lasts_while_somebody_of_a_group_waits(world: World) -> None:
    budget(world.north.hotline, day_budget="0.10")
    strangers(world.north.hotline, 60, text=SAME)
    judge.look(NOON)
    while release.release_due(NOON):
        pass
    look_on(NOON + 8 * HOUR, NOON, 20 * MINUTE)
    assert HotlineLevel.objects.get(hotline=world.north.hotline).detected == "raid"
    release.expire(NOON + DAY)
    look_on(NOON + DAY + 7 * HOUR, NOON + DAY, 20 * MINUTE)
    assert HotlineLevel.objects.get(hotline=world.north.hotline).detected == "normal"


def test_a_process_that_starts_in_a_raid_knows_of_it(quiet: World) -> None:
    strangers(quiet.north.hotline, 30)
    judge.weigh_all(NOON)
    judge.forget()
    judge.weigh_all(NOON + MINUTE)
    assert history(quiet) == [("normal", "raid", "arrivals")]
    look_on(NOON + 8 * HOUR, NOON + MINUTE, 20 * MINUTE)
    assert history(quiet)[-1] == ("raid", "normal", "calm")


# --- budgets ----------------------------------------------------------------------------------------------------------
def test_a_budget_that_runs_out_raises_the_level_and_its_next_day_lowers_it(world: World) -> None:
    budget(world.north.hotline, day_budget="0.50")
    strangers(world.north.hotline, 5)
    release.release_due(NOON)
    judge.weigh_all(NOON)
    assert history(world) == [("normal", "watch", "half")]
    strangers(world.north.hotline, 5, first=100)
    release.release_due(NOON)
    judge.weigh_all(NOON)
    assert history(world)[1:] == [("watch", "silent", "spent")]
    judge.weigh_all(NOON + 12 * HOUR)
    assert history(world)[2:] == [("silent", "normal", "room")]
    assert not Alert.objects.filter(kind="level").exists()  # budgets have alerts of their own


def test_a_budget_of_nothing_is_spent(world: World) -> None:
    budget(world.north.hotline, day_budget="0")
    judge.weigh_all(NOON)
    assert history(world) == [("normal", "silent", "spent")]


def test_half_of_a_month_is_no_news(world: World) -> None:
    Organization.objects.filter(pk=world.north.organization.pk).update(month_budget="0.50")
    strangers(world.north.hotline, 6)
    release.release_due(NOON)
    judge.weigh_all(NOON)
    assert history(world) == []


def test_a_raid_while_a_budget_is_spent_is_told_all_the_same(quiet: World) -> None:
    budget(quiet.north.hotline, day_budget="0.05")
    strangers(quiet.north.hotline, 1)
    release.release_due(NOON)
    judge.weigh_all(NOON)
    assert level(quiet) == "silent"
    strangers(quiet.north.hotline, 30, first=100)
    judge.look(NOON)
    assert history(quiet) == [("normal", "silent", "spent"), ("normal", "raid", "arrivals")]
    assert level(quiet) == "silent"
    assert Alert.objects.filter(kind="level").count() == 1


def test_a_raid_in_the_moment_in_which_a_budget_is_spent_is_told_as_well(quiet: World) -> None:
    budget(quiet.north.hotline, day_budget="0.05")
    strangers(quiet.north.hotline, 1)
    release.release_due(NOON)
    strangers(quiet.north.hotline, 30, first=100)
    judge.weigh_all(NOON)
    assert history(quiet) == [("normal", "silent", "spent"), ("normal", "raid", "arrivals")]


# --- told -------------------------------------------------------------------------------------------------------------
def test_a_raid_reaches_people_with_the_next_sweep_without_a_senders_words_or_number(
    quiet: World, django_capture_on_commit_callbacks: Any
) -> None:
    strangers(quiet.north.hotline, 60, text=SAME)
    judge.look(NOON)
    assert telling.tell(NOON + 15 * SECOND) == 1
    [letter] = mail.outbox
    assert letter.to == ["alerts@north.example"]
    assert letter.subject == "Paravent: North line\N{NO-BREAK SPACE}: raid"
    assert "60" in letter.body
    assert "rire" not in letter.body
    assert "3360" not in letter.body


def test_six_other_mails_in_the_hour_do_not_keep_a_raid_from_being_told(quiet: World) -> None:
    for number in range(6):
        at = NOON - 50 * MINUTE + number * MINUTE
        Alert.objects.create(
            kind="loop", key=f"{number}", organization=quiet.north.organization, hotline=quiet.north.hotline, at=at
        )
        telling.tell(at)
    assert len(mail.outbox) == 5  # the sixth of an hour is kept for a raid
    strangers(quiet.north.hotline, 30)
    judge.look(NOON)
    assert telling.tell(NOON) == 2
    assert len(mail.outbox) == 6
    assert mail.outbox[-1].subject.endswith(": raid")


def test_a_change_is_written_once_by_however_many_processes(quiet: World) -> None:
    strangers(quiet.north.hotline, 30)
    hotline = Hotline.objects.select_related("organization", "account").get(pk=quiet.north.hotline.pk)
    judge.look(NOON - DAY)
    LevelChange.objects.all().delete()
    HotlineLevel.objects.update(level="normal", detected="normal", raised_at=None, calm_since=None)
    [first, second] = [changes.Watched(hotline, NOON) for _ in range(2)]
    known = judge.watched(hotline.pk)
    assert known is not None
    for watched in (first, second):
        watched.detector = known.detector
        watched.weigh(NOON)
    assert history(quiet) == [("normal", "raid", "arrivals")]
    assert second.row.detected == "raid"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_several_processes_at_once_write_one_change() -> None:
    world = build_world()
    Hotline.objects.update(replies_per_hour=60)
    strangers(world.north.hotline, 30)
    judge.look(NOON - DAY)
    LevelChange.objects.all().delete()
    HotlineLevel.objects.update(level="normal", detected="normal", raised_at=None, calm_since=None)
    hotline = Hotline.objects.select_related("organization", "account").get(pk=world.north.hotline.pk)
    known = judge.watched(hotline.pk)
    assert known is not None
    several = [changes.Watched(hotline, NOON) for _ in range(8)]
    for watched in several:
        watched.detector = known.detector
    at_once(*[lambda one=watched: one.weigh(NOON) for watched in several])  # type: ignore[misc]
    assert history(world) == [("normal", "raid", "arrivals")]


# --- what is usual ----------------------------------------------------------------------------------------------------
def usual(world: World, at: datetime.datetime) -> float:
    row = HotlineLevel.objects.get(hotline=world.north.hotline)
    zone = zoneinfo.ZoneInfo(world.north.organization.time_zone)
    return baseline.load(row.usual, 60).usual(at.astimezone(zone))


def busy_day(world: World, start: datetime.datetime, each: int) -> datetime.datetime:
    moment = start
    number = 0
    while moment < start + DAY:
        strangers(world.north.hotline, each, first=number, at=moment)
        judge.weigh_all(moment)
        number, moment = number + each, moment + 5 * MINUTE
    return moment


def test_what_comes_becomes_usual(quiet: World) -> None:
    judge.weigh_all(NOON)
    assert usual(quiet, NOON) == 1.25
    end = busy_day(quiet, NOON, 2)
    judge.weigh_all(end + MINUTE)
    assert history(quiet) == []
    assert 1.9 < usual(quiet, end) < 2.1


def test_a_raid_is_not_learned(quiet: World) -> None:
    judge.weigh_all(NOON)
    strangers(quiet.north.hotline, 40, at=NOON)
    judge.weigh_all(NOON)
    before = HotlineLevel.objects.get(hotline=quiet.north.hotline).usual
    look_on(NOON + HOUR, NOON)
    row = HotlineLevel.objects.get(hotline=quiet.north.hotline)
    assert (row.detected, row.usual) == ("raid", before)
    assert row.folded_until == NOON + HOUR - 5 * MINUTE


def test_a_raid_of_more_than_three_days_is_what_is_usual_now(quiet: World) -> None:
    HotlineLevel.objects.create(
        hotline=quiet.north.hotline, level="raid", detected="raid", since=NOON, raised_at=NOON - 3 * DAY - HOUR
    )
    judge.weigh_all(NOON)
    strangers(quiet.north.hotline, 40, at=NOON + MINUTE)
    look_on(NOON + 10 * MINUTE, NOON)
    assert HotlineLevel.objects.get(hotline=quiet.north.hotline).usual != {}


def test_after_a_standstill_only_the_last_hour_is_added_up(quiet: World) -> None:
    """What came before it is no longer known, and must not count as nothing."""
    judge.weigh_all(NOON)
    judge.weigh_all(NOON + DAY)
    row = HotlineLevel.objects.get(hotline=quiet.north.hotline)
    assert row.usual["overall"][1] == pytest.approx(10, abs=0.1)


def test_a_retired_hotline_is_left_alone(quiet: World) -> None:
    Hotline.objects.filter(pk=quiet.north.hotline.pk).update(state="retired")
    judge.weigh_all(NOON)
    assert not HotlineLevel.objects.filter(hotline=quiet.north.hotline).exists()
