"""Who is answered next: clean first replies at once, groups and repeats of what they leave."""

from __future__ import annotations

import datetime
from collections import Counter
from typing import Any

import pytest
from tests.outbox.carrier import written
from tests.outbox.replies import HOUR, NOON, SECOND
from tests.outbox.test_release_budgets import budget, spent, states
from tests.shield.crowd import neighbours, stranger, strangers
from tests.world import World

from conversations.models import Reply
from hotlines.models import Account
from outbox import lanes, release
from outbox.lanes import Lane
from shield import judge, ledger
from shield.models import HotlineLevel, Spending

SAME, OTHER = "venez tous rire avec nous sur ce numero", "ce numero ne repond jamais quelle blague"
DAY = 24 * HOUR


def released() -> int:
    return Reply.objects.filter(state="released").count()


def raise_level(world: World, at: datetime.datetime = NOON) -> None:
    HotlineLevel.objects.update_or_create(
        hotline=world.north.hotline, defaults={"level": "raid", "detected": "raid", "since": at, "raised_at": at}
    )
    judge.forget()


def test_a_group_waits_while_others_are_answered(world: World) -> None:
    """Six in two hours are allowed, so three are left to those who resemble nobody."""
    budget(world.north.hotline, replies_per_hour=3)
    raid = strangers(world.north.hotline, 6, text=SAME)
    genuine = strangers(world.north.hotline, 4, first=100, at=NOON + SECOND)
    assert release.release_due(NOON + SECOND) == 4
    assert states(genuine) == ["released"] * 4
    assert states(raid) == ["pending"] * 6
    assert release.release_due(NOON + SECOND) == 0


def test_a_group_gets_what_is_left_of_the_hour_and_a_fifth_of_the_day(world: World) -> None:
    budget(world.north.hotline, day_budget="1.00")  # of which a group may have 0.20, four replies
    raid = strangers(world.north.hotline, 8, text=SAME)
    while release.release_due(NOON):
        pass
    assert Counter(states(raid)) == {"released": 4, "pending": 4}
    assert spent("suspects") == [(200_000, 4)]
    genuine = strangers(world.north.hotline, 10, first=100)
    assert release.release_due(NOON) == 10
    assert states(genuine) == ["released"] * 10
    while release.release_due(NOON + DAY - SECOND):
        pass
    assert Counter(states(raid))["pending"] == 0  # the next day has its own share


def test_a_group_leaves_a_fifth_of_the_money_to_others(world: World) -> None:
    budget(world.north.hotline, day_budget="0.50")
    assert release.release_due(NOON) == 0
    strangers(world.north.hotline, 7, first=100)
    assert release.release_due(NOON) == 7
    raid = strangers(world.north.hotline, 6, text=SAME)
    assert release.release_due(NOON) == 1  # eight of ten, and two are left to clean ones
    assert Counter(states(raid)) == {"released": 1, "pending": 5}


def test_with_a_flat_tariff_a_group_gets_a_fifth_of_the_days_messages(world: World) -> None:
    Account.objects.filter(pk=world.north.account.pk).update(
        tariff="flat", price_out=None, messages_per_day=20, recipients_per_day=1000
    )
    strangers(world.north.hotline, 10, text=SAME)
    while release.release_due(NOON):
        pass
    assert released() == 4


def test_each_group_has_a_turn_however_large_the_others_are(world: World) -> None:
    budget(world.north.hotline, day_budget="1.00")
    strangers(world.north.hotline, 40, text=SAME)
    strangers(world.north.hotline, 6, first=100, text=OTHER)
    neighbours(world.north.hotline, 20)
    judge.look(NOON)
    groups = Reply.objects.filter(suspicion__gt="").values_list("suspicion", flat=True).distinct()
    assert len(groups) == 3
    budget(world.north.hotline, replies_per_hour=4)  # eight in two hours, four while more than half is left
    release.release_due(NOON, limit=3)
    turns = Reply.objects.filter(state="released", suspicion__gt="").values_list("suspicion", flat=True)
    assert sorted(turns) == sorted(groups)


def test_groups_take_many_turns_at_once_and_the_last_ones_are_of_the_larger(world: World) -> None:
    strangers(world.north.hotline, 40, text=SAME)
    strangers(world.north.hotline, 6, first=100, text=OTHER)
    judge.look(NOON)
    release.release_due(NOON, limit=16)
    turns = Counter(Reply.objects.filter(state="released").values_list("suspicion", flat=True))
    assert sorted(turns.values()) == [6, 10]


def test_a_backlog_of_one_group_costs_no_more_questions_than_one_of_none(
    world: World, django_assert_max_num_queries: Any
) -> None:
    """`make chaos` found it: one group's replies were asked for one by one, and left at 18 a second."""
    strangers(world.north.hotline, 60, text=SAME)
    judge.look(NOON)
    assert Reply.objects.filter(suspicion__gt="").count() == 60
    assert release.release_due(NOON, limit=10) == 10
    with django_assert_max_num_queries(4 * 40 + 40):  # four for each reply, and what is asked once
        assert release.release_due(NOON, limit=40) == 40


def test_nobody_can_be_the_first_of_his_group_by_being_early(world: World) -> None:
    strangers(world.north.hotline, 20, text=SAME)
    judge.look(NOON)
    release.release_due(NOON, limit=1)
    first = Reply.objects.order_by("uuid").first()
    assert first is not None
    assert Reply.objects.get(state="released").pk == first.pk


def test_a_group_comes_before_repeats_and_repeats_wait_for_the_end_of_a_raid(world: World) -> None:
    strangers(world.north.hotline, 2, first=100)
    release.release_due(NOON)
    repeats = [written(world.north.hotline, stranger(100 + number), at=NOON + SECOND) for number in range(2)]
    raid = strangers(world.north.hotline, 6, text=SAME, at=NOON + SECOND)
    assert release.release_due(NOON + SECOND, limit=3) == 3
    assert states([repeat for repeat in repeats if repeat]) == ["pending"] * 2
    raise_level(world)
    while release.release_due(NOON + 2 * SECOND):
        pass
    assert states([repeat for repeat in repeats if repeat]) == ["pending"] * 2
    assert states(raid) == ["released"] * 6
    HotlineLevel.objects.update(level="normal", detected="normal", raised_at=None, calm_since=None)
    assert release.release_due(NOON + HOUR) == 2


def test_another_hotline_is_not_in_the_raid(world: World) -> None:
    raise_level(world)
    written(world.south.hotline, stranger(1), at=NOON)
    written(world.south.hotline, stranger(1), at=NOON + SECOND)
    assert release.release_due(NOON + SECOND) == 2


def test_when_more_wait_than_the_next_hour_allows_the_newest_are_answered(world: World) -> None:
    budget(world.north.hotline, replies_per_hour=3)
    old = strangers(world.north.hotline, 10, at=NOON)
    new = strangers(world.north.hotline, 2, first=100, at=NOON + 60 * SECOND)
    assert release.release_due(NOON + 60 * SECOND) == 6
    assert states(new) == ["released"] * 2
    assert states(old) == ["pending"] * 6 + ["released"] * 4


def test_when_all_can_be_answered_within_the_hour_the_oldest_are_first(world: World) -> None:
    budget(world.north.hotline, replies_per_hour=3)
    old = strangers(world.north.hotline, 7, at=NOON)
    new = strangers(world.north.hotline, 2, first=100, at=NOON + 60 * SECOND)
    assert release.release_due(NOON + 60 * SECOND) == 6
    assert states([*old, *new]) == ["released"] * 6 + ["pending"] * 3


def test_nobody_is_released_before_he_was_judged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    strangers(world.north.hotline, 3)
    monkeypatch.setattr(judge, "look", lambda _now: 0)
    assert release.release_due(NOON) == 0
    assert all(pk is None for pk in Reply.objects.values_list("suspicion", flat=True))


def test_what_a_group_gave_back_it_may_use_again(world: World) -> None:
    budget(world.north.hotline, day_budget="1.00")
    strangers(world.north.hotline, 8, text=SAME)
    while release.release_due(NOON):
        pass
    assert spent("suspects") == [(200_000, 4)]
    Reply.objects.filter(state="released").update(state="failed", finished_at=NOON)
    assert ledger.settle() == 4
    assert spent("suspects") == [(0, 0)]
    while release.release_due(NOON):
        pass
    assert released() == 4


def test_the_database_holds_the_share_of_groups(world: World) -> None:
    budget(world.north.hotline, day_budget="1.00")
    strangers(world.north.hotline, 8, text=SAME)
    release.release_due(NOON)
    row = Spending.objects.get(scope="suspects")
    assert row.cap_micros == 200_000


def test_a_closed_lane_closes_those_behind_it_only_when_it_is_the_first() -> None:
    closed: lanes.Closed = set()
    lanes.close(closed, 1, Lane.REPEAT)
    assert closed == {(1, Lane.REPEAT)}
    lanes.close(closed, 1, Lane.SUSPECT)
    assert (1, Lane.CLEAN) not in closed
    lanes.close(closed, 2, Lane.CLEAN)
    assert {lane for pk, lane in closed if pk == 2} == set(Lane)
