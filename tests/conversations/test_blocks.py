from __future__ import annotations

import datetime

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from tests.signing import post_message
from tests.world import SENDER, Tenant, World, message_fields
from tests.writing import write

from conversations import blocks
from conversations.models import Block, Conversation, Message, Reply
from conversations.words import BlockCause, Disposition, ReplyState
from hotlines.models import Hotline
from privacy import datakeys
from replies.models import ReplyTemplate

DAY = datetime.timedelta(days=1)


def second_hotline(tenant: Tenant) -> Hotline:
    hotline = Hotline.objects.create(
        organization=tenant.organization,
        account=tenant.account,
        name="second line",
        number="+33937000077",
        kind="lgbt",
        state=Hotline.State.ACTIVE,
        reply_limit=2,
        delay_seconds=0,
        jitter_seconds=0,
    )
    ReplyTemplate.objects.create(organization=tenant.organization, hotline=hotline, language="fr", text="Encore.")
    return hotline


def test_a_blocked_sender_leaves_no_content_and_gets_no_reply(world: World) -> None:
    north = world.north
    conversation = write(north).conversation
    assert conversation is not None
    blocks.block_conversation(conversation, north.editor, "insults", None)
    message = write(north, "what he wrote")
    assert (message.disposition, message.text_sealed) == (Disposition.BLOCKED, None)
    assert not Reply.objects.filter(message=message).exists()
    block = Block.objects.get()
    assert (block.cause, block.reason, block.author, block.until) == ("person", "insults", north.editor, None)


def test_a_block_drops_what_waits_and_leaves_alone_what_is_leaving(world: World) -> None:
    north = world.north
    first, second = write(north), write(north)
    now = timezone.now()
    Reply.objects.filter(message=first).update(
        state=ReplyState.CLAIMED, claimed_at=now, claim_token="0" * 32, text_sealed=b"x"
    )
    assert first.conversation is not None
    blocks.block_conversation(first.conversation, north.owner, "insults")
    assert Reply.objects.get(message=first).state == ReplyState.CLAIMED
    dropped = Reply.objects.get(message=second)
    assert (dropped.state, dropped.detail) == (ReplyState.DROPPED, "blocked by a person")
    assert dropped.finished_at is not None


def test_a_block_with_an_end_ends_by_itself(world: World) -> None:
    north = world.north
    conversation = write(north).conversation
    assert conversation is not None
    until = timezone.now() + DAY
    blocks.block_conversation(conversation, north.owner, "a bad evening", until)
    conversation.refresh_from_db()
    assert (conversation.blocked_until, conversation.block_cause) == (until, BlockCause.PERSON)
    Conversation.objects.update(blocked_until=timezone.now() - DAY / 2, episode_started_at=timezone.now() - DAY)
    assert write(north).disposition == Disposition.ANSWERED


def test_a_short_block_by_a_person_does_not_shorten_the_limits(world: World) -> None:
    north = world.north
    for _ in range(5):
        write(north)
    conversation = Conversation.objects.get()
    limit_until = conversation.blocked_until
    blocks.block_conversation(conversation, north.owner, "insults", timezone.now() + DAY)
    conversation.refresh_from_db()
    assert (conversation.blocked_until, conversation.block_cause) == (limit_until, BlockCause.PERSON)


def test_an_unblocked_sender_is_answered_again_with_all_slots(world: World) -> None:
    north = world.north
    for _ in range(6):
        write(north)
    conversation = Conversation.objects.get()
    blocks.block_conversation(conversation, north.owner, "insults")
    blocks.unblock(conversation, north.editor, "he apologised")
    assert [write(north).disposition for _ in range(6)] == [Disposition.ANSWERED] * 5 + [Disposition.BLOCKED]
    assert list(Reply.objects.order_by("pk").values_list("episode", "slot")) == [
        (episode, slot) for episode in (1, 2) for slot in range(1, 6)
    ]
    lifted = Block.objects.filter(lifted_at__isnull=False).order_by("pk")
    assert [(block.cause, block.lifted_by, block.lifted_reason) for block in lifted] == [
        ("limit", north.editor, "he apologised"),
        ("person", north.editor, "he apologised"),
    ]


def test_a_block_everywhere_holds_where_the_sender_never_wrote_and_not_in_another_organization(world: World) -> None:
    north, other = world.north, second_hotline(world.north)
    conversation = write(north).conversation
    assert conversation is not None
    blocks.block_everywhere(conversation, north.owner, "threats")
    there, here, elsewhere = write(north, hotline=other), write(north), write(world.south)
    assert [there.disposition, here.disposition] == [Disposition.BLOCKED] * 2
    assert (there.text_sealed, here.text_sealed) == (None, None)
    assert elsewhere.disposition == Disposition.ANSWERED


def test_a_block_everywhere_drops_what_waits_on_every_hotline(world: World) -> None:
    north, other = world.north, second_hotline(world.north)
    waiting, conversation = write(north, hotline=other), write(north).conversation
    foreign = write(world.south)
    assert conversation is not None
    blocks.block_everywhere(conversation, north.owner, "threats")
    assert Reply.objects.get(message=waiting).state == ReplyState.DROPPED
    assert Reply.objects.get(message=foreign).state == ReplyState.PENDING


def test_unblocking_a_conversation_lifts_the_block_everywhere(world: World) -> None:
    north, other = world.north, second_hotline(world.north)
    conversation = write(north).conversation
    assert conversation is not None
    blocks.block_everywhere(conversation, north.owner, "threats")
    blocks.unblock(conversation, north.owner, "a mistake")
    assert write(north).disposition == Disposition.ANSWERED
    assert write(north, hotline=other).disposition == Disposition.ANSWERED


def test_lifting_one_of_two_blocks_leaves_the_other(world: World) -> None:
    north = world.north
    conversation = write(north).conversation
    assert conversation is not None
    here = blocks.block_conversation(conversation, north.owner, "insults")
    everywhere = blocks.block_everywhere(conversation, north.owner, "threats")
    blocks.lift(here, north.owner, "a mistake")
    assert write(north).disposition == Disposition.BLOCKED
    blocks.lift(everywhere, north.owner, "a mistake")
    assert write(north).disposition == Disposition.ANSWERED


def test_lifting_the_persons_block_leaves_the_limits(world: World) -> None:
    north = world.north
    for _ in range(5):
        write(north)
    conversation = Conversation.objects.get()
    limit_until = conversation.blocked_until
    blocks.lift(blocks.block_conversation(conversation, north.owner, "insults"), north.owner, "a mistake")
    conversation.refresh_from_db()
    assert (conversation.blocked_until, conversation.block_cause) == (limit_until, BlockCause.LIMIT)


def test_nobody_can_undo_a_stop(world: World) -> None:
    north = world.north
    write(north)
    conversation = write(north, "STOP").conversation
    assert conversation is not None
    with pytest.raises(ValidationError) as refused:
        blocks.unblock(conversation, north.owner, "he changed his mind")
    assert refused.value.code == "stop"
    with pytest.raises(ValidationError) as refused:
        blocks.lift(Block.objects.get(cause="stop"), north.owner, "he changed his mind")
    assert refused.value.code == "stop"
    assert write(north).disposition == Disposition.STOPPED


def test_blocking_after_stop_and_lifting_it_keeps_the_stop(world: World) -> None:
    north = world.north
    conversation = write(north, "STOP").conversation
    assert conversation is not None
    blocks.lift(blocks.block_conversation(conversation, north.owner, "insults"), north.owner, "a mistake")
    assert write(north).disposition == Disposition.STOPPED


def test_blocking_again_replaces_the_older_block(world: World) -> None:
    north = world.north
    conversation = write(north).conversation
    assert conversation is not None
    for block in (blocks.block_conversation, blocks.block_everywhere):
        block(conversation, north.owner, "first", timezone.now() + DAY)
        block(conversation, north.owner, "second")
    standing = Block.objects.filter(blocks.standing(timezone.now()))
    assert [block.reason for block in standing.order_by("pk")] == ["second", "second"]


@pytest.mark.parametrize(
    ("reason", "until", "code"), [("", None, "reason"), ("  ", None, "reason"), ("insults", -DAY, "until")]
)
def test_a_block_needs_a_reason_and_an_end_that_is_still_to_come(
    world: World, reason: str, until: datetime.timedelta | None, code: str
) -> None:
    conversation = write(world.north).conversation
    assert conversation is not None
    end = timezone.now() + until if until else None
    for block in (blocks.block_conversation, blocks.block_everywhere):
        with pytest.raises(ValidationError) as refused:
            block(conversation, world.north.owner, reason, end)
        assert refused.value.code == code
    assert not Block.objects.exists()


def test_unblocking_who_is_not_blocked_says_so(world: World) -> None:
    conversation = write(world.north).conversation
    assert conversation is not None
    with pytest.raises(ValidationError) as refused:
        blocks.unblock(conversation, world.north.owner, "why not")
    assert refused.value.code == "not_blocked"


def test_a_block_everywhere_holds_after_the_pseudonyms_changed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The half-year's new pseudonym of the same sender is still known by the last one."""
    north, other = world.north, second_hotline(world.north)
    conversation = write(north).conversation
    assert conversation is not None
    blocks.block_everywhere(conversation, north.owner, "threats")
    last = conversation.key_epoch
    monkeypatch.setattr(datakeys, "half_year", lambda moment: "2027-H1")
    monkeypatch.setattr(datakeys, "before", lambda *_: last)
    assert write(north, hotline=other).disposition == Disposition.BLOCKED
    assert write(north).disposition == Disposition.BLOCKED
    conversation.refresh_from_db()
    assert conversation.key_epoch == "2027-H1"
    blocks.unblock(conversation, north.owner, "a mistake")
    assert write(north, hotline=other).disposition == Disposition.ANSWERED


def test_the_sender_of_the_world_is_who_is_blocked(world: World) -> None:
    """A block is of one sender: another one is answered."""
    north = world.north
    conversation = write(north).conversation
    assert conversation is not None
    blocks.block_everywhere(conversation, north.owner, "threats")
    fields = message_fields(north.hotline, sender=SENDER[:-1] + "9")
    assert post_message(north.hotline, fields, north.token).status_code == 200
    assert Message.objects.latest("pk").disposition == Disposition.ANSWERED
