"""What fails is limited by rate; what is signed never is: a provider would give up, and a message would be lost."""

from __future__ import annotations

import types
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests.inbox.webhook import count, deliver, headers_of, path_of, post
from tests.world import World, message_fields

from conversations.models import Message


@pytest.fixture(autouse=True)
def _low_rate(settings: Any) -> None:
    settings.WEBHOOK_FAILURE_RATE = "5/m"


def forge(world: World, **environ: Any) -> int:
    return post(path_of(world.north.hotline), message_fields(world.north.hotline), **environ)


def test_past_the_rate_a_forger_is_told_to_wait(world: World) -> None:
    assert [forge(world) for _ in range(8)] == [403] * 5 + [429] * 3
    answer = Client().post(path_of(world.north.hotline), "x", content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert count() == {}


def test_a_signed_message_from_the_same_address_is_never_refused_for_rate(world: World) -> None:
    for _ in range(20):
        forge(world)
        assert deliver(world.north, message_fields(world.north.hotline)) == 200
        assert deliver(world.south, message_fields(world.south.hotline)) == 200
    assert Message.objects.count() == 40
    assert forge(world) == 429


def test_signed_requests_do_not_count_towards_the_rate(world: World) -> None:
    """Duplicates and unusable requests are signed too."""
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    headers = headers_of(path, fields, world.north.token)
    nothing = {"x": "y"}
    for _ in range(10):
        assert post(path, fields, headers) == 200
        assert post(path, nothing, headers_of(path, nothing, world.north.token)) == 200
    assert forge(world) == 403


@pytest.mark.django_db(transaction=True)  # a broken constraint ends a transaction, and a request has none around it
def test_a_reused_nonce_is_refused_and_not_counted(world: World) -> None:
    fields, nonce = message_fields(world.north.hotline), "1" * 20
    assert deliver(world.north, fields, nonce=nonce) == 200
    for _ in range(10):
        assert deliver(world.north, message_fields(world.north.hotline), nonce=nonce) == 403
    assert forge(world) == 403


def test_each_address_has_its_own_rate_and_an_ipv6_subscriber_one(world: World) -> None:
    assert [forge(world, REMOTE_ADDR="192.0.2.1") for _ in range(6)] == [403] * 5 + [429]
    assert forge(world, REMOTE_ADDR="192.0.2.2") == 403
    assert [forge(world, REMOTE_ADDR=f"2001:db8:1:2::{n}") for n in range(6)] == [403] * 5 + [429]
    assert forge(world, REMOTE_ADDR="2001:db8:1:3::1") == 403


def test_a_forwarded_address_that_nobody_vouches_for_buys_nothing(world: World, settings: Any) -> None:
    assert [forge(world, HTTP_X_FORWARDED_FOR=f"192.0.2.{n}") for n in range(6)] == [403] * 5 + [429]
    settings.TRUSTED_PROXIES = 1
    assert [forge(world, HTTP_X_FORWARDED_FOR=f"10.0.0.{n}, 192.0.2.77") for n in range(6)] == [403] * 5 + [429]


def test_the_rate_is_over_when_its_minute_is(world: World, limiter_clock: types.SimpleNamespace) -> None:
    assert [forge(world) for _ in range(6)] == [403] * 5 + [429]
    limiter_clock.now += 60
    assert [forge(world) for _ in range(6)] == [403] * 5 + [429]


def test_guessed_tokens_and_forged_signatures_share_one_rate(world: World) -> None:
    fields = message_fields(world.north.hotline)
    assert [post(f"/hooks/plivo/{'A' * 21}{n}/message/", fields) for n in range(5)] == [404] * 5
    assert forge(world) == 429


def test_past_the_rate_the_log_is_spared_and_the_database_not_asked(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(6):
        forge(world)
    caplog.clear()
    with CaptureQueriesContext(connection) as queries:
        assert [forge(world) for _ in range(3)] == [429] * 3
    assert len(queries) == 0
    assert [record for record in caplog.records if record.name == "paravent.security"] == []


def test_without_its_cache_the_webhook_works_and_nothing_is_limited(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead Redis must neither refuse a message nor answer 500 (SECURITY.md F7)."""
    monkeypatch.setattr(caches["limits"], "add", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(caches["limits"], "incr", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(caches["limits"], "get", lambda *_args, **_kwargs: None)
    assert [forge(world) for _ in range(7)] == [403] * 7
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
