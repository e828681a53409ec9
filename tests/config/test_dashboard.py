"""The first page: each number's day, and how it went over hours, days and weeks; of one's own organizations alone."""

from __future__ import annotations

import datetime
import json
import zoneinfo
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from tests.world import World
from tests.writing import write

from config import overview, sessions
from conversations.models import Conversation, Message, Reply
from conversations.words import ReplyState
from hotlines.models import Account, Hotline
from outbox import sweeps
from shield import intake, ledger
from shield.models import HotlineLevel, Spending
from shield.words import Level

DAY = datetime.timedelta(days=1)


def page(user: Any, query: str = "", **headers: str) -> str:
    client = Client(headers={"accept-language": "en", **headers})
    client.force_login(user)
    return client.get(reverse("admin:index") + query).content.decode()


def send() -> None:
    """What is due is released, and taken as sent."""
    sweeps.release_replies()
    for reply in Reply.objects.filter(state=ReplyState.RELEASED):
        sent = {"state": ReplyState.SENT, "sent_at": timezone.now(), "provider_id": str(reply.uuid)}
        Reply.objects.filter(pk=reply.pk).update(**sent)


def row_of(world: World, hotline: Hotline | None = None) -> overview.Row:
    organization = world.north.organization
    rows = overview.days([organization], timezone.now())[organization.pk].rows
    return next(row for row in rows if row.hotline == (hotline or world.north.hotline))


def test_a_number_says_what_it_did_today(world: World) -> None:
    for sender in ("33612340001", "33612340002"):
        write(world.north, sender=sender)
    write(world.south)
    send()
    row = row_of(world)
    assert (row.messages, row.replies, row.delivered) == (2, 2, None)
    assert row.glance.level is Level.NORMAL
    assert row.glance.consequence == ""
    assert not row.silent


def test_what_was_yesterday_is_not_today(world: World) -> None:
    write(world.north)
    send()
    tomorrow = overview.days([world.north.organization], timezone.now() + DAY)[world.north.organization.pk].rows
    assert [(row.messages, row.replies) for row in tomorrow if row.hotline == world.north.hotline] == [(0, 0)]


def test_the_share_that_arrived_is_of_those_known(world: World) -> None:
    for sender in range(4):
        write(world.north, sender=f"3361234000{sender}")
    send()
    said = ("delivered", "delivered", "undelivered", "sent")
    for reply, delivery in zip(Reply.objects.order_by("pk")[:4], said, strict=True):
        Reply.objects.filter(pk=reply.pk).update(delivery=delivery)
    assert row_of(world).delivered == 67
    assert "67&nbsp;%" in page(world.north.viewer)


def test_a_raid_and_a_silent_provider_are_said_in_words(world: World) -> None:
    hotline = world.north.hotline
    level = {"level": Level.RAID, "detected": Level.RAID, "since": timezone.now(), "raised_at": timezone.now()}
    HotlineLevel.objects.update_or_create(hotline=hotline, defaults=level)
    account = hotline.account
    now = timezone.now()
    silent: dict[str, Any] = {"unanswered": 7, "unanswered_since": now, "attempt_wait": 120}
    Account.objects.filter(pk=account.pk).update(**silent, next_attempt_at=now + datetime.timedelta(seconds=30))
    shown = page(world.north.viewer)
    assert "This looks like a raid." in shown
    assert "the provider does not answer" in shown
    assert "This looks like a raid." not in page(world.south.viewer)


def test_the_budget_that_ends_first_is_shown_with_its_forecast(world: World) -> None:
    Hotline.objects.filter(pk=world.north.hotline.pk).update(day_budget=20)
    hotline = Hotline.objects.get(pk=world.north.hotline.pk)
    name = next(
        name for name in ledger.caps_of(hotline, timezone.now()) if name.scope == "hotline" and name.window == "day"
    )
    spending = Spending(scope=name.scope, key=name.key, window=name.window, starts_at=name.starts_at)
    spending.micros = 15_000_000
    spending.save()
    budget = row_of(world).glance.budget
    assert budget is not None
    assert budget["share"] == 75
    assert "20.00" in page(world.north.viewer)


def test_nobody_sees_another_organizations_numbers(world: World) -> None:
    write(world.south)
    shown = page(world.north.owner)
    assert world.south.hotline.number not in shown
    assert world.north.hotline.number in shown
    assert world.south.hotline.number in page(world.operator)


def test_hours_days_and_weeks(world: World) -> None:
    for sender in ("33612340001", "33612340002"):
        write(world.north, sender=sender)
    write(world.south)
    send()
    now = timezone.now()
    for later in (0, 20, 40):
        intake.count(now + datetime.timedelta(seconds=later))
    for span, places in (("hour", 24), ("day", 30), ("week", 26), ("nonsense", 24)):
        points = overview.chart(world.north.organization, span, now).points
        assert len(points) == places
        assert [(point.received, point.replied) for point in points][-1] == (2, 2)
        assert sum(point.received for point in points) == 2
    later = overview.chart(world.north.organization, "day", now + 3 * DAY)
    assert [point.received for point in later.points][-4:] == [2, 0, 0, 0]
    assert not later.empty
    assert overview.chart(world.north.organization, "hour", now + 3 * DAY).empty
    data = json.loads(later.data)
    assert [series["data"][-4] for series in data["datasets"]] == [2, 2]
    for span in overview.SPANS:
        assert "As a table" in page(world.north.viewer, f"?span={span}")


def test_more_numbers_cost_no_more_statements(world: World) -> None:
    write(world.north)

    def statements() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            overview.days([world.north.organization], timezone.now())
        return len(caught)

    before = statements()
    for number in range(5):
        Hotline.objects.create(
            organization=world.north.organization,
            account=world.north.hotline.account,
            name=f"line {number}",
            number=f"+3393700010{number}",
            kind="lgbt",
            languages=["fr"],
            default_language="fr",
        )
    assert statements() == before <= 6


def test_what_renews_itself_asks_for_no_chart(world: World) -> None:
    write(world.north)
    assert "As a table" in page(world.north.viewer) or "Nothing was received" in page(world.north.viewer)
    renewed = page(world.north.viewer, **{sessions.BY_ITSELF: "1"})
    assert "How it went" not in renewed
    assert f'data-live id="counts-{world.north.organization.pk}"' in renewed


@pytest.mark.parametrize("role", ["viewer", "editor", "owner"])
def test_every_role_sees_it(world: World, role: str) -> None:
    assert "Numbers today" in page(getattr(world.north, role))


def test_a_day_of_25_hours_is_counted_from_its_midnight(world: World) -> None:
    """On 25 October 2026 the clocks of Paris go back: from ten past midnight to half past eleven is over a day."""
    paris = zoneinfo.ZoneInfo(world.north.organization.time_zone)
    first, last = (datetime.datetime(2026, 10, 25, hour, 30, tzinfo=paris) for hour in (0, 23))
    assert last.astimezone(datetime.UTC) - first.astimezone(datetime.UTC) == DAY
    early = first - datetime.timedelta(minutes=20)
    message = write(world.north)
    Message.objects.filter(pk=message.pk).update(received_at=early)
    Conversation.objects.filter(pk=message.conversation_id).update(first_message_at=early, last_message_at=early)
    day = overview.days([world.north.organization], last.astimezone(datetime.UTC))[world.north.organization.pk]
    assert day.messages == 1
