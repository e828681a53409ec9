"""Clocks that are wrong or jump (SECURITY.md 1.4, F13): the database's alone says when, and nothing is sent twice."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from tests.outbox.carrier import Carrier, accepted, written
from tests.world import Tenant, World

from conversations.models import Reply
from hotlines.models import Account, Hotline
from outbox import clock, release, send, sweeps
from outbox.models import NumberPace
from providers.base import Knowledge, Outcome, OutgoingReply

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
#: How far a worker's host is ahead of the database.
SKEWS = [10 * MINUTE, -10 * MINUTE]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A worker's host whose clock a test moves, with a database whose clock stays at noon."""
    with time_machine.travel(NOON, tick=False) as traveller:
        monkeypatch.setattr(clock.sql, "clock_ahead", lambda: NOON - timezone.now())
        yield traveller


def released(tenant: Tenant, senders: int = 1) -> list[Reply]:
    replies = [written(tenant.hotline, f"336399801{number:02}", at=NOON) for number in range(senders)]
    while release.release_due(NOON):
        pass
    return [reply for reply in replies if reply is not None]


def row(reply: Reply) -> Reply:
    return Reply.objects.get(pk=reply.pk)


@pytest.mark.parametrize("skew", SKEWS)
def test_a_host_whose_clock_is_wrong_sends_nothing_early_and_nothing_late(
    world: World, carrier: Carrier, host: Any, skew: datetime.timedelta
) -> None:
    due, early = released(world.north, 2)
    Reply.objects.filter(pk=early.pk).update(due_at=NOON + SECOND)
    host.move_to(NOON + skew)
    assert sweeps.send_replies(seconds=5) == 1
    assert [reply.uuid for reply in carrier.ledger] == [due.uuid]
    assert (row(due).claimed_at, row(due).sent_at) == (NOON, NOON)


@pytest.mark.parametrize("skew", SKEWS)
def test_a_host_whose_clock_is_wrong_releases_by_the_databases(
    world: World, host: Any, skew: datetime.timedelta
) -> None:
    replies = [written(world.north.hotline, f"336399801{number:02}", at=NOON) for number in range(2)]
    late = replies[1]
    assert late is not None
    Reply.objects.filter(pk=late.pk).update(due_at=NOON + SECOND)
    host.move_to(NOON + skew)
    assert sweeps.release_replies() == 1
    assert row(late).state == "pending"


@pytest.mark.parametrize("skew", SKEWS)
def test_a_host_whose_clock_is_wrong_expires_no_lease_of_others(
    world: World, host: Any, skew: datetime.timedelta
) -> None:
    [reply] = released(world.north)
    assert send.claim(NOON) == reply
    host.move_to(NOON + skew)
    assert sweeps.keep_promises() == 0
    assert row(reply).state == "claimed"


@pytest.mark.parametrize("skew", SKEWS)
def test_a_host_whose_clock_is_wrong_stops_an_account_for_as_long_as_was_asked(
    world: World, carrier: Carrier, host: Any, skew: datetime.timedelta
) -> None:
    [reply] = released(world.north)
    carrier.says(Knowledge.REFUSED_FOR_NOW, detail="429", retry_after=90)
    host.move_to(NOON + skew)
    assert sweeps.send_replies(seconds=5) == 1
    assert Account.objects.get(pk=world.north.account.pk).resume_sending_at == NOON + 90 * SECOND
    assert row(reply).due_at == NOON + 90 * SECOND


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_clock_that_jumps_while_a_worker_sends_changes_nothing(
    world: World, carrier: Carrier, host: Any, monkeypatch: pytest.MonkeyPatch, jump: datetime.timedelta
) -> None:
    monkeypatch.setattr(sweeps, "_WORTH_WAITING", 0)
    Hotline.objects.update(messages_per_second="5")
    replies = released(world.north, 8)

    def jumps(reply: OutgoingReply) -> Outcome:
        if len(carrier.calls) == 2:
            host.move_to(NOON + jump)
        return accepted(reply)

    carrier.answer = jumps
    assert sweeps.send_replies() == 5  # the burst, and no second one
    assert [reply.uuid for reply in carrier.ledger] == [reply.uuid for reply in replies[:5]]
    assert set(Reply.objects.filter(state="sent").values_list("claimed_at", flat=True)) == {NOON}
    assert sweeps.keep_promises() == 0
    assert NumberPace.objects.get().free_at == NOON + SECOND / 5


def test_the_database_is_asked_again_when_our_clock_was_set_and_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[datetime.datetime] = []

    def ahead() -> datetime.timedelta:
        asked.append(timezone.now())
        return len(asked) * MINUTE

    steady = [100.0]
    monkeypatch.setattr(clock.sql, "clock_ahead", ahead)
    monkeypatch.setattr(time, "monotonic", lambda: steady[0])
    with time_machine.travel(NOON, tick=False) as host:
        shared = clock.SharedClock()
        assert [shared.ahead(), shared.now()] == [MINUTE, NOON + MINUTE]
        for seconds, expected in ((29.0, 1), (2.0, 2), (1.0, 2)):
            steady[0] += seconds
            host.shift(seconds)
            assert shared.ahead() == expected * MINUTE
        for jump in (-HOUR, HOUR, SECOND):
            host.shift(jump)
            expected += 1
            assert shared.ahead() == expected * MINUTE
    assert len(asked) == 5


# --- a worker that stood still ---------------------------------------------------------------------------------------
def test_a_watch_counts_what_any_clock_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slept may have one clock that went on, and a clock that was set back must not hide it."""
    steady = [100.0]
    monkeypatch.setattr(clock, "_steady", lambda: steady[0])
    with time_machine.travel(NOON, tick=False) as host:
        watch = clock.Stopwatch()
        assert watch.seconds() == 0
        host.shift(50)
        assert watch.seconds() == 50
        steady[0] += 70
        assert watch.seconds() == 70
        host.shift(-3600)
        assert watch.seconds() == 70


@pytest.mark.parametrize(("stood", "called"), [(34, 1), (36, 0), (3600, 0)])
def test_a_call_begins_only_while_it_can_end_within_its_lease(
    world: World, carrier: Carrier, host: Any, monkeypatch: pytest.MonkeyPatch, stood: int, called: int
) -> None:
    """60 s of lease less five call time-outs of 5 s."""
    [reply] = released(world.north)
    steady = [100.0]
    monkeypatch.setattr(clock, "_steady", lambda: steady[0])
    claim = send.claim

    def stands_still(*moments: Any) -> Reply | None:
        claimed = claim(*moments)
        steady[0] += stood
        return claimed

    monkeypatch.setattr(send, "claim", stands_still)
    assert send.send_one(NOON)
    assert len(carrier.calls) == called
    expected = ("sent", "") if called else ("released", "claim too old")
    assert (row(reply).state, row(reply).detail) == expected
    assert row(reply).due_at >= NOON


@pytest.mark.usefixtures("our_clock")
def test_summer_time_ends_and_begins_without_a_reply_twice(world: World, carrier: Carrier) -> None:
    """Quiet hours follow the local clock, which shows 02:30 twice; all else counts in UTC."""
    hotline = world.north.hotline
    hotline.quiet_from, hotline.quiet_until = datetime.time(2), datetime.time(3)
    hotline.save()
    begins = datetime.datetime(2026, 10, 24, 23, 50, tzinfo=datetime.UTC)
    with time_machine.travel(begins, tick=False) as traveller:
        reply = written(hotline, at=begins)
        assert reply is not None
        for _ in range(200):
            sweeps.release_replies()
            sweeps.send_replies()
            traveller.shift(60)
    assert len(carrier.ledger) == 1
    assert row(reply).state == "sent"
