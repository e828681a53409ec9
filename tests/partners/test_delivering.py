"""Events arrive, signed, until the endpoint says that it has them: over real sockets, whatever it answers."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine
from django.utils import timezone
from standardwebhooks.webhooks import WebhookVerificationError
from tests.certificates import self_signed
from tests.partners.receiver import Receiver
from tests.partners.test_events import endpoint
from tests.world import World

from partners import delivering, events, signing
from partners.models import Delivery, Endpoint

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _here(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.WEBHOOKS_MAY_STAY_HERE = True
    monkeypatch.setattr(delivering, "_TIMEOUT", 2.0)
    client = delivering.client
    client.cache_clear()
    yield
    client().close()
    client.cache_clear()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture
def hook(world: World, receiver: Receiver) -> Endpoint:
    return endpoint(world.north, url=receiver.url)


def test_an_event_arrives_once_and_its_signature_is_right_for_its_own_key_alone(
    hook: Endpoint, receiver: Receiver
) -> None:
    delivery = events.write_test(hook, timezone.now())
    assert (delivering.deliver(timezone.now()), delivering.deliver(timezone.now())) == (1, 0)
    [received] = receiver.received
    event = received.verified(hook.secret)
    assert (event["type"], event["data"]) == ("test", {"endpoint": hook.label})
    assert received.path == "/hook"
    assert received.headers["webhook-id"] == delivery.event.message_id
    assert received.headers["host"] == f"127.0.0.1:{receiver.port}"
    with pytest.raises(WebhookVerificationError):
        received.verified(signing.new_shared())
    delivery.refresh_from_db()
    assert delivery.delivered_at is not None
    assert (delivery.attempts, delivery.detail, delivery.next_attempt_at) == (1, "200", None)


@pytest.mark.parametrize(
    ("told", "detail"),
    [("500", "500"), ("404", "404"), ("301:https://example.org/", "301"), ("silent:3", "ReadTimeout"), ("401", "401")],
)
def test_whatever_is_no_yes_is_tried_again_with_the_same_id(
    hook: Endpoint, receiver: Receiver, told: str, detail: str
) -> None:
    delivery = events.write_test(hook, timezone.now())
    receiver.script.append(told)
    assert delivering.deliver(timezone.now()) == 0
    delivery.refresh_from_db()
    assert (delivery.attempts, delivery.detail) == (1, detail)
    with time_machine.travel(timezone.now() + 60 * SECOND):
        assert delivering.deliver(timezone.now()) == 1
    assert len({received.headers["webhook-id"] for received in receiver.received}) == 1
    assert len(receiver.received) == 2


def test_an_answer_without_end_counts_by_its_status(hook: Endpoint, receiver: Receiver) -> None:
    events.write_test(hook, timezone.now())
    receiver.script.append("200:drip")
    assert delivering.deliver(timezone.now()) == 1


def test_ten_attempts_over_three_days_and_then_none(hook: Endpoint, receiver: Receiver) -> None:
    delivery = events.write_test(hook, NOON)
    receiver.script.extend(["503"] * 20)
    pauses, now = [], NOON
    for _ in range(12):
        with time_machine.travel(now, tick=False):
            delivering.deliver(timezone.now())
        delivery.refresh_from_db()
        if delivery.next_attempt_at is None:
            break
        pauses.append((delivery.next_attempt_at - now).total_seconds())
        now = delivery.next_attempt_at
    assert tuple(pauses) == delivering.PAUSES
    assert now - NOON > datetime.timedelta(hours=75)
    assert (delivery.attempts, len(receiver.received), delivery.delivered_at) == (10, 10, None)
    delivering.again(delivery)
    receiver.script.clear()
    assert delivering.deliver(timezone.now()) == 1


def test_an_endpoint_that_is_gone_is_left_alone_until_a_person_says_otherwise(
    hook: Endpoint, receiver: Receiver
) -> None:
    now = timezone.now()
    events.write_test(hook, now)
    receiver.script.append("410")
    delivering.deliver(timezone.now())
    hook.refresh_from_db()
    assert hook.paused_reason == "410"
    events.write_test(hook, now)
    assert delivering.deliver(timezone.now()) == 0
    assert len(receiver.received) == 1
    Endpoint.objects.update(paused_at=None, paused_reason="")
    assert delivering.deliver(timezone.now()) == 1


def test_one_that_hangs_keeps_nobody_else_waiting_for_long(world: World, hook: Endpoint, receiver: Receiver) -> None:
    now = timezone.now()
    with Receiver() as other:
        receiver.script.append("silent:5")
        events.write_test(hook, now)
        events.write_test(endpoint(world.south, url=other.url), now)
        assert delivering.deliver(timezone.now()) == 1
        assert len(other.received) == 1


def test_a_process_that_dies_in_its_attempt_leaves_the_row_for_another(
    hook: Endpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = events.write_test(hook, timezone.now())

    def die(_delivery: Delivery) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(delivering, "_status", die)
        with pytest.raises(KeyboardInterrupt):
            delivering.deliver(timezone.now())
    assert delivering.deliver(timezone.now()) == 0
    delivery.refresh_from_db()
    assert delivery.attempts == 1
    assert delivery.next_attempt_at is not None
    with time_machine.travel(delivery.next_attempt_at + SECOND):
        assert delivering.deliver(timezone.now()) == 1


def test_an_address_into_a_private_network_is_not_called(hook: Endpoint, receiver: Receiver, settings: Any) -> None:
    settings.WEBHOOKS_MAY_STAY_HERE = False
    Endpoint.objects.update(url=receiver.url.replace("http://", "https://"))
    delivery = events.write_test(Endpoint.objects.get(), timezone.now())
    assert delivering.deliver(timezone.now()) == 0
    delivery.refresh_from_db()
    assert (delivery.detail, receiver.received) == ("refused address", [])


# --- TLS --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "arrives"), [("hooks.example", True), ("other.example", False)])
def test_the_certificate_must_be_of_the_name_though_the_address_is_called(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, arrives: bool
) -> None:
    certificate = self_signed(tmp_path, "hooks.example")
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate)
    trusted = ssl.create_default_context(cafile=str(certificate))
    with httpx.Client(verify=trusted, follow_redirects=False, trust_env=False, timeout=2) as client:
        monkeypatch.setattr(delivering, "client", lambda: client)
        with Receiver(served) as server:

            def getaddrinfo(host: str, *arguments: Any, **more: Any) -> Any:
                return real("127.0.0.1" if host == name else host, *arguments, **more)

            real = socket.getaddrinfo
            monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
            row = endpoint(world.north, url=f"https://{name}:{server.port}/in?a=b")
            delivery = events.write_test(row, timezone.now())
            assert delivering.deliver(timezone.now()) == arrives
            delivery.refresh_from_db()
            assert delivery.detail == ("200" if arrives else "ConnectError")
            if arrives:
                assert server.received[0].path == "/in?a=b"
                assert server.received[0].headers["host"] == f"{name}:{server.port}"
