"""Pages by key: every row once and in order, whichever way one turns them, also while rows come in."""

from __future__ import annotations

import datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.world import World

from conversations.models import Conversation
from organizations import keyset
from organizations.keyset import Place

START = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)


def add(world: World, minutes: list[int], tenants: list[bool]) -> None:
    Conversation.objects.all().delete()
    for number, (minute, south) in enumerate(zip(minutes, tenants, strict=True)):
        tenant = world.south if south else world.north
        at = START + datetime.timedelta(minutes=minute)
        Conversation.objects.create(
            organization=tenant.organization,
            hotline=tenant.hotline,
            sender_key=number.to_bytes(16, "big"),
            key_epoch="2026b",
            first_message_at=at,
            last_message_at=at,
            episode_started_at=at,
        )


def turned(size: int, organizations: list[int] | None, *, back: bool = False) -> list[list[int]]:
    """The ids of every page, in the order of turning: from the newest on, or from the oldest page back."""
    rows: Any = Conversation.objects.all()
    pages, place = [], None
    while True:
        page = keyset.page(rows, "last_message_at", place, size, organizations)
        pages.append([row.pk for row in page.rows])
        if page.older is None:
            break
        place = page.older
    if not back:
        return pages
    pages = [[row.pk for row in page.rows]]
    while page.newer is not None:
        page = keyset.page(rows, "last_message_at", page.newer, size, organizations)
        pages.insert(0, [row.pk for row in page.rows])
    return pages


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=14),
    size=st.integers(1, 6),
    merged=st.booleans(),
)
def test_every_row_stands_on_one_page_in_order(
    world: World, rows: list[tuple[int, bool]], size: int, merged: bool
) -> None:
    add(world, [minute for minute, _ in rows], [south for _, south in rows])
    organizations = [world.north.organization.pk, world.south.organization.pk] if merged else None
    expected = list(Conversation.objects.order_by("-last_message_at", "-pk").values_list("pk", flat=True))
    pages = turned(size, organizations)
    assert [pk for page in pages for pk in page] == expected
    assert all(len(page) == size for page in pages[:-1])
    back = turned(size, organizations, back=True)
    assert [pk for page in back for pk in page] == expected


def test_only_the_organizations_that_are_asked_for(world: World) -> None:
    add(world, [1, 2, 3], [False, True, False])
    [page] = turned(9, [world.south.organization.pk])
    assert [Conversation.objects.get(pk=pk).organization for pk in page] == [world.south.organization]


def test_a_row_that_moves_up_meanwhile_costs_no_other_its_place(world: World) -> None:
    add(world, [1, 2, 3, 4], [False] * 4)
    rows: Any = Conversation.objects.all()
    first = keyset.page(rows, "last_message_at", None, 2)
    oldest = rows.order_by("last_message_at")[0]
    rows.filter(pk=oldest.pk).update(last_message_at=START + datetime.timedelta(hours=1))
    second = keyset.page(rows, "last_message_at", first.older, 2)
    assert [row.last_message_at.minute for row in second.rows] == [2]


MOMENTS = st.datetimes(timezones=st.just(datetime.UTC)).filter(lambda moment: moment.year > 1970)


@given(older=st.booleans(), at=MOMENTS, pk=st.integers(1, 10**17))
def test_a_place_is_read_as_it_was_written(older: bool, at: datetime.datetime, pk: int) -> None:
    place = Place(older, at, pk)
    assert Place.read(str(place)) == place


@given(st.text() | st.from_regex(r"(older|newer)-[0-9]{0,30}-[0-9]{0,30}", fullmatch=True))
def test_anything_else_is_the_first_page_and_no_error(written: str) -> None:
    place = Place.read(written)
    assert place is None or Place.read(str(place)) == place
