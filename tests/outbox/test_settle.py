"""Unknown replies against the provider's log, row by row: found, released once, or left alone."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone
from tests.outbox.carrier import Carrier, reported, written
from tests.outbox.logbook import Logbook, is_ours_since, made_unknown, masked
from tests.providers.fake_plivo import FakePlivo
from tests.world import SENDER, Tenant, World

from conversations.models import Reply
from outbox import release, send, settle
from providers import http, reading
from providers.base import Delivery, Knowledge, Unavailable
from providers.models import LogReading

SETTLED = datetime.timedelta(seconds=60 + 900)
LONG_AGO = datetime.timedelta(days=3)


@pytest.fixture
def logbook(monkeypatch: pytest.MonkeyPatch) -> Logbook:
    made = Logbook()
    monkeypatch.setattr(reading.registry, "get", lambda _name: made)
    return made


def unknown(tenant: Tenant, sender: str = SENDER, ago: datetime.timedelta = SETTLED) -> Reply:
    """A reply claimed so long ago, whose call had no answer."""
    reply = written(tenant.hotline, sender)
    assert reply is not None
    made_unknown([reply], timezone.now() - ago)
    return reply


@pytest.fixture
def reply(world: World, logbook: Logbook) -> Reply:
    """An unknown reply of the north, and a log that has shown what is ours before it."""
    is_ours_since(world.north, timezone.now() - LONG_AGO)
    return unknown(world.north)


def state_of(reply: Reply) -> str:
    return str(Reply.objects.get(pk=reply.pk).state)


# --- the three ends ---------------------------------------------------------------------------------------------------
def test_what_the_log_has_is_sent(world: World, logbook: Logbook, reply: Reply) -> None:
    entry = logbook.sent(world.north, at=reply.claimed_at, status=Delivery.SENT, cost=Decimal("0.07627"), name="its-id")
    assert settle.settle_unknown() == 1
    row = Reply.objects.get(pk=reply.pk)
    assert (row.state, row.provider_id, row.sent_at) == ("sent", entry.id, reply.claimed_at)
    assert (row.delivery, row.cost, row.detail) == ("sent", Decimal("0.07627"), "found in the log")
    assert reported(row, "its-id", Delivery.DELIVERED)
    assert Reply.objects.get(pk=reply.pk).delivery == "delivered"
    assert settle.settle_unknown() == 0


def test_what_the_log_lacks_is_sent_again_and_once(
    world: World, logbook: Logbook, reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settle.settle_unknown() == 1
    row = Reply.objects.get(pk=reply.pk)
    assert (row.state, row.absences, row.delayed, row.provider_id) == ("released", 1, False, "")
    assert row.due_at <= timezone.now() < row.expires_at
    made_unknown([row], timezone.now() - SETTLED)
    assert settle.settle_unknown() == 0
    assert state_of(reply) == "unknown"
    send.finish_unknown(timezone.now() + datetime.timedelta(hours=24))
    assert state_of(reply) == "unknown_final"


def test_what_is_sent_again_is_sent_once(world: World, carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way: no answer, a look into the log, a second call that is accepted."""
    made = Logbook()
    assert written(world.north.hotline) is not None
    release.release_due(timezone.now())
    carrier.says(Knowledge.UNKNOWN)
    assert send.send_one(timezone.now())
    Reply.objects.update(claimed_at=timezone.now() - SETTLED)
    monkeypatch.setattr(reading.registry, "get", lambda _name: made)
    is_ours_since(world.north, timezone.now() - LONG_AGO)
    assert settle.settle_unknown() == 1
    carrier.answer = Carrier().answer
    monkeypatch.setattr(send.registry, "get", lambda _name: carrier)
    assert send.send_one(timezone.now())
    assert not send.send_one(timezone.now())
    assert (len(carrier.calls), len(carrier.ledger), state_of(Reply.objects.get())) == (2, 1, "sent")


def test_before_the_settle_time_nobody_is_asked(world: World, logbook: Logbook) -> None:
    is_ours_since(world.north, timezone.now() - LONG_AGO)
    young = unknown(world.north, ago=SETTLED - datetime.timedelta(seconds=5))
    assert settle.settle_unknown() == 0
    assert (logbook.asked, state_of(young)) == ([], "unknown")


def test_the_settle_time_is_a_setting(world: World, logbook: Logbook, settings: Any) -> None:
    is_ours_since(world.north, timezone.now() - LONG_AGO)
    young = unknown(world.north, ago=datetime.timedelta(seconds=90))
    settings.SETTLE_TIME = 31
    assert settle.settle_unknown() == 0
    settings.SETTLE_TIME = 30
    assert settle.settle_unknown() == 1
    assert state_of(young) == "released"


def test_a_delayed_reply_that_is_sent_again_makes_way_for_the_one_that_waits(
    world: World, logbook: Logbook, reply: Reply
) -> None:
    Reply.objects.filter(pk=reply.pk).update(delayed=True)
    later = written(world.north.hotline)
    assert later is not None
    Reply.objects.filter(pk=later.pk).update(delayed=True)
    assert settle.settle_unknown() == 1
    assert state_of(reply) == "released"


# --- what is in doubt stays unknown -----------------------------------------------------------------------------------
def moved_to_another_account(tenant: Tenant, logbook: Logbook) -> None:
    """The reply's message came by another account than the hotline has now."""
    other = type(tenant.account)(organization=tenant.organization, provider="plivo", label="second")
    other.credentials = {"auth_id": "MAYYYYYYYYYYYYYYYYYY", "auth_token": "other"}
    other.save()
    tenant.hotline.account = other
    tenant.hotline.save()
    tenant.account = other
    is_ours_since(tenant, timezone.now() - LONG_AGO)


def other_credentials(tenant: Tenant, logbook: Logbook) -> None:
    tenant.account.credentials = {"auth_id": "MAZZZZZZZZZZZZZZZZZZ", "auth_token": "new"}
    tenant.account.save()


def shown_too_late(tenant: Tenant, logbook: Logbook) -> None:
    is_ours_since(tenant, timezone.now())


def a_hidden_number(tenant: Tenant, logbook: Logbook) -> None:
    for n in range(2):
        logbook.sent(tenant, masked(SENDER), timezone.now() - SETTLED, name=f"hidden-{n}")


def a_log_that_fails(tenant: Tenant, logbook: Logbook) -> None:
    logbook.fails[tenant.account.credentials["auth_id"]] = Unavailable("503")


def a_page_that_fails(tenant: Tenant, logbook: Logbook) -> None:
    for n in range(30):
        logbook.sent(tenant, f"3363999{n:04}", timezone.now() - SETTLED, name=f"other-{n}")
    read_log = logbook.read_log

    def broken(query: Any, credentials: Any, cursor: str = "") -> Any:
        if cursor:
            raise Unavailable("200 unreadable")
        return read_log(query, credentials, cursor)

    logbook.read_log = broken  # type: ignore[method-assign]


def a_list_that_moves(tenant: Tenant, logbook: Logbook) -> None:
    for _ in range(2):
        logbook.sent(tenant, "33639990001", timezone.now() - SETTLED, name="twice")


def no_log(tenant: Tenant, logbook: Logbook) -> None:
    logbook.log = None


@pytest.mark.parametrize(
    "doubt",
    [
        moved_to_another_account,
        other_credentials,
        shown_too_late,
        a_hidden_number,
        a_log_that_fails,
        a_page_that_fails,
        a_list_that_moves,
        no_log,
    ],
    ids=lambda doubt: doubt.__name__,
)
def test_in_doubt_it_stays_unknown(
    world: World, logbook: Logbook, reply: Reply, doubt: Callable[[Tenant, Logbook], None]
) -> None:
    doubt(world.north, logbook)
    assert settle.settle_unknown() == 0
    assert state_of(reply) == "unknown"


def test_a_log_that_has_shown_nothing_of_ours_proves_no_absence_until_it_does(world: World, logbook: Logbook) -> None:
    sent, lost = written(world.north.hotline, "33639980777"), unknown(world.north)
    assert lost.claimed_at is not None
    assert settle.settle_unknown() == 0
    moment = lost.claimed_at - datetime.timedelta(seconds=30)
    assert sent is not None
    Reply.objects.filter(pk=sent.pk).update(state="sent", provider_id="known", sent_at=moment, claimed_at=moment)
    logbook.sent(world.north, "33639980777", moment, name="known")
    assert settle.settle_unknown() == 1
    assert state_of(lost) == "released"
    assert LogReading.objects.get().covers_from == moment


def test_an_entry_of_another_reply_is_no_proof(world: World, logbook: Logbook, reply: Reply) -> None:
    """Its earlier reply went to the same number within the window, and owns the entry."""
    earlier = written(world.north.hotline, "33639980555")
    assert earlier is not None
    Reply.objects.filter(pk=earlier.pk).update(state="sent", provider_id="owned", sent_at=timezone.now())
    logbook.sent(world.north, SENDER, reply.claimed_at, name="owned")
    assert settle.settle_unknown() == 1
    assert state_of(reply) == "released"


def test_a_reply_in_flight_may_own_a_hidden_entry_too(world: World, logbook: Logbook, reply: Reply) -> None:
    """One that is not settled yet shares all but the last digits: the entry may be either's."""
    rival = written(world.north.hotline, SENDER[:-1] + "9")
    assert rival is not None
    assert reply.claimed_at is not None
    made_unknown([rival], reply.claimed_at + datetime.timedelta(seconds=100))
    logbook.sent(world.north, masked(SENDER), reply.claimed_at)
    assert settle.settle_unknown() == 0
    Reply.objects.filter(pk=rival.pk).update(claimed_at=timezone.now())
    assert settle.settle_unknown() == 1
    assert state_of(reply) == "sent"


# --- two organizations ------------------------------------------------------------------------------------------------
def test_the_failing_log_of_one_account_stops_no_other(world: World, logbook: Logbook) -> None:
    world.north.account.credentials = {"auth_id": "MANNNNNNNNNNNNNNNNNN", "auth_token": "n"}
    world.north.account.save()
    replies = [unknown(tenant) for tenant in world.tenants]
    for tenant in world.tenants:
        is_ours_since(tenant, timezone.now() - LONG_AGO)
    for failure in (Unavailable("401"), RuntimeError("a fault of ours")):
        logbook.fails = {"MANNNNNNNNNNNNNNNNNN": failure}  # type: ignore[dict-item]
        Reply.objects.filter(pk=replies[1].pk).update(state="unknown", absences=0)
        assert settle.settle_unknown() == 1
        assert [state_of(reply) for reply in replies] == ["unknown", "released"]


def test_a_database_that_fails_is_no_fault_of_the_log(world: World, logbook: Logbook, reply: Reply) -> None:
    logbook.fails[world.north.account.credentials["auth_id"]] = OperationalError("gone")  # type: ignore[assignment]
    with pytest.raises(OperationalError):
        settle.settle_unknown()


def test_an_entry_from_the_number_of_another_organization_settles_nothing(
    world: World, logbook: Logbook, reply: Reply
) -> None:
    logbook.sent(world.south, SENDER, reply.claimed_at)
    assert settle.settle_unknown() == 1
    assert state_of(reply) == "released"


# --- races ------------------------------------------------------------------------------------------------------------
def test_a_report_that_came_first_stands(world: World, logbook: Logbook, reply: Reply) -> None:
    assert reported(reply, "told-by-report", Delivery.DELIVERED)
    for verdict in (settle.Absent(), settle.Found(logbook.sent(world.north, name="told-by-log"))):
        assert not settle.apply(reply, verdict)
    row = Reply.objects.get(pk=reply.pk)
    assert (row.state, row.provider_id, row.absences) == ("sent", "told-by-report", 0)


def test_a_report_that_comes_late_takes_a_released_reply_back(world: World, logbook: Logbook, reply: Reply) -> None:
    assert settle.apply(reply, settle.Absent())
    assert reported(reply, "after-all", Delivery.SENT)
    assert (state_of(reply), send.claim(timezone.now())) == ("sent", None)


def test_of_two_settlers_one_writes(world: World, logbook: Logbook, reply: Reply) -> None:
    same = Reply.objects.get(pk=reply.pk)
    assert [settle.apply(reply, settle.Absent()), settle.apply(same, settle.Absent())] == [True, False]
    made_unknown([Reply.objects.get(pk=reply.pk)], timezone.now())  # and another attempt meanwhile
    for stale in (settle.Absent(), settle.Found(logbook.sent(world.north, name="of the first attempt"))):
        assert not settle.apply(same, stale)
    assert not settle.apply(Reply.objects.get(pk=reply.pk), settle.Absent())  # the constraint, past all our code
    assert state_of(reply) == "unknown"


def test_an_id_that_another_reply_bears_changes_nothing(world: World, logbook: Logbook, reply: Reply) -> None:
    other = written(world.north.hotline, "33639980555")
    assert other is not None
    Reply.objects.filter(pk=other.pk).update(state="sent", provider_id="taken", sent_at=timezone.now())
    assert not settle.apply(reply, settle.Found(logbook.sent(world.north, name="taken")))
    assert state_of(reply) == "unknown"


# --- the provider's rate ----------------------------------------------------------------------------------------------
def test_no_minute_holds_more_requests_than_the_provider_allows(
    world: World, logbook: Logbook, reply: Reply, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(25 * 20):
        logbook.sent(world.north, f"3363999{n:04}", reply.claimed_at, name=f"other-{n}")
    assert settle.settle_unknown() == 0
    assert len(logbook.asked) == 20
    assert settle.settle_unknown() == 0
    assert len(logbook.asked) == 20
    LogReading.objects.update(requested_at=timezone.now() - datetime.timedelta(seconds=59))
    assert settle.settle_unknown() == 0
    assert len(logbook.asked) == 20
    LogReading.objects.update(requested_at=timezone.now() - datetime.timedelta(seconds=60))
    settings.LOG_REQUESTS_PER_MINUTE = 25
    assert settle.settle_unknown() == 1
    assert len(logbook.asked) == 45


def test_a_provider_that_asks_to_wait_is_left_alone(world: World, logbook: Logbook, reply: Reply) -> None:
    logbook.fails[world.north.account.credentials["auth_id"]] = Unavailable("429", retry_after=86_400)
    assert settle.settle_unknown() == 0
    logbook.fails.clear()
    assert settle.settle_unknown() == 0
    assert len(logbook.asked) == 1
    LogReading.objects.update(resume_at=timezone.now())
    assert settle.settle_unknown() == 1


# --- over the wire ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("redacted", [False, True])
def test_with_plivos_list_over_the_wire(world: World, settings: Any, redacted: bool) -> None:
    """One call was taken without an answer, one was not taken, and a third tells that the log is ours."""
    http.client.cache_clear()
    with FakePlivo() as plivo:
        settings.PLIVO_API_URL, plivo.log.redacted = plivo.url, redacted
        plivo.script("202", "503+accept", "503")
        for sender in ("33639980001", "33639981001", "33639982001"):
            assert written(world.north.hotline, sender) is not None
        while release.release_due(timezone.now()) or send.send_one(timezone.now()):
            pass
        http.client().close()
        states = dict(Reply.objects.values_list("slot", "state"))
        assert len(plivo.entries) == 3, states
        past = datetime.timedelta(hours=1)
        for entry in plivo.entries:
            entry["at"] -= past.total_seconds()
        for row in Reply.objects.all():
            Reply.objects.filter(pk=row.pk).update(claimed_at=row.claimed_at - past)  # type: ignore[operator]
        is_ours_since(world.north, timezone.now() - 2 * past)
        http.client.cache_clear()
        assert settle.settle_unknown() == 2
        http.client().close()
    http.client.cache_clear()
    rows = Reply.objects.order_by("pk")
    assert [row.state for row in rows] == ["sent", "sent", "released"]
    assert [row.provider_id for row in rows] == [plivo.entries[0]["uuid"], plivo.entries[1]["uuid"], ""]
