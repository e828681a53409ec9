"""What is over is erased, what is held or still needed stays, and nobody begins anew for it (SECURITY.md 4.3)."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.world import SENDER, Tenant, World
from tests.writing import write

from config import health
from conversations import blocks, holds, retention
from conversations.models import Block, Conversation, DeliveryReport, FirstKept, Hold, Message, Reply
from conversations.words import Disposition
from hotlines import keeping
from outbox import sweeps

DAY = datetime.timedelta(days=1)


def ago(row: Message | Conversation, days: float) -> None:
    """Put a message, with its conversation and reply, so many days back."""
    moment = timezone.now() - days * DAY
    conversation = row if isinstance(row, Conversation) else row.conversation
    if isinstance(row, Message):
        Message.objects.filter(pk=row.pk).update(received_at=moment)
        Reply.objects.filter(message=row).update(due_at=moment, decided_at=moment)
    if conversation is not None:
        Conversation.objects.filter(pk=conversation.pk).update(last_message_at=moment)


def answered(tenant: Tenant, days: float, **more: Any) -> Message:
    """A message of so many days ago whose reply was sent."""
    message = write(tenant, **more)
    sent = {"state": "sent", "sent_at": timezone.now(), "finished_at": timezone.now(), "text_sealed": b"\\x01text"}
    Reply.objects.filter(message=message).update(**sent, provider_id=f"id-{message.pk}", delayed=False)
    ago(message, days)
    message.refresh_from_db()
    return message


def kept(message: Message) -> tuple[bool, bool, bool]:
    """Whether its text, its reply's text and its sender's number are there."""
    message.refresh_from_db()
    conversation = message.conversation
    assert conversation is not None
    reply = Reply.objects.filter(message=message).first()
    return (
        message.text_sealed is not None,
        reply is not None and reply.text_sealed is not None,
        conversation.sender_sealed is not None,
    )


def test_each_number_keeps_as_long_as_it_says(world: World) -> None:
    north, south = world.north, world.south
    north.hotline.text_days, north.hotline.number_days = 10, 20
    north.hotline.save()
    old, older, oldest = (answered(north, days, sender=f"3361234567{i}") for i, days in enumerate((9.9, 10.1, 20.1)))
    of_another = answered(south, 29.9)
    assert retention.erase_due(timezone.now()) == retention.Erased(texts=4, numbers=1)
    assert (kept(old), kept(older), kept(oldest)) == ((True,) * 3, (False, False, True), (False,) * 3)
    assert kept(of_another) == (True,) * 3
    assert retention.erase_due(timezone.now()) == retention.Erased()
    assert retention.erase_due(timezone.now() + 0.2 * DAY) == retention.Erased(texts=4, numbers=1)
    assert kept(of_another) == (False,) * 3


def test_a_request_that_could_not_be_read_is_kept_for_days(world: World) -> None:
    message = answered(world.north, 3.1)
    Reply.objects.all().delete()
    Message.objects.filter(pk=message.pk).update(disposition=Disposition.UNREADABLE, conversation=None)
    later = Message.objects.get(pk=answered(world.north, 2.9, sender="33612345670").pk)
    Reply.objects.all().delete()
    Message.objects.filter(pk=later.pk).update(disposition=Disposition.UNREADABLE, conversation=None)
    assert retention.erase_due(timezone.now()).texts == 1
    assert [message.text_sealed is None for message in Message.objects.order_by("pk")] == [True, False]


@pytest.mark.parametrize("state", ["pending", "released", "claimed", "unknown"])
def test_a_reply_that_is_not_over_keeps_its_text_and_its_number(world: World, state: str) -> None:
    message = answered(world.north, 40)
    owner = {"claimed_at": timezone.now(), "claim_token": "00000000-0000-4000-8000-000000000000"}
    Reply.objects.filter(message=message).update(state=state, **owner)
    assert retention.erase_due(timezone.now()) == retention.Erased(texts=1)
    assert kept(message) == (False, True, True)


def test_a_number_that_counts_only_stores_no_text_and_answers_all_the_same(world: World) -> None:
    north = world.north
    north.hotline.text_days = 0
    north.hotline.save()
    message = write(north, "I know where you live")
    assert (message.disposition, message.text_sealed) == (Disposition.ANSWERED, None)
    assert write(world.south, "Salut").text == "Salut"
    sweeps.release_replies()
    assert Reply.objects.filter(message=message).exists()


def test_who_comes_after_his_number_is_erased_is_the_same_sender(world: World) -> None:
    """With his counter and his block, and he is answered at the number that he has."""
    north = world.north
    conversation = answered(north, 31).conversation
    assert conversation is not None
    assert retention.erase_due(timezone.now()).numbers == 1
    Conversation.objects.filter(pk=conversation.pk).update(episode_started_at=timezone.now() - DAY)
    again = write(north)
    conversation.refresh_from_db()
    assert (again.conversation_id, conversation.slots_used) == (conversation.pk, 2)
    assert conversation.sender == f"number:+{SENDER}"


# --- holds ----------------------------------------------------------------------------------------------------------
def test_what_is_held_stays_until_the_hold_is_lifted(world: World) -> None:
    north = world.north
    message, other = answered(north, 100), answered(north, 100, sender="33612345670")
    assert message.conversation is not None
    holds.hold(message.conversation, north.owner, "threats")
    assert retention.erase_due(timezone.now()).total == 3
    assert (kept(message), kept(other)) == ((True,) * 3, (False,) * 3)
    FirstKept.objects.update(row=10**9)  # as if ten thousand messages had come since
    assert health.kept().ok
    holds.lift(message.conversation, north.owner, "the complaint is over")
    assert not health.kept().ok
    assert retention.erase_due(timezone.now()).total == 3
    assert kept(message) == (False,) * 3
    assert health.kept().ok


def test_nothing_of_what_is_held_is_deleted(world: World) -> None:
    message = answered(world.north, 500)
    assert message.conversation is not None
    holds.hold(message.conversation, world.north.owner, "threats")
    retention.erase_due(timezone.now())
    assert kept(message) == (True,) * 3


def test_no_hold_outlasts_six_years(world: World) -> None:
    message = answered(world.north, 100)
    assert message.conversation is not None
    holds.hold(message.conversation, world.north.owner, "threats")
    Hold.objects.update(since=timezone.now() - 6 * 365 * DAY - DAY)
    assert retention.erase_due(timezone.now()).total == 3
    assert Hold.objects.get().lifted_reason == "six years"


def test_a_hold_needs_a_reason_and_stands_once(world: World) -> None:
    conversation, owner = write(world.north).conversation, world.north.owner
    assert conversation is not None
    for act in (holds.hold, holds.lift, holds.review):
        with pytest.raises(ValidationError) as refused:
            act(conversation, owner, " ")
        assert refused.value.code == "reason"
    for act in (holds.lift, holds.review):
        with pytest.raises(ValidationError) as refused:
            act(conversation, owner, "why")
        assert refused.value.code == "not_held"
    holds.hold(conversation, owner, "threats")
    with pytest.raises(ValidationError) as refused:
        holds.hold(conversation, owner, "threats")
    assert refused.value.code == "held"
    Hold.objects.update(review_at=timezone.now() - DAY, since=timezone.now() - 366 * DAY)
    holds.review(conversation, owner, "the court has not decided")
    held = Hold.objects.get()
    assert (held.review_at > timezone.now() + 364 * DAY, held.reason) == (True, "the court has not decided")


# --- rows -----------------------------------------------------------------------------------------------------------
def test_after_thirteen_months_nothing_is_left(world: World) -> None:
    north = world.north
    old, new = answered(north, keeping.ROW_DAYS + 1), answered(north, keeping.ROW_DAYS - 1, sender="33612345670")
    assert old.conversation is not None
    report = {"account": north.account, "body_fingerprint": b"b" * 16, "received_at": old.received_at}
    DeliveryReport.objects.create(reply=Reply.objects.get(message=old), **report)
    blocks.block_conversation(old.conversation, north.owner, "threats")
    held = holds.hold(old.conversation, north.owner, "threats")
    holds.lift(old.conversation, north.owner, "over")
    retention.erase_due(timezone.now())
    assert Conversation.objects.filter(pk=old.conversation_id).exists()  # whose hold was lifted today
    Hold.objects.filter(pk=held.pk).update(
        since=timezone.now() - 800 * DAY, lifted_at=timezone.now() - (keeping.ROW_DAYS + 1) * DAY
    )
    retention.erase_due(timezone.now())
    assert [*Message.objects.all()] == [new]
    assert [*Conversation.objects.all()] == [new.conversation]
    assert Reply.objects.count() == 1
    assert not DeliveryReport.objects.exists()
    assert not Block.objects.exists()


def test_a_standing_block_on_all_numbers_keeps_its_number(world: World) -> None:
    north = world.north
    first, second = write(north).conversation, write(north, sender="33612345670").conversation
    assert first is not None
    assert second is not None
    standing = blocks.block_everywhere(first, north.owner, "threats")
    lifted = blocks.block_everywhere(second, north.owner, "threats")
    blocks.lift(lifted, north.owner, "a mistake")
    Block.objects.update(since=timezone.now() - 400 * DAY)
    Block.objects.filter(pk=lifted.pk).update(lifted_at=timezone.now() - 31 * DAY)
    retention.erase_due(timezone.now())
    assert [Block.objects.get(pk=block.pk).sender_sealed is None for block in (standing, lifted)] == [False, True]


# --- how it is done -------------------------------------------------------------------------------------------------
def test_rows_that_appear_late_below_the_mark_are_found(world: World) -> None:
    """Their id was given before, and their transaction committed after the search."""
    first = answered(world.north, 31)
    retention.erase_due(timezone.now())
    late = answered(world.north, 31)
    Message.objects.filter(pk=first.pk).update(text_sealed=late.text_sealed)
    assert retention.erase_due(timezone.now()).texts > 0
    assert kept(first)[0] is False


def test_a_sender_who_writes_meanwhile_keeps_his_number(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    message = answered(world.north, 31)
    assert message.conversation is not None
    found = retention._pages

    def pages(rows: Any, first: int = 0) -> Any:
        for ids in found(rows, first):
            if rows.model is Conversation:
                ago(message.conversation, 0)
            yield ids

    monkeypatch.setattr(retention, "_pages", pages)
    assert retention.erase_due(timezone.now()).numbers == 0
    assert kept(message)[2] is True


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text_days=st.integers(0, 180),
    number_days=st.integers(1, 180),
    rows=st.lists(st.tuples(st.floats(0, 400), st.booleans()), min_size=1, max_size=6),
)
def test_afterwards_nothing_is_there_that_is_over_and_all_that_is_not(
    world: World, text_days: int, number_days: int, rows: list[tuple[float, bool]]
) -> None:
    world.north.hotline.text_days, world.north.hotline.number_days = 30, number_days
    world.north.hotline.save()
    made = []
    for number, (days, held) in enumerate(rows):
        message = answered(world.north, days, sender=f"3361234{number:04}")
        assert message.conversation is not None
        if held and Hold.objects.filter(conversation=message.conversation, lifted_at=None).first() is None:
            holds.hold(message.conversation, world.north.owner, "threats")
        made.append((message, days, held))
    world.north.hotline.text_days = text_days
    world.north.hotline.save()
    retention.erase_due(timezone.now())
    for message, days, held in made:
        has_text, has_reply, has_number = kept(message) if Message.objects.filter(pk=message.pk) else (False,) * 3
        assert (has_text, has_reply) == ((held or days < text_days),) * 2
        assert has_number == (held or days < number_days)
    assert retention.oldest_beyond(timezone.now()) < datetime.timedelta(seconds=60)
    Hold.objects.all().delete()
    Reply.objects.all().delete()
    Message.objects.all().delete()
    Conversation.objects.all().delete()
