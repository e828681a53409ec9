"""What endpoints are told: every alert once, six events an hour at most, and no more than whom it concerns may know."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from tests.partners.api_world import make_page
from tests.world import Tenant, World

from figures.models import WeekFigures
from hotlines import lifecycle
from hotlines.models import Hotline
from partners import events, signing
from partners.models import Delivery, Endpoint, Event, ToldAlert
from replies.models import ReplyTemplate
from shield.models import Alert, LevelChange

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def clock(settings: Any) -> Any:
    settings.LANGUAGE_CODE = "en"
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def endpoint(tenant: Tenant, audience: str = "own", **changes: Any) -> Endpoint:
    row = Endpoint(organization=tenant.organization, label=f"{audience} {Endpoint.objects.count()}", audience=audience)
    row.url = changes.pop("url", "https://hooks.example.org/paravent")
    row.secret = signing.new_shared()
    for name, value in changes.items():
        setattr(row, name, value)
    row.save()
    return row


def alert(tenant: Tenant, at: datetime.datetime = NOON) -> Alert:
    return Alert.objects.create(
        organization=tenant.organization,
        hotline=tenant.hotline,
        kind=Alert.Kind.LOOP,
        key=str(Alert.objects.count()),
        at=at,
    )


def raid(tenant: Tenant) -> Alert:
    change = LevelChange.objects.create(
        organization=tenant.organization,
        hotline=tenant.hotline,
        at=NOON,
        before="normal",
        after="raid",
        cause="texts",
        figures={"largest_text": 60},
    )
    return Alert.objects.create(
        organization=tenant.organization,
        hotline=tenant.hotline,
        kind=Alert.Kind.LEVEL,
        key=f"level {change.pk}",
        change=change,
        at=NOON,
    )


def told() -> list[tuple[str, str]]:
    """Which endpoint gets an event of which kind, in order."""
    rows = Delivery.objects.order_by("pk").select_related("endpoint", "event")
    return [(row.endpoint.label, row.event.kind) for row in rows]


# --- alerts -----------------------------------------------------------------------------------------------------------
def test_alerts_are_told_once_together_and_to_their_own_organization(world: World) -> None:
    mine, _theirs = endpoint(world.north), endpoint(world.south)
    for _ in range(3):
        alert(world.north)
    assert (events.write(timezone.now()), events.write(timezone.now())) == (1, 0)
    assert told() == [(mine.label, "alerts")]
    event = Event.objects.get()
    assert [found["kind"] for found in event.data["alerts"]] == ["loop"] * 3
    assert event.data["alerts"][0]["hotline"]["number"] == world.north.hotline.number
    assert event.data["alerts"][0]["text"].startswith("North line: a machine seems to answer")
    assert ToldAlert.objects.count() == 3


def test_two_schedulers_at_the_same_moment_write_it_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint(world.north)
    endpoint(world.south)
    alert(world.north)
    alert(world.south)
    lifecycle.change_state(world.north.hotline, "silent")
    real, inner = events._alert, list[int]()

    def late(told: Alert) -> Any:
        """The other one is quicker, between our choice and what we write."""
        if not inner:
            inner.append(0)
            inner[0] = events.write(timezone.now())
        return real(told)

    monkeypatch.setattr(events, "_alert", late)
    assert (events.write(timezone.now()), inner) == (0, [3])
    assert ToldAlert.objects.count() == 2
    assert Event.objects.count() == Delivery.objects.count() == 3


def test_a_raid_says_what_it_is_and_by_which_figures(world: World) -> None:
    endpoint(world.north)
    raid(world.north)
    events.write(timezone.now())
    [found] = Event.objects.get().data["alerts"]
    assert found["level"] == {"before": "normal", "after": "raid", "cause": "texts", "figures": {"largest_text": 60}}


def test_no_more_than_six_an_hour_and_the_last_is_kept_for_a_raid(world: World, clock: Any) -> None:
    endpoint(world.north)
    for _ in range(8):
        alert(world.north, timezone.now())
        events.write(timezone.now())
        clock.shift(MINUTE)
    assert Event.objects.count() == 5
    raid(world.north)
    assert events.write(timezone.now()) == 1
    assert len(Event.objects.latest("pk").data["alerts"]) == 4
    raid(world.north)
    assert events.write(timezone.now()) == 0
    clock.shift(60 * MINUTE)
    assert events.write(timezone.now()) == 1
    assert ToldAlert.objects.count() == 10


def test_many_alerts_are_told_in_several_events_that_any_receiver_takes(world: World, clock: Any) -> None:
    endpoint(world.north)
    Hotline.objects.update(name="é" * 120)
    for _ in range(50):
        alert(Tenant(**{**vars(world.north), "hotline": Hotline.objects.get(pk=world.north.hotline.pk)}))
    for _ in range(3):
        events.write(timezone.now())
        clock.shift(MINUTE)
    assert [len(event.data["alerts"]) for event in Event.objects.order_by("pk")] == [40, 10]
    assert all(len(json.dumps(event.data, ensure_ascii=False).encode()) < 40_000 for event in Event.objects.all())


def test_who_was_not_there_yet_or_is_paused_or_is_a_partner_is_told_no_alert(world: World, clock: Any) -> None:
    alert(world.north)
    clock.shift(MINUTE)
    endpoint(world.north, "partner")
    endpoint(world.north, paused_at=NOON, paused_reason="by a person")
    late = endpoint(world.north)
    assert events.write(timezone.now()) == 0
    alert(world.north, NOON + 2 * MINUTE)
    events.write(timezone.now())
    assert told() == [(late.label, "alerts")]


def test_a_partner_is_told_of_no_number_that_no_page_shows(world: World) -> None:
    own = endpoint(world.north)
    endpoint(world.north, "partner")
    make_page(world.north, "hidden", published=False)
    lifecycle.change_state(world.north.hotline, "silent", author=world.north.owner)
    WeekFigures.objects.create(
        hotline=world.north.hotline,
        monday=datetime.date(2026, 10, 26),
        senders=20,
        messages=50,
        published_at=timezone.now(),
    )
    events.write(timezone.now())
    assert sorted(told()) == [(own.label, "hotline.state_changed"), (own.label, "statistics.week")]


def test_what_happened_in_a_pause_is_not_told_after_it(world: World, clock: Any) -> None:
    row = endpoint(world.north)
    type(row).objects.filter(pk=row.pk).update(paused_at=timezone.now(), paused_reason="by a person")
    clock.shift(MINUTE)
    lifecycle.change_state(world.north.hotline, "silent", author=world.north.owner)
    events.write(timezone.now())
    clock.shift(MINUTE)
    type(row).objects.filter(pk=row.pk).update(paused_at=None, paused_reason="", resumed_at=timezone.now())
    events.write(timezone.now())
    assert told() == []
    clock.shift(MINUTE)
    lifecycle.change_state(world.north.hotline, "active", author=world.north.owner)
    events.write(timezone.now())
    assert told() == [(row.label, "hotline.state_changed")]


# --- which number to show ---------------------------------------------------------------------------------------------
def test_a_suspension_and_its_successor_are_told_to_partners_without_the_reason(world: World) -> None:
    partner, own = endpoint(world.north, "partner"), endpoint(world.north)
    endpoint(world.south, "partner")
    make_page(world.north, "north")
    spare = Hotline.objects.create(
        organization=world.north.organization,
        account=world.north.account,
        name="spare",
        number="+33937000099",
        kind="anti-relous",
        day_budget=10,
        month_budget=100,
    )
    ReplyTemplate.objects.create(organization=world.north.organization, hotline=spare, language="fr", text="Non.")
    lifecycle.change_state(world.north.hotline, "suspended", "threats against Anna", spare, world.north.owner)
    assert (events.write(timezone.now()), events.write(timezone.now())) == (2, 0)
    assert sorted(told()) == sorted([(label, "hotline.state_changed") for label in (partner.label, own.label)] * 2)
    first, second = Event.objects.order_by("pk")
    shown = {"id": str(spare.uuid), "name": "spare", "number": "+33937000099", "state": "active"}
    assert (first.data["before"], first.data["after"]) == ("active", "suspended")
    assert first.data["successor"] == first.data["show_now"] == shown
    assert (second.data["hotline"], second.data["show_now"]) == (shown, shown)
    assert not any("Anna" in json.dumps(event.data) for event in Event.objects.all())


def test_without_a_successor_there_is_no_number_to_show(world: World) -> None:
    endpoint(world.north, "partner")
    lifecycle.change_state(world.north.hotline, "retired")
    events.write(timezone.now())
    data = Event.objects.get().data
    assert (data["after"], data["successor"], data["show_now"]) == ("retired", None, None)


def test_no_event_holds_a_sender_or_a_text(world: World) -> None:
    endpoint(world.north)
    alert(world.north)
    raid(world.north)
    events.write(timezone.now())
    written = json.dumps([event.data for event in Event.objects.all()])
    assert "33639980123" not in written
    assert "sender_key" not in written
