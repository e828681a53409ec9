"""A reply that a person writes: one of the episode's, after the safety delay, and her words and no others."""

from __future__ import annotations

import contextlib
import datetime
import uuid
from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests.outbox.carrier import Carrier, written
from tests.outbox.test_concurrency import at_once
from tests.world import World

from conversations import blocks, testers
from conversations.models import Block, Conversation, Message, Reply
from conversations.states import everywhere
from hotlines.models import Hotline
from outbox import by_hand, release, send
from replies.models import ReplyTemplate

pytestmark = pytest.mark.usefixtures("in_english")

HOUR = datetime.timedelta(hours=1)
WORDS = "Cette personne ne souhaite pas vous répondre."


@pytest.fixture
def hotline(world: World) -> Hotline:
    """Of three replies, an hour after the message."""
    hotline = world.north.hotline
    hotline.reply_limit, hotline.delay_seconds, hotline.jitter_seconds = 3, 3600, 0
    hotline.save()
    return hotline


def conversation() -> Conversation:
    return Conversation.objects.select_related("hotline__organization").get()


def sent(carrier: Carrier) -> list[str]:
    now = timezone.now() + 2 * HOUR
    release.release_due(now)
    while send.send_one(now):
        pass
    return [reply.text for reply in carrier.ledger]


def test_it_takes_the_place_of_the_reply_that_waits(world: World, hotline: Hotline, carrier: Carrier) -> None:
    waiting = written(hotline)
    assert waiting is not None
    ahead = by_hand.outlook(conversation(), timezone.now())
    assert (ahead.slot, ahead.limit, ahead.due_at, ahead.waiting) == (1, 3, waiting.due_at, waiting)
    reply = by_hand.write(conversation(), f"  {WORDS} ")
    assert (reply, reply.due_at, Reply.objects.count()) == (waiting, waiting.due_at, 1)
    assert release.release_due(waiting.due_at - datetime.timedelta(seconds=1)) == 0
    assert sent(carrier) == [WORDS]


def test_one_more_counts_and_keeps_the_safety_delay(world: World, hotline: Hotline, carrier: Carrier) -> None:
    for _ in range(2):
        written(hotline)  # the second meets a reply that waits, and gets none
    assert len(sent(carrier)) == 1
    last = Message.objects.latest("pk")
    reply = by_hand.write(conversation(), WORDS, "fr")
    assert (reply.message, reply.slot, reply.due_at, reply.language) == (last, 2, last.received_at + HOUR, "fr")
    assert conversation().slots_used == 2
    assert sent(carrier)[1:] == [WORDS]
    with pytest.raises(ValidationError, match="Every message has its reply"):
        by_hand.write(conversation(), WORDS)


def test_the_last_one_blocks_as_any_last_reply_does(world: World, hotline: Hotline, carrier: Carrier) -> None:
    Hotline.objects.update(reply_limit=2)
    for _ in range(3):
        written(Hotline.objects.get(pk=hotline.pk))
    sent(carrier)
    reply = by_hand.write(conversation(), WORDS)
    row, block = conversation(), Block.objects.get()
    assert (reply.slot, reply.purpose, row.slots_used, row.block_cause) == (2, "final", 2, "limit")
    assert (block.cause, block.until, block.episode) == ("limit", row.blocked_until, 1)
    assert sent(carrier)[1:] == [WORDS]
    with pytest.raises(ValidationError, match="All replies of this episode are used"):
        by_hand.write(conversation(), WORDS)
    assert not is_offered()  # though a message has no reply


def is_offered() -> bool:
    now = timezone.now()
    row = Conversation.objects.annotate(is_blocked_everywhere=everywhere(now)).select_related("hotline").get()
    return by_hand.is_offered(row, now)


def stopped(world: World) -> None:
    written(world.north.hotline, text="STOP")


def blocked(world: World) -> None:
    blocks.block_conversation(conversation(), world.north.owner, "insults")


def blocked_everywhere(world: World) -> None:
    blocks.block_everywhere(conversation(), world.north.owner, "threats")


def silent(world: World) -> None:
    Hotline.objects.update(state=Hotline.State.SILENT)


def leaving(_world: World) -> None:
    Reply.objects.update(state="released", text_sealed=b"x")


def being_sent(_world: World) -> None:
    Reply.objects.update(state="claimed", text_sealed=b"x", claimed_at=timezone.now(), claim_token=uuid.uuid4())


def stopped_meanwhile(world: World) -> None:
    being_sent(world)
    stopped(world)


def erased(_world: World) -> None:
    Conversation.objects.update(sender_sealed=None)


@pytest.mark.parametrize(
    "done", [stopped, blocked, blocked_everywhere, silent, leaving, being_sent, stopped_meanwhile, erased]
)
def test_it_is_refused_in_words_and_nothing_changes(
    world: World, hotline: Hotline, done: Callable[[World], None]
) -> None:
    written(hotline)
    done(world)
    before = list(Reply.objects.values()), list(Conversation.objects.values())
    with pytest.raises(ValidationError) as refused:
        by_hand.write(conversation(), WORDS)
    with pytest.raises(ValidationError):
        by_hand.outlook(conversation(), timezone.now())
    assert len(refused.value.messages[0]) > 20
    assert is_offered() == (done in {leaving, being_sent})  # for in a minute it can be written
    assert (list(Reply.objects.values()), list(Conversation.objects.values())) == before


@pytest.mark.parametrize("text", ["", "  ", "Bonjour {prénom}", "x" * 2000, "Appelez le %(number)s"])
def test_words_that_no_reply_may_hold_are_refused(world: World, hotline: Hotline, text: str) -> None:
    written(hotline)
    text %= {"number": hotline.number}
    with pytest.raises(ValidationError):
        by_hand.write(conversation(), text)
    assert not Reply.objects.get().by_hand


def test_a_sender_who_is_never_answered_is_not_answered_by_hand(world: World, hotline: Hotline) -> None:
    written(hotline, "short:36000")
    assert not is_offered()
    with pytest.raises(ValidationError, match="never sent"):
        by_hand.write(conversation(), WORDS)


def test_her_words_outlive_a_day_on_which_they_could_not_leave(
    world: World, hotline: Hotline, carrier: Carrier
) -> None:
    """Booked on another day than it leaves on, it is released anew: a text of the number would be chosen again."""
    written(hotline)
    by_hand.write(conversation(), WORDS)
    now = timezone.now() + 2 * HOUR
    assert release.release_due(now) == 1
    Reply.objects.update(reserved_at=now - datetime.timedelta(days=1), expires_at=now + 48 * HOUR)
    assert not send.send_one(now)
    assert sent(carrier) == [WORDS]


def test_whose_key_is_gone_fails_and_nothing_else_leaves(world: World, hotline: Hotline, carrier: Carrier) -> None:
    written(hotline)
    reply = by_hand.write(conversation(), WORDS)
    Reply.objects.update(text_sealed=bytes(reply.text_sealed or b"")[:-1] + b"?")
    assert sent(carrier) == []
    assert Reply.objects.get().state == "failed"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_who_write_at_once_write_two_replies_or_one(world: World, hotline: Hotline) -> None:
    for _ in range(3):
        written(hotline)
    Reply.objects.update(state="sent", provider_id="p-1", sent_at=timezone.now(), delayed=False)
    Conversation.objects.update(reply_due_at=None)
    row = conversation()

    def one(number: int) -> None:
        with contextlib.suppress(ValidationError):
            by_hand.write(row, f"{WORDS} {number}")

    at_once(lambda: one(1), lambda: one(2))
    slots = list(Reply.objects.order_by("slot").values_list("slot", flat=True))
    assert slots == [*range(1, len(slots) + 1)]
    assert conversation().slots_used == len(slots) <= 3


# --- a text to oneself, before anybody is answered --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("state", "tester", "leaves"),
    [("draft", True, True), ("silent", True, True), ("draft", False, False), ("retired", True, False)],
)
def test_a_number_that_answers_nobody_sends_a_tester_what_a_person_writes(
    world: World, carrier: Carrier, state: str, tester: bool, leaves: bool
) -> None:
    hotline = world.north.hotline
    Hotline.objects.filter(pk=hotline.pk).update(state=state)
    assert written(Hotline.objects.get(pk=hotline.pk)) is None
    row = Conversation.objects.get()
    testers.mark(row, tester=tester)
    row.refresh_from_db()
    with contextlib.nullcontext() if leaves else pytest.raises(ValidationError, match="not active"):
        by_hand.write(row, "Un essai.")
    assert sent(carrier) == ["Un essai."] * leaves


# --- the page ---------------------------------------------------------------------------------------------------------
def post(world: World, user: object, **fields: str) -> str:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)  # type: ignore[arg-type]
    url = reverse("admin:conversations_conversation_by_hand", args=(conversation().pk,))
    response = client.post(url, {"_form_submitted": "True", **fields}, follow=True)
    return f"{response.status_code} {response.content.decode()}"


def test_the_dialog_says_what_becomes_of_it_and_the_record_who_wrote(world: World, hotline: Hotline) -> None:
    written(hotline)
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(world.north.editor)
    url = reverse("admin:conversations_conversation_by_hand", args=(conversation().pk,))
    assert "the reply that waits, 1 of 3" in client.get(url).content.decode()
    assert "one of the two" in post(world, world.north.editor)
    assert "The reply is written" in post(world, world.north.editor, text=WORDS)
    assert Reply.objects.get().text == WORDS
    entry = LogEntry.objects.get()
    assert (entry.user, entry.change_message) == (world.north.editor, "Reply 1 of episode 1 written by hand.")
    assert post(world, world.north.viewer, text=WORDS).startswith("403")
    assert post(world, world.south.owner, text=WORDS).startswith("404")


def test_it_is_offered_where_a_reply_can_be_written(world: World, hotline: Hotline, carrier: Carrier) -> None:
    def is_offered() -> bool:
        page = client.get(reverse("admin:conversations_conversation_change", args=(conversation().pk,)))
        return reverse("admin:conversations_conversation_by_hand", args=(conversation().pk,)) in page.content.decode()

    client = Client()
    client.force_login(world.north.editor)
    written(hotline)
    assert is_offered()  # in place of the one that waits
    assert release.release_due(Reply.objects.get().due_at) == 1
    assert is_offered()  # in a minute
    assert len(sent(carrier)) == 1
    assert not is_offered()  # every message has its reply
    written(hotline)
    assert is_offered()
    Hotline.objects.filter(pk=hotline.pk).update(state="retired")
    assert not is_offered()


def test_a_text_of_the_number_can_be_tried_on_a_tester(world: World, hotline: Hotline) -> None:
    written(hotline)
    template = ReplyTemplate.objects.get(hotline=hotline, language="en")
    assert "The reply is written" in post(world, world.north.editor, template=str(template.pk))
    reply = Reply.objects.get()
    assert (reply.text, reply.language) == (template.text, "en")
    foreign = ReplyTemplate.objects.filter(hotline=world.south.hotline).first()
    assert foreign is not None
    assert "Select a valid choice" in post(world, world.north.editor, template=str(foreign.pk))
