"""Conversations as people see them: masked, read-only, inert whatever somebody wrote, and cheap."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db.models import CharField, F
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils import timezone
from tests.people import signed_in
from tests.signing import post_message
from tests.world import SENDER, World, message_fields

from conversations import blocks, holds, threads
from conversations.models import Block, Conversation, Message, Reply
from conversations.visible import visible
from outbox import sweeps
from privacy import datakeys

LIST = "/admin/conversations/conversation/"
BLOCKS = "/admin/conversations/block/"


def page(row: Conversation | Block, name: str = "change") -> str:
    return reverse(f"admin:conversations_{row._meta.model_name}_{name}", args=(row.pk,))


def write(world: World, text: str = "Salut", sender: str = SENDER) -> Conversation:
    north = world.north
    assert post_message(north.hotline, message_fields(north.hotline, text, sender), north.token).status_code == 200
    conversation = Message.objects.latest("pk").conversation
    assert conversation is not None
    return conversation


def act(user: User, row: Conversation | Block, name: str, **fields: str) -> Any:
    return signed_in(user).post(page(row, name), {"_form_submitted": "True", **fields})


def test_a_sender_is_a_pseudonym_and_two_digits(world: World) -> None:
    conversation = write(world)
    for user in (world.north.owner, world.north.viewer, world.operator):
        for url in (LIST, page(conversation)):
            shown = signed_in(user).get(url).content.decode()
            assert conversation.pseudonym in shown
            assert '<bdi class="pv-phone" dir="ltr">+33 •• •• •• •• 23</bdi>' in shown
            assert SENDER[2:] not in re.sub(r"\s", "", shown)


def test_texts_are_shown_in_order_and_closed(world: World) -> None:
    for text in ("first words", "second words"):
        conversation = write(world, text)
    sweeps.release_replies()
    shown = signed_in(world.north.viewer).get(page(conversation)).content.decode()
    thread = re.sub(r"\s+", " ", shown[shown.index('<ol class="pv-thread">') :])
    places = [
        thread.index(word) for word in ("first words", "reply 1 of episode 1", "second words", "reply 2 of episode 1")
    ]
    assert places == sorted(places)
    assert re.search(r"<details><summary>[^<]+</summary><div[^>]*><bdi[^>]*>first words</bdi>", thread)
    assert "<details open" not in thread
    assert "Reply of North." in thread  # the words are English
    assert "ready to be sent" in thread
    assert "first words" not in signed_in(world.north.owner).get(LIST).content.decode()


def test_messages_without_content_are_told_in_one_line(world: World) -> None:
    for _ in range(9):
        conversation = write(world)
    thread = threads.read(conversation)
    assert [entry.count for entry in thread.entries] == [1, 1, 1, 1, 1, 4]
    assert (
        "4 messages of which no text was kept." in signed_in(world.north.owner).get(page(conversation)).content.decode()
    )


def test_a_long_conversation_comes_in_pages_and_begins_with_the_latest(world: World) -> None:
    conversation = write(world, "the very first")
    now = timezone.now()
    Message.objects.bulk_create(
        Message(
            organization=conversation.organization,
            hotline=conversation.hotline,
            account=world.north.account,
            conversation=conversation,
            provider_id=f"id-{number}",
            disposition="waiting" if number % 2 else "not_answering",
            received_at=now,
        )
        for number in range(120)
    )
    client = signed_in(world.north.owner)
    seen: list[int] = []
    address, pages = page(conversation), 0
    while address:
        response = client.get(address)
        seen = [entry.message.pk for entry in response.context["thread"].entries] + seen
        older = response.context["thread"].page.older
        address, pages = f"{page(conversation)}?page={older}" if older else "", pages + 1
    assert (pages, "the very first" in response.content.decode()) == (3, True)
    assert seen == sorted(set(seen))
    latest = client.get(page(conversation)).content.decode()
    assert "the very first" not in latest
    assert "Earlier messages" in latest
    assert "Later messages" not in latest
    for odd in ("0", "99", "x", "-1", "９", "1" * 40, "older-9-9-9", "older-999999999999999999-1"):
        assert client.get(page(conversation), {"page": odd}).context["thread"].page.newer is None


def test_a_text_whose_key_is_gone_is_said_to_be_lost(world: World) -> None:
    conversation = write(world, "secret words")
    Message.objects.update(text_sealed=b"\x01" + b"\x00" * 60)
    shown = signed_in(world.north.owner).get(page(conversation))
    assert shown.status_code == 200
    assert "The key of this text is gone" in shown.content.decode()


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</bdi></details><h1>",
    "javascript:alert(1) http://evil.example/ www.evil.example",
    "{{ 7*7 }} {% debug %}",
    "\u202eevil\u2066x\u2069",
    "\x1b[31m red",
    "' onmouseover='x",
    "a" + "\u0301" * 200,
    "\u200b\u2060\ufeff",
    "x" * 9000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
def test_what_somebody_wrote_stays_a_text(world: World, text: str) -> None:
    conversation = write(world, text)
    response = signed_in(world.north.owner).get(page(conversation))
    assert response.status_code == 200
    thread = response.content.decode()
    thread = thread[thread.index('<div class="pv-text">') :]
    written = re.search(r'<bdi dir="auto">(.*?)</bdi>', thread, re.DOTALL)
    assert written is not None
    # The only markup inside is our own marker.
    assert "<" not in re.sub(r'<span class="pv-control" title="[^"<>]*">U\+[0-9A-F]{4,6}</span>', "", written[1])
    assert not re.search(r"<a [^>]*evil", thread)
    for char in "\u202e\u2066\u2069\x1b\u200b\u2060\ufeff":
        assert char not in written[1]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u202e", '<span class="pv-control" title="right-to-left override">U+202E</span>'),
        ("a\r\nb\tc", "a\nb\tc"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("<&>", "&lt;&amp;&gt;"),
        ("e" + "\u0301" * 9, "e" + "\u0301" * 4),
    ],
)
def test_hidden_characters_become_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


# --- blocking from the pages -----------------------------------------------------------------------------------------
def test_an_editor_blocks_and_unblocks_with_a_reason(world: World) -> None:
    north, conversation = world.north, write(world)
    assert "This field is required." in act(north.editor, conversation, "block", where="here").content.decode()
    assert not Block.objects.exists()
    done = act(north.editor, conversation, "block", where="here", days="7", reason="insults")
    assert (done.status_code, done["Location"]) == (302, page(conversation))
    block = Block.objects.get()
    assert (block.author, block.reason, block.conversation) == (north.editor, "insults", conversation)
    assert block.until is not None
    assert 6 < (block.until - block.since).days + 1 <= 8
    assert "blocked by a person" in signed_in(north.viewer).get(LIST).content.decode()
    assert act(north.editor, conversation, "unblock", reason="a mistake").status_code == 302
    block.refresh_from_db()
    assert (block.lifted_by, block.lifted_reason) == (north.editor, "a mistake")
    assert [entry.user for entry in LogEntry.objects.all()] == [north.editor] * 2


def test_a_block_on_all_numbers_shows_and_is_lifted_from_the_list_of_blocks(world: World) -> None:
    north, conversation = world.north, write(world)
    assert act(north.owner, conversation, "block", where="everywhere", reason="threats").status_code == 302
    block = Block.objects.get(conversation=None)
    listed = signed_in(north.viewer).get(BLOCKS).content.decode()
    for word in ("all numbers", "threats", conversation.pseudonym, "until somebody lifts it", "standing"):
        assert word in listed
    assert "blocked on all numbers" in signed_in(north.viewer).get(LIST).content.decode()
    assert page(conversation) in signed_in(north.viewer).get(page(block)).content.decode()
    assert act(north.viewer, block, "lift", reason="no").status_code == 403
    assert act(north.editor, block, "lift", reason="a mistake").status_code == 302
    assert "a mistake" in signed_in(north.viewer).get(page(block)).content.decode()
    again = act(north.editor, block, "lift", reason="again")
    assert "already past" in again.content.decode()


@pytest.mark.parametrize(("hours", "state"), [(1, "standing"), (-1, "past"), (None, "standing")])
def test_a_block_stands_until_its_end_and_only_then_offers_to_be_lifted(
    world: World, hours: int | None, state: str
) -> None:
    now = timezone.now()
    block = blocks.block_conversation(write(world), world.north.owner, "threats")
    until = None if hours is None else now + datetime.timedelta(hours=hours)
    Block.objects.filter(pk=block.pk).update(since=now - datetime.timedelta(hours=2), until=until)
    block.refresh_from_db()
    assert block.stands_at(now) is (state == "standing")
    assert Block.objects.filter(blocks.standing(now), pk=block.pk).exists() is block.stands_at(now)
    shown = signed_in(world.north.owner).get(page(block)).content.decode()
    assert re.findall(r"\b(standing|past)\b", re.sub(r"<[^>]*>", " ", shown)) == [state]
    assert (page(block, "lift") in shown) is (state == "standing")


def test_stop_cannot_be_lifted_and_the_page_says_why(world: World) -> None:
    north, conversation = world.north, write(world, "STOP")
    assert "wrote STOP" in signed_in(north.viewer).get(page(conversation)).content.decode()
    refused = act(north.owner, conversation, "unblock", reason="please")
    assert "Nobody else can undo that" in refused.content.decode()
    refused = act(north.owner, Block.objects.get(), "lift", reason="please")
    assert "Nobody else can undo that" in refused.content.decode()


def buttons(user: User, row: Conversation | Block) -> list[str]:
    return [button["title"] for button in signed_in(user).get(page(row)).context["actions_detail"]]


def test_only_buttons_that_make_sense_are_shown(world: World) -> None:
    north, conversation = world.north, write(world)
    assert buttons(north.viewer, conversation) == []
    assert buttons(north.editor, conversation) == ["Reply by hand", "Block", "Keep as evidence"]
    block = blocks.block_conversation(conversation, north.owner, "insults")
    assert buttons(north.editor, conversation) == ["Unblock", "Keep as evidence"]
    holds.hold(conversation, north.owner, "threats")
    assert buttons(north.editor, conversation) == ["Unblock", "Keep for another year"]
    assert buttons(north.owner, conversation) == ["Unblock", "Keep for another year", "Keep no longer"]
    assert buttons(north.editor, block) == ["Lift this block"]
    assert buttons(north.viewer, block) == []
    blocks.lift(block, north.owner, "a mistake")
    assert buttons(north.editor, block) == []
    for _ in range(5):
        write(world)
    # All of its replies are used, and those that wait can still be written anew.
    assert buttons(north.editor, conversation) == ["Reply by hand", "Block", "Unblock", "Keep for another year"]
    write(world, "STOP", sender="33639980999")
    assert buttons(north.editor, Conversation.objects.latest("pk")) == ["Keep as evidence"]


# --- lists -----------------------------------------------------------------------------------------------------------
def many(world: World, count: int) -> None:
    for number in range(count):
        write(world, sender=f"336399{number:05}")


def test_lists_cost_few_queries_however_long_they_are(world: World, django_assert_max_num_queries: Any) -> None:
    many(world, 30)
    for conversation in Conversation.objects.order_by("pk")[:12]:
        blocks.block_conversation(conversation, world.north.owner, "insults")
    for conversation in Conversation.objects.order_by("pk")[12:20]:
        blocks.block_everywhere(conversation, world.north.owner, "threats")
    client = signed_in(world.north.viewer)
    for url in (LIST, BLOCKS, page(Conversation.objects.order_by("pk")[0])):
        client.get(url)  # what a process asks its database once is not a page's
        datakeys.forget()
        with django_assert_max_num_queries(12):
            assert client.get(url).status_code == 200


def test_conversations_are_found_by_state(world: World) -> None:
    many(world, 6)
    limited, person, everywhere, stopped, *_others = Conversation.objects.order_by("pk")
    for _ in range(5):
        write(world, sender="33639900000")
    write(world, "STOP", sender="33639900003")
    blocks.block_conversation(person, world.north.owner, "insults")
    blocks.block_everywhere(everywhere, world.north.owner, "threats")
    client = signed_in(world.north.viewer)
    found = {
        state: {row.pk for row in client.get(LIST, {"standing": state}).context["cl"].result_list}
        for state in ("limit", "person", "everywhere", "stop")
    }
    assert found == {"limit": {limited.pk}, "person": {person.pk}, "everywhere": {everywhere.pk}, "stop": {stopped.pk}}
    answered = signed_in(world.north.viewer).get(LIST, {"standing": "answered"}).context["cl"].result_list
    assert len(answered) == 2


def test_a_conversation_is_found_by_its_pseudonym(world: World) -> None:
    many(world, 5)
    wanted = Conversation.objects.order_by("pk")[2]
    for term in (wanted.pseudonym, wanted.pseudonym.lower(), f" {wanted.pseudonym} "):
        found = signed_in(world.north.viewer).get(LIST, {"q": term}).context["cl"].result_list
        assert [row.pk for row in found] == [wanted.pk]
    assert not signed_in(world.north.viewer).get(LIST, {"q": "Loutre"}).context["cl"].result_list


def test_nothing_can_be_typed_into_a_conversation_or_a_block(world: World) -> None:
    conversation = write(world)
    block = blocks.block_conversation(conversation, world.north.owner, "insults")
    for row in (conversation, block):
        before = type(row).objects.filter(pk=row.pk).values().get()
        response = signed_in(world.operator).post(page(row), {"slots_used": "0", "reason": "x", "cause": "stop"})
        assert response.status_code == 403
        assert type(row).objects.filter(pk=row.pk).values().get() == before
    assert Reply.objects.count() == 1


def test_the_first_page_counts_today(world: World) -> None:
    many(world, 3)
    write(world, "encore", sender="33639900000")
    blocks.block_conversation(Conversation.objects.order_by("pk")[0], world.north.owner, "insults")
    Message.objects.filter(conversation=Conversation.objects.order_by("pk")[1]).update(
        received_at=timezone.now() - datetime.timedelta(days=2)
    )
    cards = signed_in(world.north.viewer).get(reverse("admin:index")).context["cards"]
    assert [(card.organization, card.senders, card.day.messages, card.blocks, card.active) for card in cards] == [
        (world.north.organization, 3, 3, 1, 1)
    ]
    everyone = signed_in(world.operator).get(reverse("admin:index")).context["cards"]
    assert [card.senders for card in everyone] == [3, 0]


def test_tests_are_counted_apart(world: World) -> None:
    many(world, 2)
    tester = write(world, "je teste", sender="33639900000")
    for _ in range(2):
        sweeps.release_replies()
    Reply.objects.update(state="sent", provider_id=Cast(F("pk"), CharField()), sent_at=timezone.now())
    act(world.north.editor, tester, "mark_test")
    tester.refresh_from_db()
    assert tester.tester
    response = signed_in(world.north.viewer).get(reverse("admin:index"))
    [card] = response.context["cards"]
    assert (card.senders, card.day.messages, card.day.replies, card.day.tests) == (1, 1, 1, 2)
    assert [(row.messages, row.replies) for row in card.day.rows] == [(1, 1)]
    assert (sum(point.received for point in card.chart.points), sum(point.replied for point in card.chart.points)) == (
        1,
        1,
    )
    assert "Messages of tests, counted apart" in response.content.decode()
    assert signed_in(world.north.viewer).get(LIST, {"tester": "no"}).context["cl"].result_count == 1
    assert act(world.north.viewer, tester, "unmark_test").status_code == 403
    act(world.north.editor, tester, "unmark_test")
    [card] = signed_in(world.north.viewer).get(reverse("admin:index")).context["cards"]
    assert (card.senders, card.day.messages, card.day.tests) == (2, 3, 0)
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        "Marked as test.",
        "No longer marked as test.",
    ]


def test_the_list_can_be_narrowed_to_a_time_and_a_language(world: World) -> None:
    many(world, 3)
    first, second, _third = Conversation.objects.order_by("pk")
    Conversation.objects.filter(pk=first.pk).update(last_message_at=timezone.now() - datetime.timedelta(days=3))
    Conversation.objects.filter(pk=second.pk).update(language="en")
    client = signed_in(world.north.viewer)

    def found(**asked: str) -> int:
        return int(client.get(LIST, asked).context["cl"].result_count)

    assert [found(), found(since="1"), found(since="7"), found(since="99"), found(language="en")] == [3, 2, 3, 3, 1]
    assert found(language="en", since="1") == 1
    assert "language=en" in client.get(LIST).content.decode()


def test_a_call_and_what_was_spoken_are_shown_as_such(world: World) -> None:
    conversation = write(world)
    sweeps.release_replies()
    Message.objects.update(channel="call", seconds=12, text_sealed=None)
    Reply.objects.update(channel="call", state="sent", provider_id="c-1", sent_at=timezone.now())
    shown = re.sub(r"\s+", " ", signed_in(world.north.viewer).get(page(conversation)).content.decode())
    assert "<strong>A call of the sender</strong>" in shown
    assert "12 seconds" in shown
    assert "reply 1 of episode 1 · spoken" in shown
    assert "No text was kept" not in shown
    assert "Réponse de North." in shown
