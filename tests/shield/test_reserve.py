"""What repeats leave of a day to the first replies that are expected of its rest."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.outbox.carrier import written
from tests.outbox.replies import HOUR, NOON, SECOND
from tests.shield.crowd import stranger, strangers
from tests.world import World

from conversations.models import Reply
from hotlines.models import Account, Hotline
from organizations.models import Organization
from outbox import release
from shield import baseline, reserve
from shield.budgets import Caps, Kept, Line, Name, Scope, Window
from shield.models import HotlineLevel

DAY = Name(Scope.HOTLINE, "1", Window.DAY, Window.DAY.start(NOON))
PRICE = 50_000


def line(caps: Caps, micros: int = 0, messages: int = 0) -> Line:
    return Line(DAY, caps, micros, messages)


# --- as arithmetic ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("expected", "kept"),
    [
        (0, Kept(200, 20)),
        (9, Kept(200, 20)),  # 9 and 6, which is less than a fifth
        (36, Kept(480, 48)),  # 36 and 12
        (100, Kept(800, 80)),  # a fifth is for repeats, whatever is expected
    ],
)
def test_so_much_is_kept(expected: float, kept: Kept) -> None:
    assert reserve.kept(line(Caps(micros=1000, messages=100)), 10, expected) == kept


def test_what_is_expected_costs_what_replies_have_cost() -> None:
    """Two segments each so far, where a repeat of one asks."""
    assert reserve.kept(line(Caps(micros=10_000), micros=200, messages=10), 10, 100) == Kept(120 * 20, 0)


@given(
    caps=st.builds(Caps, st.none() | st.integers(0, 10**9), st.none() | st.integers(0, 10**6)),
    micros=st.integers(0, 10**6),
    expected=st.floats(0, 10**5),
)
def test_never_less_than_a_fifth_nor_more_than_four(caps: Caps, micros: int, expected: float) -> None:
    kept = reserve.kept(line(caps), micros, expected)
    for share, cap in ((kept.micros, caps.micros or 0), (kept.messages, caps.messages or 0)):
        assert int(reserve.LEAST * cap) <= share <= reserve.MOST * cap


# --- released ---------------------------------------------------------------------------------------------------------
def usual(hotline: Hotline, senders: int, hour: int) -> None:
    """So many new senders come in this hour (UTC) of every day."""
    learned, start = baseline.Baseline(60), NOON - datetime.timedelta(days=28)
    for number in range(28 * 288):
        at = start + number * baseline.BIN
        # In an organization's zone, as `Watched` does; those of the world live by UTC.
        learned.learn(senders // 12 if at.hour == hour else 0, at)
    HotlineLevel.objects.update_or_create(hotline=hotline, defaults={"usual": learned.dump(), "since": NOON})


@pytest.fixture
def evening(world: World) -> World:
    """Of a day's thirty replies at noon, about twelve are expected to be needed in the evening, and their scatter."""
    Organization.objects.update(time_zone="UTC")
    Hotline.objects.update(day_budget="1.50")
    usual(world.north.hotline, 12, 20)
    return world


def spend(world: World, firsts: int, at: datetime.datetime = NOON) -> list[Reply]:
    """So many are answered, and all of them write again."""
    strangers(world.north.hotline, firsts, at=at)
    assert release.release_due(at) == firsts
    repeats = [written(world.north.hotline, stranger(number), at=at + SECOND) for number in range(firsts)]
    return [reply for reply in repeats if reply is not None]


def test_repeats_leave_what_the_evening_needs(evening: World) -> None:
    repeats = spend(evening, 8)
    answered = release.release_due(NOON + SECOND)
    # Of 30: 8 firsts, and 12 are expected with their scatter of 7; the shape of the day is a little blurred.
    assert answered in (3, 4)
    late = strangers(evening.north.hotline, 30, first=100, at=NOON + 8 * HOUR)
    release.release_due(NOON + 8 * HOUR)
    assert sum(Reply.objects.get(pk=reply.pk).state == "released" for reply in late) == 30 - 8 - answered
    assert len(repeats) == 8


def test_when_the_evening_is_over_they_get_what_it_left(evening: World) -> None:
    spend(evening, 8)
    release.release_due(NOON + SECOND)
    release.release_due(NOON + 9 * HOUR)
    assert Reply.objects.filter(slot=2, state="released").count() == 8


def test_an_organizations_budget_is_kept_for_all_its_numbers(evening: World) -> None:
    """The number that asks expects nobody itself."""
    other = evening.north.hotline
    mine = Hotline.objects.get(pk=other.pk)
    mine.pk, mine.hook_token, mine.number = None, "y" * 22, "+33937000077"
    mine.uuid = Hotline._meta.get_field("uuid").get_default()
    mine._state.adding = True
    mine.save()
    firsts = reserve.Firsts(mine, NOON)
    caps = Caps(micros=30 * PRICE)

    def kept(scope: Scope, key: Any) -> int:
        name = Name(scope, str(key), Window.DAY, DAY.starts_at)
        return firsts.kept(Line(name, caps), PRICE).micros // PRICE

    assert kept(Scope.HOTLINE, mine.pk) == 6
    assert kept(Scope.ORGANIZATION, mine.organization_id) >= 18
    assert kept(Scope.ORGANIZATION, evening.south.organization.pk) == 6
    Hotline.objects.filter(pk=other.pk).update(state="silent")
    assert reserve.Firsts(mine, NOON).kept(
        Line(Name(Scope.ORGANIZATION, str(mine.organization_id), Window.DAY, DAY.starts_at), caps), PRICE
    ) == Kept(6 * PRICE)


def test_a_flat_tariffs_messages_are_kept_too(evening: World) -> None:
    Account.objects.filter(pk=evening.north.account.pk).update(tariff="flat", price_out=None, messages_per_day=30)
    spend(evening, 8)
    release.release_due(NOON + SECOND)
    assert Reply.objects.filter(slot=2, state="released").count() in (3, 4)
    release.release_due(NOON + 9 * HOUR)
    assert Reply.objects.filter(slot=2, state="released").count() == 8
