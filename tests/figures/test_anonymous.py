"""Nothing that is told, and no difference of two things that are told, is about fewer than eleven people."""

from __future__ import annotations

import datetime
import itertools
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from tests.world import Tenant, World

from conversations.models import Conversation, Message
from figures import anonymous, publishing
from figures.anonymous import STEP, K, Told
from figures.models import WeekFigures
from shield.models import HotlineLevel

MONDAY = datetime.date(2026, 11, 16)
NOW = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)

LANGUAGES = ("fr", "en", "ar", "de", "")
written = st.tuples(st.integers(1, 30), st.sampled_from(LANGUAGES))
weeks = st.dictionaries(st.integers(0, 400).map(str), written, max_size=120)


def told_of(week: dict[str, tuple[int, str]]) -> Told:
    return anonymous.tell({s: count for s, (count, _l) in week.items()}, {s: code for s, (_c, code) in week.items()})


@given(weeks)
def test_every_cell_and_what_is_left_is_of_eleven_senders(week: dict[str, tuple[int, str]]) -> None:
    told = told_of(week)
    if len(week) < K:
        assert told == Told()
        return
    real = {code: sum(its == code for _count, its in week.values()) for code in told.languages}
    assert all(count >= K for count in real.values())
    left = len(week) - sum(real.values())
    assert left == 0 or left >= K
    assert told.senders == anonymous.rounded(len(week))
    assert all(told.languages[code] == anonymous.rounded(count) for code, count in real.items())
    assert "" not in told.languages


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 60)), st.integers(0, 40))
def test_no_sum_of_told_cells_differs_from_the_total_by_a_small_group(counts: dict[str, int], unknown: int) -> None:
    """Whoever adds up any of them, and takes that from the total, is left with nobody or with a crowd."""
    total = sum(counts.values()) + unknown
    told = anonymous.cells(counts, total)
    for size in range(len(told) + 1):
        for some in itertools.combinations(told.values(), size):
            assert total - sum(some) == 0 or total - sum(some) >= K or total < K


@given(weeks, st.integers(1, 30), st.sampled_from(LANGUAGES))
def test_one_person_more_or_less_moves_no_number_by_more_than_a_step(
    week: dict[str, tuple[int, str]], count: int, language: str
) -> None:
    """A week is told once: nobody sees both. If somebody did, he would still not see a cell of one."""
    before, after = told_of(week), told_of({**week, "new": (count, language)})
    if before.senders is not None and after.senders is not None:
        assert abs(after.senders - before.senders) in {0, STEP}


def test_ten_are_too_few_and_eleven_are_enough() -> None:
    ten, eleven = (dict.fromkeys(range(count), 1) for count in (10, 11))
    assert anonymous.tell(ten, dict.fromkeys(ten, "fr")) == Told()
    assert anonymous.tell(eleven, dict.fromkeys(eleven, "fr")) == Told(10, 10, {"fr": 10})
    assert anonymous.cells({"fr": 11, "en": 10}, 21) == {}  # ten would be left
    assert anonymous.cells({"fr": 30, "en": 11}, 41) == {"fr": 30, "en": 11}


def test_messages_are_not_told_where_one_sender_wrote_most() -> None:
    many = {str(sender): 1 for sender in range(20)}
    assert anonymous.tell(many, {}).messages == 20
    assert anonymous.tell({**many, "0": 200}, {}).messages is None
    assert anonymous.tell({**many, "0": 200}, {}).senders == 20


# --- publishing -----------------------------------------------------------------------------------------------------
def filled(tenant: Tenant, senders: int, day: datetime.date, language: str = "fr") -> None:
    moment = datetime.datetime.combine(day, datetime.time(12), datetime.UTC)
    place: dict[str, Any] = {"organization": tenant.organization, "hotline": tenant.hotline}
    for number in range(senders):
        key = f"{day}{number}{language}".encode().ljust(16, b"x")[-16:]
        times = {"first_message_at": moment, "last_message_at": moment, "episode_started_at": moment}
        talk = Conversation.objects.create(**place, **times, sender_key=key, key_epoch="2026-H2", language=language)
        Message.objects.create(
            **place,
            account=tenant.account,
            conversation=talk,
            provider_id=f"{day}-{number}-{language}",
            disposition="answered",
            received_at=moment,
        )


@pytest.fixture
def grown(world: World) -> World:
    for tenant in (world.north, world.south):
        type(tenant.hotline).objects.filter(pk=tenant.hotline.pk).update(
            created_at=datetime.datetime(2026, 11, 9, tzinfo=datetime.UTC)
        )
    return world


def test_a_week_is_told_once_a_day_after_its_end(grown: World) -> None:
    north = grown.north
    filled(north, 23, MONDAY)
    filled(north, 4, MONDAY, "en")
    filled(grown.south, 5, MONDAY)
    sunday = datetime.datetime(2026, 11, 22, 23, tzinfo=datetime.UTC)
    publishing.publish_weeks(sunday)
    assert not WeekFigures.objects.filter(monday=MONDAY).exists()
    publishing.publish_weeks(sunday + publishing.DELAY + datetime.timedelta(hours=1))
    told = WeekFigures.objects.get(hotline=north.hotline, monday=MONDAY)
    assert (told.senders, told.messages, told.languages) == (25, 25, {})
    assert WeekFigures.objects.get(hotline=grown.south.hotline, monday=MONDAY).senders is None
    filled(north, 1, MONDAY + datetime.timedelta(days=1))  # what came late changes nothing that was told
    assert publishing.publish_weeks(NOW) == 0
    assert WeekFigures.objects.get(hotline=north.hotline, monday=MONDAY).senders == 25


@pytest.mark.parametrize("level", ["watch", "raid"])
def test_nothing_is_told_during_a_raid(grown: World, level: str) -> None:
    north = grown.north
    filled(north, 12, MONDAY)
    HotlineLevel.objects.update_or_create(hotline=north.hotline, defaults={"level": level, "since": timezone.now()})
    publishing.publish_weeks(NOW)
    assert not WeekFigures.objects.filter(hotline=north.hotline).exists()
    assert WeekFigures.objects.filter(hotline=grown.south.hotline).exists()
    HotlineLevel.objects.update(level="normal")
    publishing.publish_weeks(NOW)
    assert WeekFigures.objects.get(hotline=north.hotline, monday=MONDAY).senders == 10


def test_the_page_shows_what_is_told_to_the_organization_alone(grown: World) -> None:
    north = grown.north
    filled(north, 23, MONDAY)
    publishing.publish_weeks(NOW)
    client = Client(headers={"accept-language": "en"})
    client.force_login(north.viewer)
    shown = client.get(reverse("admin:hotlines_hotline_change", args=[north.hotline.pk])).content.decode()
    assert "Public figures" in shown
    assert "too few to tell" in shown
    client.force_login(grown.south.owner)
    assert client.get(reverse("admin:hotlines_hotline_change", args=[north.hotline.pk])).status_code == 404
