"""The whole path under every interleaving that a generator finds, judged by what the carrier took (SECURITY.md 2.7).

The machine (`machine.py`) must also find the bugs that are seeded below: a judge that acquits everybody proves nothing.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import os
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as config
from django.db import IntegrityError
from django.db.models import F
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.outbox.machine import LEASE, START, Path, PathWithHands
from tests.world import build_world

from conversations import sql
from conversations.models import Conversation, Message, Reply
from conversations.words import ReplyState
from hotlines.models import Account, Hotline
from inbox import receive, reconcile
from outbox import release, reports, send, settle
from providers import reading
from providers.base import Knowledge, Outcome


# --- the judge ------------------------------------------------------------------------------------------------------
@pytest.fixture
def path(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> type[Path]:
    """The machine over a world of its own; a database that really commits, so that nothing hides in a savepoint."""

    class Played(Path):
        world = build_world()

    long_ago = START - datetime.timedelta(days=1)
    Hotline.objects.update(created_at=long_ago)
    Account.objects.update(created_at=long_ago)
    Hotline.objects.exclude(pk=Played.world.north.hotline.pk).delete()  # its account has another log
    Played.world.north.hotline.refresh_from_db()
    Played.world.north.account.refresh_from_db()
    monkeypatch.setattr(sql, "clock_ahead", lambda: datetime.timedelta(0))  # PostgreSQL's clock does not travel
    # A generated example must go the same way each time it is played.
    monkeypatch.setattr(send.secrets, "randbelow", lambda _most: 0)
    monkeypatch.setattr(reading.registry, "get", lambda _name: Path.logbook)
    return Played


def calmly(machine: type[Path]) -> type[Path]:
    """The same machine without what has no part in sending, to get there sooner."""
    less = dict.fromkeys(("a_message_is_lost_or_comes_after_all", "something_comes_again", "a_person_acts"))
    return type("Calm", (machine,), dict(less))


def play(machine: type[Path], examples: int, steps: int = 40, **more: Any) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )


def finds(machine: type[Path], examples: int = 400) -> bool:
    """Whether the machine finds a bug; always the same examples, and no time spent on making them small."""
    found = False
    try:
        play(
            machine, examples, 30, derandomize=True, database=None, phases=[Phase.generate], report_multiple_bugs=False
        )
    except* (AssertionError, IntegrityError):
        found = True
    return found


@pytest.mark.long
def test_the_path_holds_under_every_interleaving(path: type[Path]) -> None:
    handed = type("Handed", (PathWithHands,), {"world": path.world})
    play(handed, int(os.environ.get("PARAVENT_TEST_EXAMPLES", "25")))


# --- the bugs it must find ------------------------------------------------------------------------------------------
def unknown_is_retried(patch: pytest.MonkeyPatch) -> None:
    recorded = send.record

    def record(reply: Reply, outcome: Outcome) -> None:
        if outcome.knowledge is Knowledge.UNKNOWN:
            outcome = dataclasses.replace(outcome, knowledge=Knowledge.REFUSED_FOR_NOW)
        recorded(reply, outcome)

    patch.setattr(send, "record", record)


def an_expired_lease_is_released_again(patch: pytest.MonkeyPatch) -> None:
    def expire_leases(now: datetime.datetime) -> int:
        lost = Reply.objects.filter(state=ReplyState.CLAIMED, claimed_at__lt=now - LEASE)
        return lost.update(state=ReplyState.RELEASED)

    patch.setattr(send, "expire_leases", expire_leases)


def a_report_is_an_assignment(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reports, "outranks", lambda *_known: True)


def nothing_is_dropped_on_stop(patch: pytest.MonkeyPatch) -> None:
    decide = receive.decide

    def keeping(*arguments: Any) -> Any:
        return dataclasses.replace(decide(*arguments), drop_waiting=False)

    patch.setattr(receive, "decide", keeping)


def nobody_looks_again_before_sending(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(release, "must_not_be_sent", lambda *_reply: "")
    patch.setattr(send, "must_not_be_sent", lambda *_reply: "")


def a_lost_claim_is_written_all_the_same(patch: pytest.MonkeyPatch) -> None:
    recorded = send.record

    def record(reply: Reply, outcome: Outcome) -> None:
        Reply.objects.filter(pk=reply.pk, state=ReplyState.UNKNOWN).update(state=ReplyState.CLAIMED)
        recorded(reply, outcome)

    patch.setattr(send, "record", record)


def a_lease_is_shorter_than_a_call(patch: pytest.MonkeyPatch) -> None:
    """And ends in another try: the worker that lost it is about to call."""

    def expire_leases(now: datetime.datetime) -> int:
        lost = Reply.objects.filter(state=ReplyState.CLAIMED, claimed_at__lt=now)
        return lost.update(state=ReplyState.RELEASED)

    patch.setattr(send, "expire_leases", expire_leases)


def the_log_is_read_before_it_is_complete(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(config, "SETTLE_TIME", 0)


def a_hidden_number_is_another_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settle.masks, "could_be", lambda written, number: written.lstrip("+") == number.lstrip("+"))


def absence_is_believed_every_time(patch: pytest.MonkeyPatch) -> None:
    """Together with a log that is late, it would send as often as it is asked; here the database refuses."""
    attempt = settle._attempt

    def forgetful(*given: Any) -> settle.Attempt:
        return dataclasses.replace(attempt(*given), absent_before=False)

    patch.setattr(settle, "_attempt", forgetful)
    patch.setattr(settle, "F", lambda _name: 0)
    patch.setattr(config, "SETTLE_TIME", 0)


def a_message_has_no_unique_key(patch: pytest.MonkeyPatch) -> None:
    """Each delivery is stored as another message."""
    insert = sql.insert_message
    numbers = itertools.count()

    def insert_message(values: dict[str, Any]) -> int | None:
        again = Message.objects.filter(provider_id=values["provider_id"]).exists()
        name = f"{values['provider_id']}-{next(numbers)}" if again else values["provider_id"]
        return insert({**values, "provider_id": name, "nonce_hash": None})

    patch.setattr(sql, "insert_message", insert_message)


def a_counter_is_written_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """What counted a message stays when the message is taken back as a duplicate."""
    received = receive.receive

    def receive_and_count(hook: Any, message: Any, *more: Any, **named: Any) -> receive.Receipt:
        receipt = received(hook, message, *more, **named)
        if receipt is not receive.Receipt.STORED:
            stored = Message.objects.filter(provider_id=message.id, conversation__isnull=False)
            Conversation.objects.filter(pk__in=stored.values("conversation")).update(
                messages_received=F("messages_received") + 1
            )
        return receipt

    patch.setattr(receive, "receive", receive_and_count)


def a_missed_message_stays_beside_the_one_that_came(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(receive, "row_of_missed", lambda *_known: Message.objects.none())


def a_missed_message_is_counted_too_early(patch: pytest.MonkeyPatch) -> None:
    """Ours is not yet in our rows when the list is read; here the list is ahead of the clock."""
    patch.setattr(reconcile, "stored_id", lambda name: f"other-{name}")


OF_SENDING = [
    unknown_is_retried,
    an_expired_lease_is_released_again,
    a_lease_is_shorter_than_a_call,
    a_lost_claim_is_written_all_the_same,
    the_log_is_read_before_it_is_complete,
    a_hidden_number_is_another_one,
    absence_is_believed_every_time,
]
OTHERS = [
    a_report_is_an_assignment,
    nothing_is_dropped_on_stop,
    nobody_looks_again_before_sending,
    a_message_has_no_unique_key,
    a_counter_is_written_outside_the_transaction,
    a_missed_message_stays_beside_the_one_that_came,
    a_missed_message_is_counted_too_early,
]


#: One of sending and one of receiving at once; the machine finds the others with `make faults`.
_AT_ONCE = (unknown_is_retried, a_message_has_no_unique_key)
BUGS = [
    pytest.param(bug, id=bug.__name__, marks=[] if bug in _AT_ONCE else pytest.mark.proof)
    for bug in (*OF_SENDING, *OTHERS)
]


@pytest.mark.long
@pytest.mark.once
@pytest.mark.parametrize("bug", BUGS)
def test_the_machine_finds(
    bug: Callable[[pytest.MonkeyPatch], None], path: type[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)
    assert finds(calmly(path) if bug in OF_SENDING else path)
