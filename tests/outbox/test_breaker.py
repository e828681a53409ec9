"""A provider that does not answer is left alone by all workers, and then asked by one reply."""

from __future__ import annotations

import datetime
import itertools
import uuid
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.utils import timezone
from tests.outbox.carrier import Carrier, accepted, written
from tests.outbox.test_concurrency import at_once
from tests.world import Tenant, World, build_world

from conversations.models import Conversation, Reply
from hotlines.models import Account, Hotline
from outbox import alerts, breaker, release, send, sweeps
from providers.base import Knowledge, Outcome, OutgoingReply

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND

SILENCE = (
    Outcome(Knowledge.UNKNOWN, detail="ReadTimeout"),
    Outcome(Knowledge.UNKNOWN, detail="503"),
    Outcome(Knowledge.REFUSED_FOR_NOW, detail="ConnectError"),
)
ANSWERS = (
    Outcome(Knowledge.ACCEPTED, provider_id="id", detail="202"),
    Outcome(Knowledge.REFUSED, detail="400"),
    Outcome(Knowledge.REFUSED_FOR_NOW, detail="429", retry_after=30),
    Outcome(Knowledge.ACCOUNT_REFUSED, detail="402"),
)


@pytest.fixture
def clock(our_clock: None) -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def account(tenant: Tenant) -> Account:
    return Account.objects.get(pk=tenant.account.pk)


def wait_for(tenant: Tenant, senders: int, first: int = 0) -> None:
    """So many released replies, each to a sender of its own."""
    for number in range(first, first + senders):
        assert written(tenant.hotline, f"336399{number:05}") is not None
    while release.release_due(timezone.now()):
        pass


def call(count: int = 1) -> int:
    """Up to so many calls now; returns how many there were."""
    return sum(send.send_one(timezone.now()) for _ in range(count))


def silent_after_five(tenant: Tenant, carrier: Carrier, senders: int = 40) -> None:
    wait_for(tenant, senders)
    carrier.says(Knowledge.UNKNOWN, detail="ReadTimeout")
    assert call(40) == 5


# --- opening --------------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("silence", SILENCE, ids=lambda outcome: outcome.detail)
def test_five_silent_calls_in_a_row_open_it(world: World, carrier: Carrier, silence: Outcome) -> None:
    wait_for(world.north, 10)
    carrier.answer = lambda _reply: silence
    assert call(4) == 4
    assert account(world.north).next_attempt_at is None
    assert call(10) == 1
    opened = account(world.north)
    assert (opened.unanswered, opened.unanswered_since, opened.attempt_wait) == (5, NOON, 30)
    assert opened.next_attempt_at == NOON + 30 * SECOND


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda outcome: outcome.detail)
def test_any_answer_of_the_provider_begins_the_count_anew(world: World, carrier: Carrier, answer: Outcome) -> None:
    wait_for(world.north, 20)
    silence = SILENCE[0]
    for outcomes in ([silence] * 4, [answer], [silence] * 4):
        for outcome in outcomes:
            carrier.answer = lambda _reply, said=outcome: said  # type: ignore[misc]
            assert call() == 1
            Account.objects.update(sending_paused_at=None, sending_paused_reason="", resume_sending_at=None)
    assert account(world.north).next_attempt_at is None
    assert account(world.north).unanswered == 4
    carrier.answer = lambda _reply: silence
    assert call(10) == 1


def test_it_opens_where_five_in_a_row_are_silent_and_nowhere_else(world: World) -> None:
    for heard in itertools.product([True, False], repeat=7):
        Account.objects.update(**breaker.CLOSED)
        opened = False
        for number, answered in enumerate(heard):
            outcome = (ANSWERS if answered else SILENCE)[number % 3]
            breaker.learn(world.north.account, None, outcome, NOON)
            opened = opened or account(world.north).next_attempt_at is not None
        assert opened == ("....." in "".join("!" if answered else "." for answered in heard))


@pytest.mark.usefixtures("clock")
def test_it_is_one_accounts_and_no_others(world: World, carrier: Carrier) -> None:
    silent_after_five(world.north, carrier)
    wait_for(world.south, 3)
    carrier.answer = accepted
    assert call(10) == 3
    assert {reply.source for reply in carrier.ledger} == {"33937000002"}


@pytest.mark.usefixtures("clock")
def test_a_fault_of_ours_says_nothing_about_the_provider(
    world: World, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for(world.north, 10)

    def fault(_reply: Reply) -> str:
        raise RuntimeError

    monkeypatch.setattr(send, "_recipient", fault)
    assert call(10) == 10
    assert (carrier.calls, account(world.north).unanswered) == ([], 0)


# --- half-open ------------------------------------------------------------------------------------------------------
def test_one_reply_tries_and_its_success_closes(world: World, carrier: Carrier, clock: Any) -> None:
    silent_after_five(world.north, carrier)
    clock.shift(29)
    assert call(10) == 0
    clock.shift(1)
    first = send.claim(timezone.now())
    assert first is not None
    assert send.claim(timezone.now()) is None
    carrier.answer = accepted
    send.record(first, send._call(first))
    assert {name: getattr(account(world.north), name) for name in breaker.CLOSED} == breaker.CLOSED
    assert call(50) == 34


def test_each_attempt_that_fails_doubles_the_wait_up_to_ten_minutes(world: World, carrier: Carrier, clock: Any) -> None:
    silent_after_five(world.north, carrier)
    waits = []
    for _ in range(7):
        before = timezone.now()
        upcoming = account(world.north).next_attempt_at
        assert upcoming is not None
        waits.append((upcoming - before).total_seconds())
        clock.move_to(upcoming - SECOND)
        assert call(10) == 0
        clock.move_to(upcoming)
        assert call(10) == 1
    assert waits == [30, 60, 120, 240, 480, 600, 600]
    assert (account(world.north).unanswered, account(world.north).unanswered_since) == (12, NOON)


def test_a_worker_that_died_in_its_attempt_delays_the_next_by_its_lease(
    world: World, carrier: Carrier, clock: Any
) -> None:
    silent_after_five(world.north, carrier)
    clock.shift(30)
    lost = send.claim(timezone.now())
    assert lost is not None
    clock.shift(59)
    assert call(10) == 0
    clock.shift(2)
    sweeps.keep_promises()
    carrier.answer = accepted
    assert call(50) == 34
    lost.refresh_from_db()
    assert lost.state == "unknown"


def test_the_late_outcome_of_a_lost_attempt_does_not_lengthen_the_wait(
    world: World, carrier: Carrier, clock: Any
) -> None:
    silent_after_five(world.north, carrier)
    clock.shift(30)
    slow = send.claim(timezone.now())
    assert slow is not None
    clock.shift(61)
    assert call(10) == 1
    before = account(world.north)
    assert before.attempt_wait == 60
    send.record(slow, SILENCE[0])
    after = account(world.north)
    assert (after.attempt_wait, after.next_attempt_at) == (60, before.next_attempt_at)


def test_calls_that_were_under_way_when_it_opened_do_not_lengthen_the_wait(
    world: World, carrier: Carrier, clock: Any
) -> None:
    wait_for(world.north, 12)
    under_way = [send.claim(timezone.now()) for _ in range(8)]
    for number, reply in enumerate(under_way):
        assert reply is not None
        clock.move_to(NOON + number * SECOND)
        send.record(reply, SILENCE[1])
    assert account(world.north).next_attempt_at == NOON + (4 + 30) * SECOND
    assert account(world.north).attempt_wait == 30


def test_an_attempt_that_never_asked_the_provider_lets_the_next_reply_try(
    world: World, carrier: Carrier, clock: Any
) -> None:
    silent_after_five(world.north, carrier)
    clock.shift(30)
    unreadable = Reply.objects.filter(state="released").order_by("pk")[0]
    Reply.objects.filter(pk=unreadable.pk).update(text_sealed=b"garbage")
    carrier.answer = accepted
    assert call(2) == 2
    unreadable.refresh_from_db()
    assert (unreadable.state, len(carrier.ledger)) == ("failed", 1)
    assert account(world.north).next_attempt_at is None


def test_a_clock_that_was_set_back_keeps_it_open_for_ten_minutes_at_most(
    world: World, carrier: Carrier, clock: Any
) -> None:
    silent_after_five(world.north, carrier)
    Account.objects.filter(pk=world.north.account.pk).update(next_attempt_at=NOON + HOUR)
    carrier.answer = accepted
    assert call(50) == 35


def test_a_worker_that_read_the_account_late_does_not_try_as_well(
    world: World, carrier: Carrier, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker's attempt is committed after this one chose its reply, and before it read the reply's account."""
    silent_after_five(world.north, carrier)
    clock.shift(30)
    chosen, search = Reply.objects.filter(state="released").order_by("pk")[0], send.ready.first
    looks = iter([chosen])
    assert breaker.admit(account(world.north), uuid.uuid4(), timezone.now())
    monkeypatch.setattr(send.ready, "first", lambda now: next(looks, None) or search(now))
    assert send.claim(timezone.now()) is None
    chosen.refresh_from_db()
    assert chosen.state == "released"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    world, carrier = build_world(), Carrier()
    monkeypatch.setattr(send.registry, "get", lambda _name: carrier)
    wait_for(world.north, 20)
    moment = timezone.now()
    Account.objects.filter(pk=world.north.account.pk).update(
        unanswered=5, unanswered_since=moment - HOUR, attempt_wait=30, next_attempt_at=moment - SECOND
    )
    claimed: list[Reply] = []

    def claim() -> None:
        reply = send.claim(timezone.now())
        if reply is not None:
            claimed.append(reply)

    at_once(*[claim] * 8)
    assert len(claimed) == 1
    assert account(world.north).attempt == claimed[0].claim_token


# --- telling people -------------------------------------------------------------------------------------------------
def test_a_silence_is_told_once_after_five_minutes(world: World, carrier: Carrier, clock: Any) -> None:
    silent_after_five(world.north, carrier)
    for seconds, mails in ((299, 0), (1, 1), (3600, 1)):
        clock.shift(seconds)
        sweeps.keep_promises()
        assert len(mail.outbox) == mails
    [told] = mail.outbox
    assert told.to == ["alerts@north.example"]
    assert told.subject == "Paravent\u00a0: l’opérateur de North Plivo ne répond pas"
    assert "depuis le 24/11/2026 13:00." in told.body
    assert "336399" not in told.body
    carrier.answer = accepted
    assert call() == 1
    carrier.says(Knowledge.UNKNOWN)
    assert call(10) == 5
    clock.shift(301)
    sweeps.keep_promises()
    assert len(mail.outbox) == 2


def test_a_silence_that_ended_in_time_is_not_told(world: World, carrier: Carrier, clock: Any) -> None:
    silent_after_five(world.north, carrier)
    clock.shift(30)
    carrier.answer = accepted
    call()
    clock.shift(3600)
    sweeps.keep_promises()
    assert mail.outbox == []


def test_a_mail_that_failed_is_tried_again(
    world: World, carrier: Carrier, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent_after_five(world.north, carrier)
    clock.shift(300)
    monkeypatch.setattr(alerts, "mail", lambda *_arguments: False)
    assert breaker.tell(timezone.now()) == 0
    monkeypatch.undo()
    assert breaker.tell(timezone.now()) == 1
    assert len(mail.outbox) == 1


# --- a provider that is down for two hours (SECURITY.md 1.4, F11) ---------------------------------------------------
def test_after_two_hours_without_a_provider_replies_leave_at_their_numbers_pace(
    world: World, carrier: Carrier, clock: Any
) -> None:
    """Nothing is lost, nothing is sent twice, few calls are made meanwhile, and no herd comes when it is back."""
    Hotline.objects.update(messages_per_second="2")
    carrier.says(Knowledge.REFUSED_FOR_NOW, detail="ConnectError")
    wait_for(world.north, 60)
    for second in range(0, 7200, 5):
        clock.move_to(NOON + second * SECOND)
        if second % 600 == 0:
            wait_for(world.north, 1, first=1000 + second)
        while send.send_one(timezone.now()):
            pass
    assert len(carrier.calls) < 30
    carrier.answer, asked = accepted, len(carrier.calls)
    per_second = []
    for second in range(7200, 7200 + breaker.LONGEST_WAIT + 60):
        clock.move_to(NOON + second * SECOND)
        before = len(carrier.ledger)
        while send.send_one(timezone.now()):
            pass
        per_second.append(len(carrier.ledger) - before)
    assert max(per_second) <= 3  # two in a second, and the burst of two
    first = next(second for second, count in enumerate(per_second) if count)
    assert first <= breaker.LONGEST_WAIT
    assert sum(per_second[: first + 40]) == 72
    assert len({reply.uuid for reply in carrier.ledger}) == len(carrier.ledger) == 72 == len(carrier.calls) - asked
    assert set(Reply.objects.values_list("state", flat=True)) == {"sent"}


def test_what_waited_longer_than_a_day_is_given_up(world: World, carrier: Carrier, clock: Any) -> None:
    carrier.says(Knowledge.REFUSED_FOR_NOW, detail="ConnectError")
    wait_for(world.north, 8)
    call(10)
    clock.shift(24 * 3600)
    carrier.answer = accepted
    sweeps.keep_promises()
    assert call(10) == 0
    assert set(Reply.objects.values_list("state", flat=True)) == {"expired"}


# --- others ---------------------------------------------------------------------------------------------------------
def test_every_call_is_counted_though_its_claim_was_lost(world: World, carrier: Carrier, clock: Any) -> None:
    """What the call taught about the provider holds, whatever became of the reply."""
    wait_for(world.north, 1)
    reply = send.claim(NOON)
    assert reply is not None
    send.expire_leases(NOON + HOUR)
    send.record(reply, SILENCE[0])
    assert account(world.north).unanswered == 1
    assert Conversation.objects.count() == 1


def test_the_provider_is_asked_by_the_claim_that_is_the_attempt(world: World, carrier: Carrier, clock: Any) -> None:
    silent_after_five(world.north, carrier)
    clock.shift(30)
    seen: list[tuple[Any, bool]] = []

    def look(reply: OutgoingReply) -> Outcome:
        during = account(world.north)
        token = Reply.objects.get(uuid=reply.uuid).claim_token
        seen.append((during.next_attempt_at, during.attempt == token))
        return accepted(reply)

    carrier.answer = look
    assert call() == 1
    assert seen == [(NOON + 90 * SECOND, True)]
