"""Two machines that answer each other end by themselves (SECURITY.md T6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from tests.inbox.webhook import deliver
from tests.providers.fake_plivo import FakePlivo
from tests.world import AUTH_ID, Tenant, World, message_fields

from conversations.models import Message, Reply
from outbox import release, send
from providers import http


@pytest.fixture
def plivo(settings: Any, world: World) -> Iterator[FakePlivo]:
    with FakePlivo(accounts={AUTH_ID: world.north.token}) as server:
        settings.PLIVO_API_URL = server.url
        yield server
        http.client().close()
    http.client.cache_clear()


def answer_everything(tenant: Tenant) -> int:
    """Send whatever is due; returns how many texts left."""
    release.release_due(timezone.now())
    sent = 0
    while send.send_one(timezone.now()):
        sent += 1
    return sent


@pytest.mark.parametrize("limit", [1, 2, 5, 10])
def test_a_peer_that_always_answers_gets_as_many_texts_as_the_limit_says(
    world: World, plivo: FakePlivo, limit: int
) -> None:
    hotline = world.north.hotline
    hotline.reply_limit = limit
    hotline.save()
    incoming = 1
    for _ in range(limit + 5):
        for _ in range(incoming):
            assert deliver(world.north, message_fields(hotline, "Je suis absent.")) == 200
        incoming = answer_everything(world.north)
    assert (plivo.accepted, Message.objects.count()) == (limit, limit + 1)
    assert incoming == 0


def test_two_hotlines_of_ours_never_answer_each_other(world: World) -> None:
    north, south = (tenant.hotline.number.removeprefix("+") for tenant in world.tenants)
    assert deliver(world.north, message_fields(world.north.hotline, sender=south)) == 200
    assert deliver(world.south, message_fields(world.south.hotline, sender=north)) == 200
    assert deliver(world.north, message_fields(world.north.hotline, sender=north)) == 200
    assert [message.disposition for message in Message.objects.all()] == ["not_answerable"] * 3
    assert Reply.objects.count() == 0
