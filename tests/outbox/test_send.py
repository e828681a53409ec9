from __future__ import annotations

import logging
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from hypothesis import given
from hypothesis import strategies as st
from tests.outbox.carrier import FAULTS_OF_A_DATABASE, Carrier, accepted
from tests.outbox.replies import HOUR, NOON, SECOND, account, released, row, said
from tests.world import World

from conversations.models import Conversation, Reply
from hotlines.models import Account
from outbox import release, send
from privacy import vault
from providers.base import Knowledge, Outcome, OutgoingReply

pytestmark = pytest.mark.usefixtures("noon")


# --- the call and what it teaches -----------------------------------------------------------------------------------
def test_what_a_provider_is_given(world: World, carrier: Carrier) -> None:
    reply = released(world.north)
    assert send.send_one(NOON)
    assert carrier.ledger == [
        OutgoingReply(
            uuid=reply.uuid,
            source="33937000001",
            recipient="33639980101",
            text="Réponse de North.",
            report_url=f"https://hotline.example.org/hooks/plivo/{world.north.hotline.hook_token}/report/{reply.uuid}/",
        )
    ]
    assert not send.send_one(NOON)


def test_the_claim_is_committed_before_the_first_byte_leaves(world: World, carrier: Carrier) -> None:
    reply = released(world.north)
    seen: list[tuple[str, int, object]] = []

    def look(outgoing: OutgoingReply) -> Outcome:
        during = row(reply)
        seen.append((during.state, during.attempts, during.claimed_at))
        return accepted(outgoing)

    carrier.answer = look
    send.send_one(NOON)
    assert seen == [("claimed", 1, NOON)]


@pytest.mark.parametrize(
    ("outcome", "state", "finished"),
    [
        (Outcome(Knowledge.ACCEPTED, provider_id="id", detail="202"), "sent", True),
        (Outcome(Knowledge.REFUSED, detail="400"), "failed", True),
        (Outcome(Knowledge.UNKNOWN, detail="503"), "unknown", False),
        (Outcome(Knowledge.REFUSED_FOR_NOW, detail="ConnectError"), "released", False),
        (Outcome(Knowledge.REFUSED_FOR_NOW, detail="429", retry_after=30), "released", False),
        (Outcome(Knowledge.ACCOUNT_REFUSED, detail="402"), "released", False),
    ],
)
def test_what_each_outcome_leaves_in_the_row(
    world: World, carrier: Carrier, outcome: Outcome, state: str, finished: bool
) -> None:
    reply = released(world.north)
    carrier.answer = lambda _reply: outcome
    assert send.send_one(NOON)
    after = row(reply)
    assert (after.state, after.detail, after.attempts) == (state, "" if state == "sent" else outcome.detail, 1)
    assert after.finished_at == (NOON if finished else None)
    assert (after.sent_at, after.provider_id) == ((NOON, "id") if state == "sent" else (None, ""))
    assert (after.due_at > NOON) == (state == "released")


def test_an_unknown_outcome_is_never_repeated(world: World, carrier: Carrier) -> None:
    reply = released(world.north)
    carrier.says(Knowledge.UNKNOWN, detail="ReadTimeout")
    send.send_one(NOON)
    carrier.answer = accepted
    for hours in range(72):
        moment = NOON + HOUR * hours
        release.release_due(moment)
        assert not send.send_one(moment)
        send.expire_leases(moment)
        release.expire(moment)
        send.finish_unknown(moment)
    assert (len(carrier.calls), said(reply)) == (1, ("unknown_final", "ReadTimeout"))


def test_a_provider_file_that_raises_may_have_sent(
    world: World, carrier: Carrier, caplog: pytest.LogCaptureFixture
) -> None:
    reply = released(world.north)

    def fault(outgoing: OutgoingReply) -> Outcome:
        raise RuntimeError(f"cannot send to {outgoing.recipient}")

    carrier.answer = fault
    with caplog.at_level(logging.ERROR):
        assert send.send_one(NOON)
    assert said(reply) == ("unknown", "RuntimeError")
    assert caplog.records[0].getMessage().startswith(f"sending reply {reply.pk} failed: RuntimeError at test_send.py:")
    assert "3363998" not in caplog.text


def test_an_id_given_twice_proves_nothing(world: World, carrier: Carrier) -> None:
    first, second = released(world.north, "33639980101"), released(world.north, "33639980102")
    carrier.says(Knowledge.ACCEPTED, provider_id="the same")
    send.send_one(NOON)
    send.send_one(NOON)
    assert (said(first)[0], said(second)) == ("sent", ("unknown", "provider id used twice"))


def test_an_acceptance_without_an_id_proves_nothing(world: World, carrier: Carrier) -> None:
    reply = released(world.north)
    carrier.says(Knowledge.ACCEPTED, provider_id="")
    send.send_one(NOON)
    assert said(reply)[0] == "unknown"


# --- what cannot be prepared ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("sender", ["short:38055", "name:infosms", "number:+٣٣٦١٢٣٤٥٦٧٨", "number:+33612<33899"])
def test_only_digits_reach_a_provider(world: World, carrier: Carrier, sender: str) -> None:
    reply = released(world.north)
    conversation = reply.conversation
    conversation.sender_sealed = vault.seal(sender, conversation.place, "number", "2026-11")
    conversation.save()
    send.send_one(NOON)
    assert (carrier.calls, said(reply)) == ([], ("failed", "ValueError"))


@pytest.mark.parametrize("field", ["text", "sender"])
def test_an_unreadable_reply_fails_without_a_call(world: World, carrier: Carrier, field: str) -> None:
    reply = released(world.north)
    if field == "text":
        Reply.objects.update(text_sealed=b"garbage")
    else:
        Conversation.objects.update(sender_sealed=b"garbage")
    send.send_one(NOON)
    assert (carrier.calls, said(reply)) == ([], ("failed", "Unreadable"))


def test_an_erased_sender_fails_without_a_call(world: World, carrier: Carrier) -> None:
    reply = released(world.north)
    Conversation.objects.update(sender_sealed=None)
    send.send_one(NOON)
    assert (carrier.calls, said(reply)) == ([], ("failed", "ValueError"))


def test_a_missing_master_key_fails_nothing(world: World, carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be found again within the day; what failed would stay failed."""
    reply = released(world.north)

    def missing(_reply: Reply) -> str:
        raise ImproperlyConfigured("Data was protected with another master key")

    monkeypatch.setattr(send, "_recipient", missing)
    send.send_one(NOON)
    assert (carrier.calls, said(reply)) == ([], ("released", "ImproperlyConfigured"))
    assert row(reply).due_at > NOON


@pytest.mark.parametrize("sealed", [b"", b"garbage"])
def test_unreadable_credentials_pause_the_account_and_fail_nothing(
    world: World, carrier: Carrier, sealed: bytes
) -> None:
    reply = released(world.north)
    Account.objects.filter(pk=world.north.account.pk).update(credentials_sealed=sealed)
    send.send_one(NOON)
    assert (carrier.calls, said(reply)) == ([], ("released", "no readable credentials"))
    assert account(world.north).sending_paused_at == NOON


def test_a_provider_that_is_not_offered_pauses_the_account(world: World) -> None:
    reply = released(world.north)
    Account.objects.filter(pk=world.north.account.pk).update(provider="gone")
    send.send_one(NOON)
    assert said(reply) == ("released", "provider not offered here")
    assert account(world.north).sending_paused_reason == "provider not offered here"


# --- a database that fails meanwhile -------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", FAULTS_OF_A_DATABASE)
def test_a_failing_database_is_not_a_row_that_is_set_aside(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    reply = released(world.north)

    def down(*_arguments: object) -> str:
        raise fault("the connection is closed, or a column is not there")

    monkeypatch.setattr(send, "must_not_be_sent", down)
    with pytest.raises(fault):
        send.claim(NOON)
    assert said(reply) == ("released", "")


def test_an_outcome_is_written_when_the_database_is_back(
    world: World, carrier: Carrier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The reply is sent, and only this worker knows it: it must not end as unknown for a database that restarted."""
    reply, record, failures = released(world.north), send.record, iter(range(3))

    def down(*arguments: Any) -> None:
        if next(failures, None) is not None:
            raise OperationalError("terminating connection due to administrator command")
        record(*arguments)

    monkeypatch.setattr(send, "record", down)
    monkeypatch.setattr(send, "_RECORD_AGAIN", 0)
    assert send.send_one(NOON)
    assert (said(reply), len(carrier.calls)) == (("sent", ""), 1)
    assert caplog.text.count(f"the outcome of reply {reply.pk} is not written yet: OperationalError at") == 3


def test_an_outcome_that_cannot_be_written_for_half_a_lease_is_left_to_be_settled(
    world: World, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply, tries = released(world.north), []
    steady = [100.0]

    def down(*_arguments: Any) -> None:
        tries.append(steady[0])
        raise OperationalError("the database is gone")

    def sleep(seconds: float) -> None:
        steady[0] += seconds

    monkeypatch.setattr(send, "record", down)
    monkeypatch.setattr(send.time, "monotonic", lambda: steady[0])
    monkeypatch.setattr(send.time, "sleep", sleep)
    with pytest.raises(OperationalError):
        send.send_one(NOON)
    assert (tries[0], tries[-1], len(carrier.calls)) == (100.0, 130.0, 1)
    assert said(reply)[0] == "claimed"


# --- when it is tried again -----------------------------------------------------------------------------------------
@given(attempts=st.integers(1, 40))
def test_the_wait_doubles_six_times_and_varies_by_half(attempts: int) -> None:
    seconds = 5 * 2 ** min(attempts - 1, 6)
    waits = [send.backoff(attempts, Outcome(Knowledge.REFUSED_FOR_NOW)).total_seconds() for _ in range(20)]
    assert seconds <= min(waits)
    assert max(waits) < seconds * 1.5
    assert len(set(waits)) > 1


def test_the_wait_that_a_provider_names_is_kept() -> None:
    outcome = Outcome(Knowledge.REFUSED_FOR_NOW, retry_after=77)
    assert {send.backoff(attempts, outcome) for attempts in range(10)} == {77 * SECOND}


def test_a_refusal_for_now_is_tried_again_until_it_works(world: World, carrier: Carrier) -> None:
    reply = released(world.north)
    carrier.says(Knowledge.REFUSED_FOR_NOW, detail="ConnectError")
    moment = NOON
    for attempt in range(1, 9):
        with time_machine.travel(moment, tick=False):
            assert send.send_one(moment)
        found = row(reply)
        assert (found.state, found.attempts) == ("released", attempt)
        assert not send.send_one(found.due_at - SECOND)
        moment = found.due_at
    carrier.answer = accepted
    assert send.send_one(moment)
    assert (said(reply)[0], len(carrier.calls), len(carrier.ledger)) == ("sent", 9, 1)


def test_retry_after_holds_for_the_account_and_nobody_else(world: World, carrier: Carrier) -> None:
    released(world.north, "33639980101")
    waiting, other = released(world.north, "33639980102"), released(world.south, "33639980101")
    carrier.says(Knowledge.REFUSED_FOR_NOW, detail="429", retry_after=90)
    assert send.send_one(NOON)
    assert account(world.north).resume_sending_at == NOON + 90 * SECOND
    carrier.answer = accepted
    assert send.claim(NOON) == other
    assert send.claim(NOON + 89 * SECOND) is None
    assert send.claim(NOON + 90 * SECOND) in {waiting, Reply.objects.get(detail="429")}


def test_of_two_workers_answers_the_later_moment_counts(world: World) -> None:
    for seconds, expected in ((90, 90), (30, 90), (120, 120)):
        send.slow_down(world.north.account, NOON + SECOND * seconds)
        assert account(world.north).resume_sending_at == NOON + SECOND * expected


# --- a refused account ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("detail", ["401", "402"])
def test_a_refused_account_is_paused_once_and_nothing_fails(world: World, carrier: Carrier, detail: str) -> None:
    replies = [released(world.north, f"3363998010{number}") for number in range(4)]
    other = released(world.south)
    carrier.says(Knowledge.ACCOUNT_REFUSED, detail=detail)
    workers = [send.claim(NOON) for _ in range(2)]  # two calls are under way when the first is refused
    for worker in workers:
        assert worker is not None
        send.record(worker, send._call(worker))
    carrier.answer = accepted
    assert send.send_one(NOON)
    assert not send.send_one(NOON + HOUR)
    assert said(other)[0] == "sent"
    assert [said(reply)[0] for reply in replies] == ["released"] * 4
    paused = account(world.north)
    assert (paused.sending_paused_at, paused.sending_paused_reason) == (NOON, detail)
    [message] = mail.outbox
    assert (message.to, "North Plivo" in message.subject) == (["alerts@north.example"], True)
    assert (f"({detail})" in message.body, "3363998" in message.body) == (True, False)
    assert account(world.south).sending_paused_at is None

    Account.objects.filter(pk=paused.pk).update(sending_paused_at=None, sending_paused_reason="")
    later = NOON + HOUR
    while send.send_one(later):
        pass
    assert [said(reply)[0] for reply in replies] == ["sent"] * 4
    assert len(mail.outbox) == 1


def test_a_second_pause_is_told_again(world: World, carrier: Carrier) -> None:
    send.pause(world.north.account, "402", NOON)
    send.pause(world.north.account, "402", NOON)
    Account.objects.update(sending_paused_at=None, sending_paused_reason="")
    send.pause(world.north.account, "401", NOON)
    assert len(mail.outbox) == 2


def test_replies_of_a_paused_account_expire_after_a_day(world: World) -> None:
    reply = released(world.north)
    send.pause(world.north.account, "402", NOON)
    assert release.expire(NOON + 24 * HOUR) == 1
    assert said(reply) == ("expired", "expired")


def test_a_mail_server_that_is_down_does_not_keep_the_pause_from_being_written(
    world: World, carrier: Carrier, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    reply = released(world.north)
    carrier.says(Knowledge.ACCOUNT_REFUSED, detail="402")
    assert send.send_one(NOON)
    assert (said(reply)[0], account(world.north).sending_paused_at) == ("released", NOON)
    assert f"mail to organization {world.north.organization.pk} failed: ConnectionRefusedError" in caplog.text
