"""What a hotline's page says of its budgets."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags
from tests.outbox.carrier import written
from tests.world import World

from conversations.models import Conversation
from hotlines.models import Account, Hotline
from organizations.models import Organization
from outbox import release
from shield import intake
from shield.models import Detachment

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)


@pytest.fixture(autouse=True)
def _noon(world: World) -> Any:
    with time_machine.travel(NOON, tick=False):
        Hotline.objects.update(day_budget="1.00", month_budget="10.00")
        Organization.objects.update(day_budget="2.00", month_budget=None)
        yield


def panel(world: World, role: str = "viewer") -> str:
    """The box as its reader sees it, without markup."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(world.north.members[role])
    page = client.get(reverse("admin:hotlines_hotline_change", args=(world.north.hotline.pk,))).content.decode()
    box = page[page.index('aria-labelledby="budgets"') :]
    return re.sub(r"\s+", " ", strip_tags(box[: box.index("</section>")].replace("<", " <")))


def answered(world: World, count: int) -> None:
    for number in range(count):
        written(world.north.hotline, f"336399{number:05}", at=NOON)
    release.release_due(NOON)


def test_it_says_what_was_spent_what_may_be_and_how_long_it_lasts(world: World) -> None:
    answered(world, 12)
    said = panel(world)
    assert "This number, today 0.60 EUR 1.00 EUR (60 %) used up on 11/24/2026 9 p.m. at this pace" in said
    assert "This number, this month 0.60 EUR 10.00 EUR (6 %) lasts at this pace" in said
    assert "All numbers, today 0.60 EUR 2.00 EUR (30 %) lasts at this pace" in said
    assert "All numbers, this month 0.60 EUR none" in said
    assert "What is left answers 8 more senders, with one reply of one segment each." in said


def test_a_budget_that_is_used_up_says_until_when(world: World) -> None:
    answered(world, 25)
    said = panel(world)
    assert "This number, today 1.00 EUR 1.00 EUR (100 %) used up until 11/25/2026 1 a.m." in said
    assert "What is left answers 0 more senders" in said


def test_it_says_what_blocking_spared(world: World) -> None:
    answered(world, 1)
    Conversation.objects.update(blocked_until=NOON + datetime.timedelta(days=1), block_cause="person")
    for _ in range(4):
        written(world.north.hotline, "33639900000", at=NOON)
    assert "Blocking spared 4 replies this month, which is 0.20 EUR." in panel(world)


def test_a_flat_tariff_is_told_in_messages_and_recipients(world: World) -> None:
    Account.objects.update(tariff="flat", price_out=None, messages_per_day=10, recipients_per_month=5)
    answered(world, 3)
    said = panel(world)
    assert "Account, today: messages 3 10 (30 %) lasts at this pace" in said
    assert "Account, this month: recipients 3 5 (60 %)" in said
    assert "EUR" not in said
    assert "What is left answers 2 more senders" in said


def test_what_messages_cost_today_and_that_the_number_is_off(world: World) -> None:
    hotline = world.north.hotline
    Hotline.objects.update(inbound_budget="0.05")
    answered(world, 6)
    intake.count(NOON)
    intake.count(NOON + datetime.timedelta(minutes=1))
    assert "Messages received, today 0.05 EUR 0.05 EUR (90 %)" in panel(world)
    row = Detachment.objects.create(
        organization=hotline.organization, hotline=hotline, decided_at=NOON, next_attempt_at=NOON, detail="503"
    )
    said = panel(world)
    assert "The number is being disconnected at the provider. The provider did not do it yet (503)." in said
    for changes, words in (
        ({"detail": "", "application": "1", "detached_at": NOON}, "since 11/24/2026 1 p.m. the number is disconnected"),
        ({"ended_at": NOON}, "The number is being connected again"),
    ):
        Detachment.objects.filter(pk=row.pk).update(**changes)
        assert words in panel(world)
    Detachment.objects.update(attached_at=NOON)
    assert "connected" not in panel(world)


@pytest.mark.usefixtures("world")
def test_where_messages_are_free_nothing_is_said_of_them(world: World) -> None:
    Account.objects.update(tariff=Account.Tariff.FLAT, price_in=None)
    assert "Messages received" not in panel(world)


def test_nothing_of_anothers_spending_is_told(world: World) -> None:
    for number in range(5):
        written(world.south.hotline, f"336399{number:05}", at=NOON)
    release.release_due(NOON)
    assert "This number, today 0.00 EUR" in panel(world)
