"""What the provider's list has and we do not: counted once, said once, and replaced by the message if it comes."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from tests.outbox.carrier import deliver, empty_tables, inbound
from tests.outbox.logbook import Logbook, masked
from tests.providers.fake_plivo import FakePlivo
from tests.world import AUTH_ID, SENDER, Tenant, World

from conversations.models import Conversation, Message, Reply
from hotlines.models import Hotline
from inbox import blocked, hooks, receive, reconcile, unreadable
from providers import http, reading
from providers.base import Unavailable, Verification
from providers.models import LogReading
from shield.models import Detachment

NOON = datetime.datetime(2026, 11, 3, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def logbook(monkeypatch: pytest.MonkeyPatch) -> Logbook:
    made = Logbook()
    monkeypatch.setattr(reading.registry, "get", lambda _name: made)
    return made


@pytest.fixture
def clock(world: World) -> Any:
    """Noon, and everything there since the day before."""
    for tenant in world.tenants:
        type(tenant.account).objects.update(created_at=NOON - datetime.timedelta(days=1))
        Hotline.objects.update(created_at=NOON - datetime.timedelta(days=1))
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def stored(disposition: str = "missed") -> list[str]:
    return sorted(Message.objects.filter(disposition=disposition).values_list("provider_id", flat=True))


# --- finding ----------------------------------------------------------------------------------------------------------
def test_what_we_do_not_have_is_counted_once_without_content(world: World, clock: Any, logbook: Logbook) -> None:
    assert deliver(world.north.hotline, inbound(world.north.hotline, message_id="ours")) is receive.Receipt.STORED
    for name in ("ours", "lost"):
        logbook.received(world.north, name, NOON - 30 * MINUTE, units=2)
    assert [reconcile.reconcile_inbound(), reconcile.reconcile_inbound()] == [1, 0]
    clock.shift(11 * MINUTE)
    assert reconcile.reconcile_inbound() == 0
    row = Message.objects.get(provider_id="lost")
    assert (row.disposition, row.hotline, row.account) == ("missed", world.north.hotline, world.north.account)
    assert (row.organization, row.received_at, row.units) == (world.north.organization, NOON - 30 * MINUTE, 2)
    assert (row.conversation, row.text_sealed, row.nonce_hash) == (None, None, None)
    assert (stored("missed"), stored("answered")) == (["lost"], ["ours"])
    assert Conversation.objects.get().messages_received == Reply.objects.count() == 1


def test_what_may_still_come_is_not_missed_yet(world: World, clock: Any, logbook: Logbook) -> None:
    logbook.received(world.north, "young", NOON - 19 * MINUTE)
    assert reconcile.reconcile_inbound() == 0
    clock.shift(11 * MINUTE)
    assert reconcile.reconcile_inbound() == 1


def test_an_entry_that_comes_late_to_the_log_is_found_within_the_hour(
    world: World, clock: Any, logbook: Logbook
) -> None:
    assert reconcile.reconcile_inbound() == 0
    for late, age in (("late", 79), ("too late", 81)):
        logbook.received(world.north, late, NOON - age * MINUTE)
    clock.shift(10 * MINUTE)
    assert reconcile.reconcile_inbound() == 1
    assert stored() == ["late"]


def test_it_asks_every_ten_minutes_from_the_last_moment_on(world: World, clock: Any, logbook: Logbook) -> None:
    reconcile.reconcile_inbound()
    assert [query.until for query, _cursor in logbook.asked] == [NOON - 20 * MINUTE] * len(world.tenants)
    assert logbook.asked[0][0].since == NOON - datetime.timedelta(hours=25)
    clock.shift(9 * MINUTE)
    reconcile.reconcile_inbound()
    assert len(logbook.asked) == 2
    clock.shift(MINUTE)
    reconcile.reconcile_inbound()
    assert [(query.since, query.until) for query, _ in logbook.asked[2:]] == [
        (NOON - 80 * MINUTE, NOON - 10 * MINUTE)
    ] * 2


def test_after_a_hundred_days_it_asks_for_what_the_provider_keeps(world: World, clock: Any, logbook: Logbook) -> None:
    reconcile.reconcile_inbound()
    clock.shift(datetime.timedelta(days=100))
    reconcile.reconcile_inbound()
    assert len(logbook.asked) == 4
    assert logbook.asked[2][0].since == NOON + datetime.timedelta(days=10, hours=1)


# --- whose it is ------------------------------------------------------------------------------------------------------
def test_each_organization_gets_its_own_and_one_mail(world: World, clock: Any, logbook: Logbook) -> None:
    for n, tenant in enumerate(world.tenants):
        for m in range(n + 1):
            logbook.received(tenant, f"{tenant.organization.name}-{m}", NOON - 30 * MINUTE)
    assert reconcile.reconcile_inbound() == 3
    assert sorted(sent.to[0] for sent in mail.outbox) == ["alerts@north.example", "alerts@south.example"]
    for tenant, sent in zip(world.tenants, sorted(mail.outbox, key=lambda sent: sent.to[0]), strict=True):
        counted = Message.objects.filter(organization=tenant.organization)
        assert {row.provider_id for row in counted} == {
            entry.id for entry in logbook.entries if entry.id.startswith(tenant.organization.name)
        }
        assert f"{tenant.hotline.name}: {counted.count()}" in sent.body
        written = sent.subject + sent.body
        assert not any(number in written for number in (SENDER, tenant.hotline.number.removeprefix("+")))
    assert reconcile.reconcile_inbound() == 0
    assert len(mail.outbox) == 2


def test_nobody_is_alarmed_by_what_did_not_come_because_the_number_was_taken_off(
    world: World, clock: Any, logbook: Logbook
) -> None:
    Detachment.objects.create(
        organization=world.north.organization,
        hotline=world.north.hotline,
        decided_at=NOON - 40 * MINUTE,
        next_attempt_at=NOON,
    )
    for name, age in (("before", 70), ("while it was off", 30)):
        logbook.received(world.north, name, NOON - age * MINUTE)
    logbook.received(world.south, "another's", NOON - 30 * MINUTE)
    assert reconcile.reconcile_inbound() == 2
    assert stored() == ["another's", "before", "while it was off"]
    assert sorted(message.to[0] for message in mail.outbox) == ["alerts@north.example", "alerts@south.example"]


def two_numbers_that_it_may_be(tenant: Tenant, logbook: Logbook) -> None:
    Hotline.objects.exclude(pk=tenant.hotline.pk).update(number="+33937555555")
    twin = Hotline.objects.get(pk=tenant.hotline.pk)
    twin.pk, twin.uuid, twin.hook_token = None, type(twin.uuid)(int=7), "t" * 22
    twin.number = tenant.hotline.number[:-1] + "9"
    twin.save()
    Hotline.objects.filter(pk=twin.pk).update(created_at=NOON - datetime.timedelta(days=1))
    logbook.received(tenant, "unclear", NOON - 30 * MINUTE, recipient=masked(tenant.hotline.number))


def a_number_that_is_not_here(tenant: Tenant, logbook: Logbook) -> None:
    logbook.received(tenant, "elsewhere", NOON - 30 * MINUTE, recipient="33937099999")


def before_the_number_was_here(tenant: Tenant, logbook: Logbook) -> None:
    Hotline.objects.filter(pk=tenant.hotline.pk).update(created_at=NOON - 29 * MINUTE)
    logbook.received(tenant, "before", NOON - 30 * MINUTE)


def a_draft(tenant: Tenant, logbook: Logbook) -> None:
    Hotline.objects.filter(pk=tenant.hotline.pk).update(state="draft")
    logbook.received(tenant, "draft", NOON - 30 * MINUTE)


def one_that_is_kept_unreadable(tenant: Tenant, logbook: Logbook) -> None:
    hook = hooks.of_hotline(tenant.hotline.pk)
    assert hook is not None
    body = b"From=x&MessageUUID=was-unreadable&MessageUUID=was-unreadable"
    unreadable.keep(hook, body, "a parameter is repeated", Verification("v3", "n" * 12), NOON - 29 * MINUTE)
    logbook.received(tenant, "was-unreadable", NOON - 30 * MINUTE)


@pytest.mark.parametrize(
    "story",
    [
        two_numbers_that_it_may_be,
        a_number_that_is_not_here,
        before_the_number_was_here,
        a_draft,
        one_that_is_kept_unreadable,
    ],
    ids=lambda story: story.__name__,
)
def test_what_is_nobodys_is_counted_for_none(
    world: World, clock: Any, logbook: Logbook, story: Callable[[Tenant, Logbook], None]
) -> None:
    story(world.north, logbook)
    assert reconcile.reconcile_inbound() == 0
    assert (stored(), mail.outbox) == ([], [])


def test_a_hidden_end_that_fits_one_number_is_that_ones(world: World, clock: Any, logbook: Logbook) -> None:
    logbook.received(world.north, "hidden", NOON - 30 * MINUTE, recipient=masked(world.north.hotline.number))
    assert reconcile.reconcile_inbound() == 2  # to both organizations' only number: each account's log is its own
    assert {row.hotline for row in Message.objects.all()} == {tenant.hotline for tenant in world.tenants}


# --- long lists, and logs that fail -----------------------------------------------------------------------------------
def test_a_long_list_is_read_on_where_the_last_run_ended(world: World, clock: Any, logbook: Logbook) -> None:
    for n in range(15 * 20):
        logbook.received(world.north, f"lost-{n:03}", NOON - 60 * MINUTE + n * datetime.timedelta(seconds=1))
    assert reconcile.reconcile_inbound() == 10 * 20
    north = LogReading.objects.get(account=world.north.account)
    assert (north.inbound_until, north.inbound_cursor) == (NOON - datetime.timedelta(hours=24), "200")
    clock.shift(MINUTE)
    assert reconcile.reconcile_inbound() == 5 * 20
    north.refresh_from_db()
    assert (north.inbound_until, north.inbound_cursor) == (NOON - 20 * MINUTE, "")
    assert len(stored()) == 300


def test_a_failing_log_stops_no_other_and_moves_no_watermark(world: World, clock: Any, logbook: Logbook) -> None:
    world.north.account.credentials = {"auth_id": "MANNNNNNNNNNNNNNNNNN", "auth_token": "n"}
    world.north.account.save(update_fields=["credentials_sealed"])
    for tenant in world.tenants:
        logbook.received(tenant, f"lost by {tenant.organization.name}", NOON - 30 * MINUTE)
    for failure in (Unavailable("401"), RuntimeError("a fault of ours")):
        logbook.fails = {"MANNNNNNNNNNNNNNNNNN": failure}  # type: ignore[dict-item]
        reconcile.reconcile_inbound()
        assert stored() == ["lost by South"]
    waiting = LogReading.objects.get(account=world.north.account)
    assert waiting.inbound_until == NOON - datetime.timedelta(hours=24)
    logbook.fails = {}
    clock.shift(3 * 60 * MINUTE)
    reconcile.reconcile_inbound()
    assert stored() == ["lost by North", "lost by South"]


def test_a_database_that_fails_is_no_fault_of_the_log_and_what_was_found_is_told(
    world: World, clock: Any, logbook: Logbook
) -> None:
    world.south.account.credentials = {"auth_id": "MASSSSSSSSSSSSSSSSSS", "auth_token": "s"}
    world.south.account.save(update_fields=["credentials_sealed"])
    logbook.received(world.north, "lost", NOON - 30 * MINUTE)
    logbook.fails = {"MASSSSSSSSSSSSSSSSSS": OperationalError("gone")}  # type: ignore[dict-item]
    with pytest.raises(OperationalError):
        reconcile.reconcile_inbound()
    assert (stored(), [sent.to for sent in mail.outbox]) == (["lost"], [["alerts@north.example"]])


def test_other_credentials_begin_another_log(world: World, clock: Any, logbook: Logbook) -> None:
    reconcile.reconcile_inbound()
    LogReading.objects.update(covers_from=NOON)
    world.north.account.credentials = {"auth_id": "MANNNNNNNNNNNNNNNNNN", "auth_token": "n"}
    world.north.account.save(update_fields=["credentials_sealed"])
    clock.shift(20 * MINUTE)
    reconcile.reconcile_inbound()
    assert dict(LogReading.objects.values_list("account__label", "covers_from")) == {
        "North Plivo": None,
        "South Plivo": NOON,
    }


# --- it comes after all -----------------------------------------------------------------------------------------------
def state() -> tuple[Any, ...]:
    """All that a message left behind, less what no two runs share."""
    return (
        [(m.provider_id, m.disposition, m.text, m.units) for m in Message.objects.order_by("provider_id")],
        [
            (c.messages_received, c.slots_used, c.episode, c.block_cause, c.opted_out_at is not None)
            for c in Conversation.objects.order_by("pk")
        ],
        [(r.message.provider_id, r.slot, r.state) for r in Reply.objects.order_by("pk")],
    )


@pytest.mark.django_db(transaction=True)  # on PostgreSQL a message is stored by one statement, outside of any other
@pytest.mark.parametrize("lost", range(7))
@pytest.mark.parametrize("text", ["Salut", "STOP"])
def test_a_message_that_comes_after_all_leaves_what_it_would_have_left(
    world: World, clock: Any, logbook: Logbook, lost: int, text: str
) -> None:
    """Also for a sender who is new, over the limit, or blocked; and each later delivery is a duplicate."""
    hotline = world.north.hotline
    messages = [inbound(hotline, text=text if n == lost else "Salut", message_id=f"m{n}") for n in range(7)]
    ends = []
    for missed in (False, True):
        empty_tables()
        blocked.forget()
        if missed:
            logbook.received(world.north, f"m{lost}", NOON - 30 * MINUTE)
            assert reconcile.reconcile_inbound() == 1
        for message in messages:
            assert deliver(hotline, message) is receive.Receipt.STORED
            assert deliver(hotline, message) is receive.Receipt.DUPLICATE
        ends.append(state())
    assert ends[0] == ends[1]
    LogReading.objects.update(inbound_until=NOON - 60 * MINUTE)
    assert reconcile.reconcile_inbound() == 0
    assert state() == ends[1]


def test_a_nonce_that_was_used_does_not_replace_a_missed_message(world: World, clock: Any, logbook: Logbook) -> None:
    hotline = world.north.hotline
    deliver(hotline, inbound(hotline, message_id="first"), "nonce-0001")
    logbook.received(world.north, "lost", NOON - 30 * MINUTE)
    assert reconcile.reconcile_inbound() == 1
    again = inbound(hotline, message_id="lost")
    assert deliver(hotline, again, "nonce-0001") is receive.Receipt.NONCE_REUSED
    assert stored() == ["lost"]
    assert deliver(hotline, again, "nonce-0002") is receive.Receipt.STORED
    assert (stored(), stored("answered")) == ([], ["first", "lost"])


# --- where people see it ----------------------------------------------------------------------------------------------
def test_the_hotlines_page_tells_how_many_in_thirty_days(
    world: World, clock: Any, logbook: Logbook, client: Client
) -> None:
    for n, days in itertools.product(range(2), (0, 29, 31)):
        Message.objects.create(
            organization=world.tenants[n].organization,
            hotline=world.tenants[n].hotline,
            account=world.tenants[n].account,
            provider_id=f"{days}",
            disposition="missed",
            received_at=NOON - datetime.timedelta(days=days),
        )
    client.force_login(world.north.viewer)
    url = f"/admin/hotlines/hotline/{world.north.hotline.pk}/change/"
    page = client.get(url, headers={"accept-language": "en"}).content.decode()
    assert "In the last 30 days 2 messages reached the provider" in page
    Message.objects.filter(hotline=world.north.hotline).delete()
    assert "Lost at the provider" not in client.get(url, headers={"accept-language": "en"}).content.decode()


# --- over the wire ----------------------------------------------------------------------------------------------------
def test_with_plivos_list_over_the_wire(world: World, settings: Any) -> None:
    """More than one page, senders hidden as Plivo hides them, and what we have is not counted."""
    now = timezone.now()
    Hotline.objects.update(created_at=now - datetime.timedelta(days=2))
    type(world.north.account).objects.update(created_at=now - datetime.timedelta(days=2))
    number = world.north.hotline.number.removeprefix("+")
    http.client.cache_clear()
    with FakePlivo() as plivo:
        settings.PLIVO_API_URL, plivo.log.redacted = plivo.url, True
        at = (now - 30 * MINUTE).timestamp()
        names = [plivo.log.receive(AUTH_ID, SENDER, number, at=at - n) for n in range(45)]
        for name in names[::3]:
            deliver(world.north.hotline, inbound(world.north.hotline, message_id=name))
        assert reconcile.reconcile_inbound() == 30
        http.client().close()
    http.client.cache_clear()
    assert set(stored()) == set(names) - set(names[::3])
    assert LogReading.objects.get(account=world.north.account).covers_from is not None
