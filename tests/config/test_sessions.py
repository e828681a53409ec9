"""A sign-in ends after eight hours, and after half an hour without a click; a page that renews itself is no click."""

from __future__ import annotations

import datetime

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from tests.world import World

from config import sessions

pytestmark = pytest.mark.once
START = datetime.datetime(2026, 11, 30, 8, tzinfo=datetime.UTC)


@pytest.fixture
def client(world: World) -> Client:
    return Client(headers={"accept-language": "en"})


def opens(client: Client, minutes: float, **headers: str) -> bool:
    with time_machine.travel(START + datetime.timedelta(minutes=minutes), tick=False):
        return client.get(reverse("admin:index"), headers=headers).status_code == 200


def test_half_an_hour_without_a_click_ends_it(world: World, client: Client) -> None:
    with time_machine.travel(START, tick=False):
        client.force_login(world.north.owner)
    assert opens(client, 20)
    assert opens(client, 49)
    assert not opens(client, 80)
    assert not opens(client, 81)


def test_eight_hours_end_it_however_busy_she_was(world: World, client: Client) -> None:
    with time_machine.travel(START, tick=False):
        client.force_login(world.north.owner)
    assert all(opens(client, minutes) for minutes in range(0, 480, 20))
    assert not opens(client, 481)


def test_a_page_that_renews_itself_keeps_nobody_signed_in(world: World, client: Client) -> None:
    with time_machine.travel(START, tick=False):
        client.force_login(world.north.owner)
    assert all(opens(client, minutes, **{sessions.BY_ITSELF: "1"}) for minutes in range(0, 30, 5))
    assert not opens(client, 31, **{sessions.BY_ITSELF: "1"})


def test_she_reads_why_and_what_to_do(world: World, client: Client) -> None:
    with time_machine.travel(START, tick=False):
        client.force_login(world.north.owner)
    with time_machine.travel(START + datetime.timedelta(hours=1), tick=False):
        page = client.get(reverse("admin:index"), follow=True).content.decode()
    assert "You were signed out because nothing happened for a while" in page


def test_a_session_is_not_written_with_every_click(world: World, client: Client) -> None:
    with time_machine.travel(START, tick=False) as clock:
        client.force_login(world.north.owner)
        before = client.session["seen"]
        clock.shift(30)
        client.get(reverse("admin:index"))
        assert client.session["seen"] == before
        clock.shift(40)
        client.get(reverse("admin:index"))
        assert client.session["seen"] > before
