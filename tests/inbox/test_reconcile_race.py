"""A message that comes after all, to two processes at once, while the list is read: once in every case."""

from __future__ import annotations

import datetime
from collections import Counter

import pytest
from django.utils import timezone
from tests.outbox.carrier import deliver, inbound, reported, written
from tests.outbox.logbook import Logbook, is_ours_since, made_unknown
from tests.outbox.test_concurrency import at_once
from tests.world import World, build_world

from conversations.models import Conversation, Message, Reply
from hotlines.models import Account, Hotline
from inbox import receive, reconcile
from outbox import settle
from providers import reading
from providers.base import Delivery
from providers.models import LogReading

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

HALF_AN_HOUR = datetime.timedelta(minutes=30)


@pytest.fixture
def world(transactional_db: None) -> World:
    built = build_world()
    then = timezone.now() - datetime.timedelta(days=1)
    Hotline.objects.update(created_at=then)
    Account.objects.update(created_at=then)
    return built


@pytest.fixture
def logbook(monkeypatch: pytest.MonkeyPatch) -> Logbook:
    made = Logbook()
    monkeypatch.setattr(reading.registry, "get", lambda _name: made)
    return made


def test_late_deliveries_and_readers_of_the_list_agree_on_one_row(world: World, logbook: Logbook) -> None:
    hotline = world.north.hotline
    senders = ["33639980101", "33639980102"]
    received = []
    for n in range(40):
        message = inbound(hotline, senders[n % 2], message_id=f"m{n}")
        logbook.received(world.north, message.id, timezone.now() - HALF_AN_HOUR, sender=message.sender)
        LogReading.objects.update(inbound_until=timezone.now() - 2 * HALF_AN_HOUR)
        if n % 4:
            reconcile.reconcile_inbound()

        def come(message: receive.InboundMessage = message) -> None:
            received.append(deliver(hotline, message))

        at_once(come, come, come, reconcile.reconcile_inbound, reconcile.reconcile_inbound)
    assert Counter(received) == {receive.Receipt.STORED: 40, receive.Receipt.DUPLICATE: 80}
    assert Counter(Message.objects.values_list("provider_id", flat=True)) == {f"m{n}": 1 for n in range(40)}
    assert not Message.objects.filter(disposition="missed").exists()
    assert sum(Conversation.objects.values_list("messages_received", flat=True)) == 40
    assert max(Counter(Reply.objects.values_list("message", flat=True)).values()) == 1
    assert set(Conversation.objects.values_list("slots_used", flat=True)) == {hotline.reply_limit}


def test_settlers_and_a_report_agree_on_one_end(world: World, logbook: Logbook) -> None:
    ends = Counter()
    is_ours_since(world.north, timezone.now() - datetime.timedelta(days=3))
    for n in range(30):
        reply = written(world.north.hotline, f"336399{n:05}")
        assert reply is not None
        made_unknown([reply], timezone.now() - HALF_AN_HOUR)
        if n % 3 == 0:
            logbook.sent(world.north, f"336399{n:05}", reply.claimed_at, name=f"id-{n}")
        LogReading.objects.update(requested_at=None)
        settled: list[int] = []

        def look(settled: list[int] = settled) -> None:
            settled.append(settle.settle_unknown())

        def report(reply: Reply = reply, n: int = n) -> None:
            if n % 3 == 1:
                assert reported(reply, f"id-{n}", Delivery.SENT)

        at_once(look, look, report)
        row = Reply.objects.get(pk=reply.pk)
        ends[row.state] += 1
        assert (row.state, row.provider_id) == (("released", "") if n % 3 == 2 else ("sent", f"id-{n}"))
        assert sum(settled) == 1 or n % 3 == 1
        assert row.absences <= 1
    assert ends == {"sent": 20, "released": 10}
