"""A sign-in from a new browser is told by mail, once for each browser; sessions are listed and can be ended."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from tests.world import World

from config import devices

pytestmark = pytest.mark.once
PASSWORD = "a-long-password-of-a-test"


@pytest.fixture(autouse=True)
def _password(world: World) -> None:
    world.north.owner.set_password(PASSWORD)
    world.north.owner.save()


def sign_in(world: World, client: Client | None = None) -> Client:
    client = client or Client(headers={"Accept-Language": "en", "User-Agent": "A browser 1.0"})
    answer: Any = client.post("/admin/login/", {"username": world.north.owner.username, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def test_a_new_browser_is_told_once(world: World) -> None:
    client = sign_in(world)
    assert [(sent.to, "A browser 1.0" in str(sent.body)) for sent in mail.outbox] == [([world.north.owner.email], True)]
    client.post("/admin/logout/")
    sign_in(world, client)
    assert len(mail.outbox) == 1
    sign_in(world)
    assert len(mail.outbox) == 2


def test_after_a_new_password_every_browser_is_new(world: World) -> None:
    client = sign_in(world)
    world.north.owner.set_password(PASSWORD)
    world.north.owner.save()
    sign_in(world, client)
    assert len(mail.outbox) == 2


@pytest.mark.parametrize("value", ["", "forged", "a.b.c:1:x"])
def test_a_cookie_that_is_not_ours_makes_no_browser_known(world: World, value: str) -> None:
    client = Client()
    client.cookies[devices.COOKIE] = value
    sign_in(world, client)
    assert len(mail.outbox) == 1


def test_the_cookie_tells_nobody_who_signed_in(world: World) -> None:
    client = sign_in(world)
    cookie = client.cookies[devices.COOKIE]
    assert world.north.owner.username not in cookie.value
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_sessions_are_listed_and_all_others_can_be_ended(world: World) -> None:
    one, other = sign_in(world), sign_in(world)
    shown = one.get("/accounts/sessions/").content.decode()
    assert shown.count("A browser 1.0") == 2
    assert "this one" in shown
    assert one.post("/accounts/sessions/").status_code == 302
    assert one.get("/admin/").status_code == 200
    assert other.get("/admin/").status_code == 302
    assert "signed in nowhere else" in one.get("/accounts/sessions/").content.decode()
    assert Client().get("/accounts/sessions/").status_code == 302
