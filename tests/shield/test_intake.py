"""What is received is counted once, by hotline and day, and a number whose budget is spent is to be taken off."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.outbox.carrier import deliver, inbound
from tests.outbox.replies import HOUR, NOON, SECOND
from tests.shield.crowd import stranger
from tests.world import SENDER, World

from conversations.models import Message
from hotlines.models import Account, Hotline
from inbox import receive
from shield import intake, watch
from shield.budgets import Scope
from shield.models import Alert, Detachment, Intake, Spending

LOOK = 15 * SECOND
MIDNIGHT = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)


def receive_at(hotline: Hotline, number: int, at: datetime.datetime = NOON, **changes: Any) -> None:
    message = dataclasses.replace(inbound(hotline, stranger(number), at=at), **changes)
    assert deliver(hotline, message) is receive.Receipt.STORED


def looks(at: datetime.datetime, times: int = 2) -> int:
    """So many looks, 15 seconds apart, the last of them at `at`; how many messages they counted."""
    return sum(intake.count(at - LOOK * before) for before in reversed(range(times)))


def counted() -> dict[tuple[str, str], tuple[int, int]]:
    """Micros and messages, by hotline and day."""
    rows = Spending.objects.filter(scope=Scope.INBOUND)
    return {(row.key, row.starts_at.date().isoformat()): (row.micros, row.messages) for row in rows}


# --- counting ---------------------------------------------------------------------------------------------------------
def test_what_was_received_is_counted_by_hotline_and_day_at_the_providers_price(world: World) -> None:
    north, south = (str(tenant.hotline.pk) for tenant in world.tenants)
    receive_at(world.north.hotline, 1, cost=decimal.Decimal("0.01"))
    receive_at(world.north.hotline, 2, at=MIDNIGHT - SECOND, cost=decimal.Decimal("0.02"), units=2)
    receive_at(world.north.hotline, 3, at=MIDNIGHT, cost=decimal.Decimal("0.04"))
    receive_at(world.south.hotline, 4, cost=decimal.Decimal("0.08"))
    assert looks(MIDNIGHT) == 4
    assert counted() == {
        (north, "2026-11-24"): (30_000, 2),
        (north, "2026-11-25"): (40_000, 1),
        (south, "2026-11-24"): (80_000, 1),
    }


def test_without_a_price_of_the_provider_the_accounts_counts_and_its_rate_where_there_is_one(world: World) -> None:
    receive_at(world.north.hotline, 1, units=3)
    Account.objects.filter(pk=world.south.account.pk).update(billing_rate="0.9")
    receive_at(world.south.hotline, 2, units=3, cost=decimal.Decimal("0.02"))
    looks(NOON + LOOK)
    assert sorted(counted().values()) == [(18_000, 1), (22_500, 1)]


def test_what_blocked_senders_write_is_counted_and_a_free_account_costs_nothing(world: World) -> None:
    Account.objects.filter(pk=world.south.account.pk).update(price_in=None, tariff=Account.Tariff.FLAT)
    for turn in range(8):
        for tenant in world.tenants:
            deliver(tenant.hotline, inbound(tenant.hotline, SENDER, at=NOON + turn * SECOND))
    assert Message.objects.filter(disposition="blocked").exists()
    assert looks(NOON + LOOK) == 16
    assert sorted(counted().values()) == [(0, 8), (60_000, 8)]


def test_a_message_is_counted_at_the_look_after_the_one_that_saw_it_and_never_again(world: World) -> None:
    """What has a lower id may still be on its way when a higher one is seen."""
    receive_at(world.north.hotline, 1)
    assert intake.count(NOON) == 0
    receive_at(world.north.hotline, 2)
    assert intake.count(NOON + LOOK) == 1
    assert intake.count(NOON + LOOK + 9 * SECOND) == 0
    assert intake.count(NOON + 2 * LOOK) == 1
    assert looks(NOON + HOUR, times=3) == 0
    assert [messages for _micros, messages in counted().values()] == [2]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["north", "south"]), st.integers(0, 90_000)), max_size=12), st.data())
def test_whenever_looks_come_in_between_every_message_is_counted_once(world: World, moments: Any, data: Any) -> None:
    Message.objects.all().delete()
    Spending.objects.all().delete()
    Intake.objects.all().delete()
    now = NOON
    for number, (who, second) in enumerate(moments):
        _row(getattr(world, who).hotline, number, NOON + second * SECOND)
        if data.draw(st.booleans()):
            now += LOOK
            intake.count(now)
    looks(now + HOUR)
    assert sum(messages for _micros, messages in counted().values()) == len(moments)
    assert sum(micros for micros, _messages in counted().values()) == 7500 * len(moments)
    for key, hotline in ((str(tenant.hotline.pk), tenant.hotline) for tenant in world.tenants):
        by_day = {day: messages for (whose, day), (_micros, messages) in counted().items() if whose == key}
        received = Message.objects.filter(hotline=hotline).values_list("received_at", flat=True)
        assert sum(by_day.values()) == len(received)
        assert set(by_day) == {at.date().isoformat() for at in received}


def _row(hotline: Hotline, number: int, at: datetime.datetime) -> None:
    Message.objects.create(
        organization_id=hotline.organization_id,
        hotline=hotline,
        account_id=hotline.account_id,
        provider_id=f"id-{number}",
        disposition="missed",
        received_at=at,
    )


def test_messages_from_before_this_was_counted_cost_no_number_its_line(world: World) -> None:
    """`shield` 0006 begins after what was there."""
    receive_at(world.north.hotline, 1)
    last = Message.objects.latest("pk").pk
    Intake.objects.update_or_create(pk=1, defaults={"counted_to": last, "seen_to": last})
    assert looks(NOON + LOOK) == 0


# --- deciding ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def spent(world: World) -> Hotline:
    """North's number may receive two messages a day, and has."""
    Hotline.objects.update(inbound_budget="0.02")
    for number in range(2):
        receive_at(world.north.hotline, number, cost=decimal.Decimal("0.01"))
    looks(NOON + LOOK)
    return world.north.hotline


def standing() -> list[tuple[int, bool]]:
    return [(row.hotline_id, row.ended_at is not None) for row in Detachment.objects.order_by("pk")]


def test_a_number_is_taken_off_when_its_budget_is_spent_and_no_other_is(world: World, spent: Hotline) -> None:
    assert intake.decide(NOON + LOOK) == 1
    assert intake.decide(NOON + 2 * LOOK) == 0
    assert standing() == [(spent.pk, False)]
    row = Detachment.objects.get()
    assert (row.organization_id, row.decided_at) == (world.north.organization.pk, NOON + LOOK)


def test_until_the_last_cent_is_spent_it_stays(world: World, spent: Hotline) -> None:
    Hotline.objects.update(inbound_budget="0.03")
    assert intake.decide(NOON + LOOK) == 0


@pytest.mark.parametrize(
    ("budget", "at"),
    [("0.03", NOON + HOUR), (None, NOON + HOUR), ("0.02", MIDNIGHT)],
    ids=["raised", "taken away", "midnight"],
)
@pytest.mark.usefixtures("world")
def test_it_ends_with_the_day_or_when_a_person_raises_the_budget(
    spent: Hotline, budget: str | None, at: datetime.datetime
) -> None:
    intake.decide(NOON + LOOK)
    assert intake.decide(min(at, MIDNIGHT - SECOND)) == 0
    Hotline.objects.filter(pk=spent.pk).update(inbound_budget=budget)
    assert intake.decide(at) == 1
    assert intake.decide(at + LOOK) == 0
    assert standing() == [(spent.pk, True)]


def test_a_number_whose_budget_is_nothing_is_taken_off_by_its_first_message(world: World) -> None:
    Hotline.objects.update(inbound_budget=0)
    assert intake.decide(NOON) == 0
    receive_at(world.south.hotline, 1)
    looks(NOON + LOOK)
    assert intake.decide(NOON + LOOK) == 1
    assert standing() == [(world.south.hotline.pk, False)]


@pytest.mark.parametrize("state", [Hotline.State.DRAFT, Hotline.State.RETIRED])
@pytest.mark.usefixtures("world")
def test_a_number_that_is_not_given_away_is_left_alone_and_comes_back_when_it_was_off(
    spent: Hotline, state: Hotline.State
) -> None:
    Hotline.objects.filter(pk=spent.pk).update(state=state)
    assert intake.decide(NOON + LOOK) == 0
    Hotline.objects.filter(pk=spent.pk).update(state=Hotline.State.SUSPENDED, state_reason="raid")
    assert intake.decide(NOON + LOOK) == 1
    Hotline.objects.filter(pk=spent.pk).update(state=state)
    assert intake.decide(MIDNIGHT) == 1
    assert standing() == [(spent.pk, True)]


def test_the_next_day_it_may_be_taken_off_again(world: World, spent: Hotline) -> None:
    intake.decide(NOON + LOOK)
    intake.decide(MIDNIGHT)
    Detachment.objects.update(detached_at=NOON, application="1", attached_at=MIDNIGHT)
    for number in range(2):
        receive_at(spent, number, at=MIDNIGHT, cost=decimal.Decimal("0.01"))
    looks(MIDNIGHT + HOUR)
    assert intake.decide(MIDNIGHT + HOUR) == 1
    assert standing() == [(spent.pk, True), (spent.pk, False)]


def test_its_people_are_warned_at_half_and_at_four_fifths_and_told_at_the_end(world: World) -> None:
    Hotline.objects.update(inbound_budget="0.10")
    for number, told in enumerate((None, 50, 80, 100)):
        for part in range(3):
            receive_at(world.north.hotline, 10 * number + part, cost=decimal.Decimal("0.01"))
        looks(NOON + (number + 1) * HOUR)
        watch.budgets(NOON + (number + 1) * HOUR)
        last = Alert.objects.order_by("-pk").first()
        assert (last.share if last else None) == told
    assert {alert.hotline_id for alert in Alert.objects.all()} == {world.north.hotline.pk}
    assert {alert.organization_id for alert in Alert.objects.all()} == {world.north.organization.pk}
