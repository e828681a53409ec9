"""The next message of a sender whose row is there: what happens to the row between reading and writing it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from tests.inbox.webhook import deliver
from tests.world import World, message_fields

from conversations import at_once, blocks, sql
from conversations.models import Block, Conversation, Message, Reply
from hotlines.models import Hotline
from inbox import hooks

pytestmark = pytest.mark.django_db(transaction=True)

SENDER = "33639980101"
postgresql = pytest.mark.skipif(
    "postgres" not in connection.settings_dict["ENGINE"], reason="SQLite locks the row and goes step by step"
)


def write(world: World, fields: dict[str, str] | None = None) -> Message:
    assert deliver(world.north, fields or message_fields(world.north.hotline, "Salut", SENDER)) == 200
    return Message.objects.filter(hotline=world.north.hotline).latest("pk")


def row(world: World) -> Conversation:
    return Conversation.objects.get(hotline=world.north.hotline)


def blocked_by_a_person(world: World) -> None:
    blocks.block_conversation(row(world), world.north.owner, "pest")


def blocked_everywhere(world: World) -> None:
    blocks.block_everywhere(row(world), world.north.owner, "pest")


def stopped(world: World) -> None:
    Conversation.objects.filter(pk=row(world).pk).update(opted_out_at=timezone.now())


@postgresql
@pytest.mark.parametrize(
    ("change", "disposition"),
    [(blocked_by_a_person, "blocked"), (blocked_everywhere, "blocked"), (stopped, "stopped")],
)
def test_a_row_that_changed_since_it_was_read_is_judged_anew(
    world: World, monkeypatch: pytest.MonkeyPatch, change: Callable[[World], None], disposition: str
) -> None:
    assert write(world).disposition == "answered"
    real, took = at_once.receive_known, []

    def changed_before(values: sql.Values) -> bool:
        change(world)
        took.append(real(values))
        return took[-1]

    monkeypatch.setattr(at_once, "receive_known", changed_before)
    message = write(world)
    assert took == [False]
    assert (message.disposition, message.text_sealed, row(world).messages_received) == (disposition, None, 2)
    assert not Reply.objects.filter(message=message).exists()


@postgresql
def test_two_messages_at_once_take_two_slots(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write(world)
    real = at_once.receive_known

    def after_another(values: sql.Values) -> bool:
        monkeypatch.setattr(at_once, "receive_known", real)
        write(world)
        return real(values)

    monkeypatch.setattr(at_once, "receive_known", after_another)
    write(world)
    assert list(Reply.objects.order_by("slot").values_list("slot", flat=True)) == [1, 2, 3]
    assert (row(world).messages_received, row(world).slots_used) == (3, 3)


@postgresql
def test_the_same_delivery_that_came_in_between_is_stored_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write(world)
    fields = message_fields(world.north.hotline, "Salut", SENDER)
    real = at_once.receive_known

    def after_the_other(values: sql.Values) -> bool:
        monkeypatch.setattr(at_once, "receive_known", real)
        assert deliver(world.north, fields) == 200
        return real(values)

    monkeypatch.setattr(at_once, "receive_known", after_the_other)
    assert deliver(world.north, fields) == 200
    assert (Message.objects.count(), row(world).messages_received, Reply.objects.count()) == (2, 2, 2)


@postgresql
def test_a_repeated_delivery_is_told_by_the_first_statement(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = message_fields(world.north.hotline, "Salut", SENDER)
    write(world, fields)

    statements: list[str] = []

    def watched(owner: Any, name: str) -> None:
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *given: statements.append(name) or real(*given))

    for owner, name in ((at_once, "receive_at_once"), (at_once, "receive_known"), (sql, "count_message")):
        watched(owner, name)
    assert deliver(world.north, fields) == 200
    assert statements == ["receive_at_once"]
    assert (Message.objects.count(), row(world).messages_received) == (1, 1)


@pytest.mark.parametrize("limit", [1, 2])
def test_the_last_slot_leaves_the_block_of_its_episode(world: World, limit: int) -> None:
    Hotline.objects.update(reply_limit=limit)
    hooks._clear()
    for _ in range(limit):
        write(world)
    block = Block.objects.get(conversation=row(world))
    assert (block.cause, block.episode, block.until) == ("limit", 1, row(world).blocked_until)
    assert (block.organization, block.author, block.lifted_at) == (world.north.organization, None, None)


def test_a_sender_whose_number_was_erased_has_it_again_when_he_writes(world: World) -> None:
    write(world)
    Conversation.objects.update(sender_sealed=None)
    write(world)
    assert row(world).sender == f"number:+{SENDER}"
    sealed = bytes(row(world).sender_sealed or b"")
    write(world)
    assert bytes(row(world).sender_sealed or b"") == sealed


@pytest.mark.parametrize(
    ("column", "disposition"), [("blocked_until", "blocked"), ("opted_out_at", "stopped")], ids=["blocked", "stopped"]
)
def test_what_is_not_kept_leaves_an_erased_number_erased(world: World, column: str, disposition: str) -> None:
    write(world)
    cause = {"block_cause": "limit"} if column == "blocked_until" else {}
    moment = timezone.now() + datetime.timedelta(hours=1)
    Conversation.objects.update(sender_sealed=None, **{column: moment}, **cause)
    assert write(world).disposition == disposition
    assert row(world).sender_sealed is None
