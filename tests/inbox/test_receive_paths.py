"""The one-statement ways of PostgreSQL end as the step-by-step way does, for any sequence of messages."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import re
import uuid
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.world import World

from conversations import at_once, sql
from conversations.models import Block, Conversation, Message, Reply
from hotlines.models import Hotline
from inbox import blocked, fold, hooks, receive, rows
from inbox.accept import accept
from inbox.arrival import Arrival
from providers import registry
from providers.base import InboundMessage, SignedRequest, Verification

pytestmark = pytest.mark.skipif(
    "postgres" not in connection.settings_dict["ENGINE"], reason="only PostgreSQL writes in a WITH"
)

NOON = datetime.datetime(2026, 11, 2, 12, tzinfo=datetime.UTC)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["33639980101", "33639980102", "InfoSMS"]),
        st.sampled_from(["Salut", "STOP", "AIDE", ""]),
        st.sampled_from([0, 1, 90, 4_000, 90_000, 4_000_000]),
        st.booleans(),
    ),
    min_size=1,
    max_size=9,
)


def _run(hotline: Hotline, steps: list[tuple[str, str, int, bool]], *, folding: bool = False) -> list[receive.Receipt]:
    """Receive them all; `folding` lets blocked senders' messages wait until one comes that may not."""
    hook = hooks.find(hotline.hook_token)
    assert isinstance(hook, hooks.Hook)
    blocked.forget()
    now, receipts, waiting = NOON, [], []
    for number, (sender, text, seconds, redelivered) in enumerate(steps):
        now += datetime.timedelta(seconds=seconds)
        if seconds > blocked._HOLDS:
            blocked.forget()
        if text == "STOP":
            _fold(waiting)  # what it overtakes is counted as stopped, and not as blocked
        for _ in range(2 if redelivered else 1):
            one = _waiting(hook, number, sender, text, now)
            parsed = registry.get("plivo").parse_message(one.signed)
            assert isinstance(parsed, InboundMessage)
            message = dataclasses.replace(parsed, received_at=now)
            receipt = receive.receive(hook, message, one.verification, chance=0.25, may_wait=folding)
            if isinstance(receipt, receive.Later):
                waiting.append(Arrival.unpacked(one.packed(receipt.row)))
            else:
                _fold(waiting)
            refused = receipt is receive.Receipt.NONCE_REUSED
            receipts.append(
                receive.Receipt.NONCE_REUSED if refused else receive.Receipt.STORED
            )  # the webhook answers all others alike
    _fold(waiting)
    return receipts


def _waiting(hook: hooks.Hook, number: int, sender: str, text: str, now: datetime.datetime) -> Arrival:
    fields = {"From": sender, "To": hook.number, "Text": text, "MessageUUID": f"{number}", "Type": "sms"}
    signed = SignedRequest("POST", "", {}, urlencode(fields).encode())
    return Arrival("message", "plivo", hook.hotline_id, signed, Verification("v3", f"nonce{number}"), now)


def _fold(waiting: list[Arrival]) -> None:
    """What is left was delivered twice, and stored by the other way meanwhile, or its sender has stopped us since."""
    for left in fold.fold(waiting, hooks.of_hotline):
        hook = hooks.of_hotline(left.hotline_id)
        assert hook is not None
        assert accept(hook, left) in (receive.Receipt.DUPLICATE, receive.Receipt.STORED)
    waiting.clear()


def _columns(model: type, hotline: Hotline, *names: str) -> list[Any]:
    path = "conversation__hotline" if model is Block else "hotline"
    rows = model.objects.filter(**{path: hotline})
    # Of messages that arrived in one moment, the folded ones are written after the others.
    order = ["received_at", "provider_id"] if model is Message else ["pk"]
    return list(rows.order_by(*order).values_list(*names))


def _rows(hotline: Hotline) -> list[Any]:
    standing = [field for field in sql.STANDING_COLUMNS if field not in {"id", "uuid"}]
    return [
        _columns(Conversation, hotline, *standing, "first_message_at", "last_message_at", "key_epoch", "language"),
        _columns(
            Message, hotline, "provider_id", "disposition", "reason", "nonce_hash", "received_at", "units", "cost"
        ),
        [text is None for (text,) in _columns(Message, hotline, "text_sealed")],
        _columns(Reply, hotline, "episode", "slot", "purpose", "delayed", "state", "due_at", "expires_at", "attempts"),
        _columns(Block, hotline, "cause", "since", "until", "episode"),
    ]


# Each statement its own transaction, as in the webhook: one that a constraint refuses must end nothing else.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("limit", "delay"), [(1, 0), (2, 0), (2, 3600)])
@given(steps=STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_way_of_receiving_ends_in_the_same_rows(
    world: World, limit: int, delay: int, steps: list[tuple[str, str, int, bool]]
) -> None:
    found = []
    for way in ("at once", "folding", "step by step"):
        for model in (Block, Reply, Message, Conversation):
            model.objects.all().delete()
        Hotline.objects.update(reply_limit=limit, delay_seconds=delay, block_hours=2)
        hooks._clear()
        with mock.patch.object(at_once, "possible", return_value=way != "step by step"):
            found.append((_run(world.north.hotline, steps, folding=way == "folding"), _rows(world.north.hotline)))
    assert found[0] == found[1] == found[2]


def test_the_short_ways_are_taken(world: World) -> None:
    steps = [("33639980101", "Salut", 1, False)] * 8
    Hotline.objects.update(reply_limit=2)
    hooks._clear()
    with (
        mock.patch.object(sql, "count_message", wraps=sql.count_message) as step_by_step,
        mock.patch.object(at_once, "receive_at_once", wraps=at_once.receive_at_once) as first,
        mock.patch.object(at_once, "receive_known", wraps=at_once.receive_known) as known,
        mock.patch.object(at_once, "count_blocked", wraps=at_once.count_blocked) as together,
    ):
        _run(world.north.hotline, steps, folding=True)
    # The third message teaches the process that its sender is blocked; then they wait.
    assert (step_by_step.call_count, first.call_count, known.call_count) == (0, 3, 1)
    # With more values the driver translates a statement anew each time.
    assert {len(call.args[0]) <= 50 for call in [*first.call_args_list, *known.call_args_list]} == {True}
    assert [len(call.args[0]) for call in together.call_args_list] == [0, 0, 0, 5]


def test_only_what_the_database_finds_blocked_is_counted(world: World) -> None:
    """A block that was lifted, a STOP, a repeated nonce, another organization's sender of the same number."""
    hotline = world.north.hotline
    Hotline.objects.update(reply_limit=1, delay_seconds=0)
    hooks._clear()
    _run(hotline, [("33639980101", "Salut", 1, False)] * 3 + [("33639980102", "Salut", 1, False)] * 3)
    _run(world.south.hotline, [("33639980103", "Salut", 1, False)] * 3)
    Conversation.objects.filter(hotline=hotline).order_by("pk").first().blocks.all().delete()
    Conversation.objects.filter(pk=Conversation.objects.order_by("pk").first().pk).update(
        blocked_until=None, block_cause=""
    )
    hook = hooks.of_hotline(hotline.pk)
    assert hook is not None
    later = NOON + datetime.timedelta(minutes=5)
    lifted = _waiting(hook, 101, "33639980101", "Salut", later)
    still = _waiting(hook, 102, "33639980102", "Salut", later)
    again = _waiting(hook, 102, "33639980102", "Salut", later)
    stop = _waiting(hook, 103, "33639980102", "STOP", later)
    elsewhere = _waiting(hook, 104, "33639980103", "Salut", later)
    nonce = dataclasses.replace(_waiting(hook, 105, "33639980102", "x", later), verification=still.verification)
    before = Message.objects.count()
    assert fold.fold([lifted, still, stop, elsewhere], hooks.of_hotline) == [lifted, stop, elsewhere]
    assert fold.fold([again, nonce], hooks.of_hotline) == [again, nonce]
    assert Message.objects.count() == before + 1
    counted = Message.objects.get(provider_id="102")
    assert (counted.disposition, counted.text_sealed, counted.conversation.messages_received) == ("blocked", None, 4)


@given(
    provider_id=st.text(max_size=64),
    nonce=st.none() | st.binary(min_size=16, max_size=16),
    cost=st.none() | st.decimals(0, 9_999, places=5),
    body=st.binary(max_size=200),
)
def test_a_row_comes_back_from_the_disk_as_it_was(
    provider_id: str, nonce: bytes | None, cost: decimal.Decimal | None, body: bytes
) -> None:
    row = {
        "uuid": uuid.uuid4(),
        "organization_id": 1,
        "hotline_id": 2,
        "account_id": 3,
        "provider_id": provider_id,
        "nonce_hash": nonce,
        "units": 4,
        "cost": cost,
        "received_at": NOON,
        "sender_key": bytes(range(16)),
    }
    signed = SignedRequest("POST", "https://hotline.example.org/", {"x-nonce": "1"}, body)
    arrival = Arrival("message", "plivo", 2, signed, Verification("v3", "n"), NOON)
    found = Arrival.unpacked(arrival.packed(rows.packed(row)))
    assert (found.row is not None and rows.unpacked(found.row, found.received_at)) == row
    assert Arrival.unpacked(found.packed()) == found
    assert dataclasses.replace(found, row=None) == Arrival.unpacked(arrival.packed()) == arrival


@pytest.mark.parametrize(
    "statement", [at_once._AT_ONCE, at_once._AT_ONCE_LIMITED, at_once._RECEIVE_KNOWN, at_once._COUNT_BLOCKED]
)
def test_the_driver_keeps_the_statements_that_most_messages_need(statement: str) -> None:
    """It translates one that is longer, or has more parameters, anew each time: a tenth of a request's time."""
    queries = pytest.importorskip("psycopg._queries")
    parameters = set(re.findall(r"%\((\w+)\)s", statement))
    assert len(statement.encode()) <= queries.MAX_CACHED_STATEMENT_LENGTH
    assert len(parameters) <= queries.MAX_CACHED_STATEMENT_PARAMS
