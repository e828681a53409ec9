"""What a sender writes who is held as evidence is kept, whether anybody answers it and whatever the number keeps."""

from __future__ import annotations

import datetime

import pytest
from django.utils import timezone
from tests.world import SENDER, World
from tests.writing import write

from conversations import at_once, blocks, holds, retention
from conversations.models import Conversation, Message
from conversations.words import Disposition
from inbox import hooks, rows
from privacy import pseudonyms
from providers.base import InboundMessage, Verification

HURT = "I know where you live"


@pytest.fixture
def held(world: World) -> Conversation:
    conversation = write(world.north, "Salut").conversation
    assert conversation is not None
    holds.hold(conversation, world.north.owner, "threats")
    return conversation


def test_a_blocked_sender_is_kept_and_not_answered(world: World, held: Conversation) -> None:
    blocks.block_conversation(held, world.north.owner, "threats")
    message = write(world.north, HURT)
    assert (message.disposition, message.text, message.kept) == (Disposition.BLOCKED, HURT, True)
    held.refresh_from_db()
    assert (held.messages_received, held.slots_used) == (2, 1)
    holds.lift(held, world.north.owner, "over")
    assert write(world.north, HURT).text_sealed is None


def test_one_who_is_blocked_on_all_numbers_too(world: World, held: Conversation) -> None:
    blocks.block_everywhere(held, world.north.owner, "threats")
    message = write(world.north, HURT)
    assert (message.disposition, message.text, message.kept) == (Disposition.BLOCKED, HURT, True)


def test_one_who_is_over_the_limit_or_has_stopped_us_too(world: World, held: Conversation) -> None:
    found = [write(world.north, HURT) for _ in range(6)]
    assert (found[-1].disposition, found[-1].text) == (Disposition.BLOCKED, HURT)
    write(world.north, "STOP")
    message = write(world.north, HURT)
    assert (message.disposition, message.text, message.kept) == (Disposition.STOPPED, HURT, True)


def test_a_number_that_counts_only_keeps_it_too(world: World, held: Conversation) -> None:
    world.north.hotline.text_days = 0
    world.north.hotline.save()
    message = write(world.north, HURT)
    assert (message.disposition, message.text, message.kept) == (Disposition.ANSWERED, HURT, False)
    assert write(world.north, HURT, sender="33612345670").text_sealed is None


def test_a_number_that_was_erased_is_kept_again(world: World, held: Conversation) -> None:
    blocks.block_conversation(held, world.north.owner, "threats")
    Conversation.objects.update(sender_sealed=None)
    write(world.north, HURT)
    held.refresh_from_db()
    assert held.sender is not None


def test_another_senders_words_are_not_kept(world: World, held: Conversation) -> None:
    other = write(world.north, "Salut", sender="33612345670").conversation
    assert other is not None
    blocks.block_conversation(other, world.north.owner, "insults")
    message = write(world.north, HURT, sender="33612345670")
    assert (message.disposition, message.text_sealed, message.kept) == (Disposition.BLOCKED, None, False)


def test_after_the_hold_it_is_erased_like_all_others(world: World, held: Conversation) -> None:
    blocks.block_conversation(held, world.north.owner, "threats")
    message = write(world.north, HURT)
    Message.objects.update(received_at=timezone.now() - datetime.timedelta(days=40))
    retention.erase_due(timezone.now())
    message.refresh_from_db()
    assert message.text == HURT
    holds.lift(held, world.north.owner, "over")
    retention.erase_due(timezone.now())
    message.refresh_from_db()
    assert message.text_sealed is None


@pytest.mark.postgresql
def test_the_sum_of_blocked_messages_leaves_a_held_sender_out(world: World, held: Conversation) -> None:
    blocks.block_conversation(held, world.north.owner, "threats")
    hook, now = hooks.of_hotline(world.north.hotline.pk), timezone.now()
    assert hook is not None

    def counted(provider_id: str) -> int:
        message = InboundMessage(provider_id, f"+{SENDER}", None, HURT, now)
        key = pseudonyms.current(hook.organization_id, rows.sender_of(hook, message), now).key
        row = rows.message_row(hook, message, Verification("v3", provider_id)) | {"sender_key": key}
        return len(at_once.count_blocked([row]))

    if not at_once.possible():
        pytest.skip("SQLite counts them one by one")
    assert counted("first") == 0
    holds.lift(held, world.north.owner, "over")
    assert counted("first") == 1
