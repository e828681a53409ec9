"""Own systems are told by the clock how many were blocked and what did not arrive, each span once."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone
from tests.world import SENDER, Tenant, World
from tests.writing import write

from conversations import blocks
from conversations.models import Conversation, Reply
from conversations.words import ReplyState
from partners import events, regular
from partners.models import Delivery, Endpoint, Event
from partners.signing import new_shared

NOON = datetime.datetime(2026, 11, 26, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def at_noon(time_machine: Any) -> Any:
    events._looked_at.clear()
    time_machine.move_to(NOON, tick=False)
    return time_machine


def listen(tenant: Tenant, audience: str = "own") -> Endpoint:
    row = Endpoint(
        organization=tenant.organization, label=audience, url="https://hooks.example.org/", audience=audience
    )
    row.secret = new_shared()
    row.save()
    return row


def told(kind: str) -> list[dict[str, Any]]:
    return [event.data["numbers"] for event in Event.objects.filter(kind=kind).order_by("at")]


def test_new_blocks_are_counted_by_number_and_cause(world: World, time_machine: Any) -> None:
    listen(world.north)
    listen(world.north, "partner")
    time_machine.shift(MINUTE)
    for number in range(3):
        write(world.north, sender=f"3361234000{number}")
    write(world.north, text="STOP", sender="33612340009")
    write(world.south, text="STOP")
    first, second = Conversation.objects.filter(hotline=world.north.hotline).order_by("pk")[:2]
    blocks.block_conversation(first, world.north.editor, "insults")
    blocks.block_everywhere(second, world.north.editor, "threats")
    assert events.write(timezone.now()) == 0  # the ten minutes are not over
    time_machine.shift(10 * MINUTE)
    assert (events.write(timezone.now()), events.write(timezone.now())) == (1, 0)
    found = {entry["hotline"] and entry["hotline"]["name"]: entry["causes"] for entry in told("blocks")[0]}
    assert found == {"North line": {"stop": 1, "person": 1}, None: {"person": 1}}
    assert [delivery.endpoint.label for delivery in Delivery.objects.all()] == ["own"]
    event = Event.objects.get()
    assert (event.data["since"], event.data["until"]) == ("2026-11-26T12:00:00+00:00", "2026-11-26T12:10:00+00:00")
    assert SENDER not in str(event.data)


def test_replies_that_did_not_arrive_are_counted_with_their_codes(world: World, time_machine: Any) -> None:
    listen(world.north)
    time_machine.shift(MINUTE)
    for number in range(4):
        write(world.north, sender=f"3361234000{number}")
    replies = list(Reply.objects.order_by("pk"))
    ended = {"finished_at": timezone.now()}
    sent = {"state": ReplyState.SENT, "sent_at": NOON}
    for row, changes in zip(
        replies,
        (
            {"state": ReplyState.FAILED, "error_code": "30"},
            {
                "state": ReplyState.SENT,
                "sent_at": NOON,
                "provider_id": "a",
                "delivery": "undelivered",
                "error_code": "60",
            },
            {**sent, "provider_id": "b", "delivery": "failed", "error_code": "60"},
            {**sent, "provider_id": "c", "delivery": "delivered"},
        ),
        strict=True,
    ):
        Reply.objects.filter(pk=row.pk).update(**ended, **changes)
    time_machine.shift(datetime.timedelta(hours=1))
    events.write(timezone.now())
    [[entry]] = told("deliveries.failed")
    assert (entry["refused"], entry["undelivered"], entry["unknown"]) == (1, 2, 0)
    assert entry["codes"] == {"60": 2, "30": 1}


def test_a_quiet_span_is_not_told_and_looked_at_once(
    world: World, time_machine: Any, django_assert_num_queries: Any
) -> None:
    listen(world.north)
    time_machine.shift(2 * datetime.timedelta(hours=1))
    assert events.write(timezone.now()) == 0
    with django_assert_num_queries(0):
        assert events._write_spans(world.north.organization.pk, NOON, timezone.now()) == 0


def test_a_span_is_told_once_whoever_comes_twice(world: World, time_machine: Any) -> None:
    listen(world.north)
    row = {"organization": world.north.organization, "kind": "blocks", "at": NOON}
    Event.objects.create(**row)
    with pytest.raises(IntegrityError):
        Event.objects.create(**row)


def test_spans_end_with_the_clock_and_a_minute_later() -> None:
    at = NOON + datetime.timedelta(minutes=10, seconds=59)
    ends = {kind: end for kind, _counting, _start, end in regular.spans(at)}
    assert ends == {"blocks": NOON, "deliveries.failed": NOON}
    later = {kind: end for kind, _counting, _start, end in regular.spans(at + datetime.timedelta(seconds=1))}
    assert later["blocks"] == NOON + 10 * MINUTE
