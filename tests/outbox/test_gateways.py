"""A phone says how it is, and its people are told once when it is silent or soon will be."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import translation
from tests.inbox.webhook import path_of
from tests.providers.contract import smsgate as contract
from tests.signing import PUBLIC
from tests.world import World

from conversations.models import Message
from outbox import gateways
from providers.base import SignOfLife
from providers.models import GatewayLife

NOON = datetime.datetime(2026, 11, 2, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


def note(world: World, minutes: int, **sign: int) -> None:
    gateways.note(world.north.account.pk, SignOfLife(**sign), NOON + minutes * MINUTE)


def tell(minutes: int) -> int:
    with translation.override("en"):
        return gateways.tell(NOON + minutes * MINUTE)


def subjects() -> list[str]:
    return [sent.subject for sent in mail.outbox]


def test_a_ping_at_the_webhook_is_remembered_and_is_no_message(world: World) -> None:
    account = world.north.account
    account.provider, account.credentials = "smsgate", dict(contract.credentials("k" * 20))
    account.save()
    world.north.hotline.refresh_from_db()
    path = path_of(world.north.hotline)
    checks = {"battery:level": {"observedValue": 80}, "messages:failed": {"observedValue": 1}}
    for _ in range(2):
        request = contract.signed(PUBLIC + path, "k" * 20, "system:ping", {"health": {"checks": checks}})
        headers = {name: value for name, value in request.headers.items() if name != "content-type"}
        answer = Client().post(path, request.body, content_type="application/json", headers=headers)
        assert (answer.status_code, answer.content) == (200, b"ok")
    life = GatewayLife.objects.get()
    assert (life.account, life.battery, life.failed) == (account, 80, 1)
    assert Message.objects.count() == 0


def test_one_that_never_pinged_is_not_missed(world: World) -> None:
    assert tell(10_000) == 0


def test_silence_is_told_once_for_each_time(world: World) -> None:
    note(world, 0, battery=80)
    assert [tell(59), tell(60), tell(61), tell(500)] == [0, 1, 0, 0]
    note(world, 501)
    assert [tell(502), tell(561), tell(562)] == [0, 1, 0]
    assert [sent.to for sent in mail.outbox] == [["alerts@north.example"]] * 2
    assert all("North Plivo" in subject for subject in subjects())


def test_a_low_battery_is_told_once_until_it_is_charged(world: World) -> None:
    note(world, 0, battery=19)
    assert [tell(0), tell(1)] == [1, 0]
    note(world, 10, battery=12)
    assert tell(10) == 0
    note(world, 20, battery=90)
    note(world, 30, battery=5)
    assert tell(30) == 1
    assert "5\N{NO-BREAK SPACE}%" in mail.outbox[-1].body


def test_what_no_mail_told_is_told_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> Any:
        raise OSError("no route")

    note(world, 0)
    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMessage.send", fail)
        assert tell(60) == 0
    assert tell(61) == 1


def test_the_accounts_page_says_how_it_is(world: World) -> None:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(world.north.owner)
    page = reverse("admin:hotlines_account_change", args=(world.north.account.pk,))
    assert "Last heard of" not in client.get(page).content.decode()
    note(world, 0, battery=80, failed=2)
    shown = client.get(page).content.decode()
    assert "Last heard of on 11/02/2026 1 p.m." in shown
    assert "Battery: 80 %. In the hour before, 2 messages failed there." in shown
    client.force_login(world.south.owner)
    assert client.get(page).status_code in {302, 404}


def test_a_ping_that_waited_tells_nothing_new(world: World) -> None:
    note(world, 10, battery=80)
    note(world, 5, battery=10)
    assert (GatewayLife.objects.get().battery, tell(10)) == (80, 0)
