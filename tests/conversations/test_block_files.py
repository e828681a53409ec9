"""Blocks on all numbers leave as a file that tells nothing, and come from one, all of it or nothing."""

from __future__ import annotations

import csv
import datetime
import io
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.outbox.carrier import deliver, inbound
from tests.people import signed_in
from tests.world import SENDER, World

from conversations import block_files, blocks
from conversations.models import Block, Conversation, Message, Reply
from conversations.words import Disposition
from organizations.models import Member
from privacy import datakeys

NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture(autouse=True)
def clock() -> Any:
    with translation.override("en"), time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def written(world: World, sender: str = SENDER) -> Message:
    for tenant in world.tenants:
        deliver(tenant.hotline, inbound(tenant.hotline, sender))
    return Message.objects.filter(hotline=world.north.hotline).latest("pk")


def take(world: World, text: str, reason: str = "from a file") -> block_files.Taken:
    return block_files.take(world.north.organization, text.encode(), world.north.editor, reason)


def refused(world: World, text: str) -> list[str]:
    before = Block.objects.count()
    with pytest.raises(ValidationError) as raised:
        take(world, text)
    assert Block.objects.count() == before
    return raised.value.messages


def is_blocked(world: World, sender: str = SENDER) -> bool:
    return written(world, sender).disposition == Disposition.BLOCKED


# --- reading ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        "sender\n+33639980123\n",
        "Sender;Reason;Until\r\n+33 6 39 98 01 23;insults;2027-03-31\r\n",
        "\ufeffreason\tsender\nx\t33639980123\n",
        'sender,until\n"\'+33.6.39-98(0123)",2027-03-31T10:00:00+01:00\n\n',
    ],
)
def test_who_stands_in_it_is_blocked_on_all_numbers_of_this_organization(world: World, text: str) -> None:
    assert take(world, text) == block_files.Taken(1, 0)
    block = Block.objects.get()
    assert (block.author, block.organization) == (world.north.editor, world.north.organization)
    assert block.reason
    assert is_blocked(world)
    assert Message.objects.filter(hotline=world.south.hotline).latest("pk").disposition != Disposition.BLOCKED


def test_what_waits_for_him_is_dropped_and_a_second_time_changes_nothing(world: World) -> None:
    written(world)
    assert take(world, "sender,reason\n+33639980123,first\n+33639980123,second\n") == block_files.Taken(1, 0)
    assert [*Reply.objects.filter(organization=world.north.organization).values_list("state", flat=True)] == ["dropped"]
    assert take(world, "sender,until\n+33639980123,2027-01-01\n") == block_files.Taken(0, 1)
    assert Block.objects.get().reason == "first"


def test_a_longer_block_takes_the_place_of_a_shorter_one(world: World) -> None:
    take(world, "sender,until\n+33639980123,2027-01-01\n")
    assert take(world, "sender\n+33639980123\n") == block_files.Taken(1, 0)
    assert [*Block.objects.order_by("pk").values_list("lifted_at", "until")][1] == (None, None)
    assert Block.objects.filter(lifted_at=None).count() == 1


def test_everything_that_is_wrong_is_told_with_its_line_and_nobody_is_blocked(world: World) -> None:
    text = "sender,until\n+33639980123,\n0639980124,\n+33639980125,soon\n+33639980126,2020-01-01\nsealed:AAAA,\n,\n"
    assert refused(world, text) == [
        "Line 3: write the number with + and its country code, like +33612345678.",
        "Line 4: the end of the block is no date; write it like 2027-03-31.",
        "Line 5: the end of the block lies in the past.",
        "Line 6: this sender comes from another organization or another server.",
        "Line 7: write the number with + and its country code, like +33612345678.",
        "Nobody was blocked.",
    ]
    many = refused(world, "sender\n" + "nobody\n" * 30)
    assert len(many) == 22
    assert many[20] == "And 10 more lines."


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "first line must name the columns"),
        (b"number\n+33639980123\n", "first line must name the columns"),
        (b"sender\n", "no line with a sender"),
        (b"sender\n+33639980123,\xff\n", "not UTF-8"),
        (b"sender\n" + b"+33639980123\n" * 2_001, "too long: 2,000 lines"),
        (b"sender\n" + b'"' + b"x" * 200_000, "no table"),
    ],
)
def test_what_is_no_such_table_is_refused_in_a_sentence(world: World, content: bytes, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        block_files.take(world.north.organization, content, world.north.editor, "why")
    assert not Block.objects.exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"sender,until\n{text}".encode()))
def test_whatever_is_in_a_file_is_taken_or_refused(world: World, content: bytes) -> None:
    before = Block.objects.count()
    try:
        taken = block_files.take(world.north.organization, content, world.north.editor, "why")
    except ValidationError:
        taken = block_files.Taken(0, 0)
    assert Block.objects.filter(lifted_at=None).count() <= before + taken.new


# --- writing ----------------------------------------------------------------------------------------------------------
def exported(world: World) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(block_files.dump(world.north.organization, timezone.now()))))


def test_a_file_holds_no_number_and_is_read_again_by_its_organization_alone(world: World) -> None:
    conversation = written(world).conversation
    assert conversation is not None
    blocks.block_everywhere(conversation, world.north.editor, "=HYPERLINK(1)", NOW + DAY)
    take(world, "sender\n+33639980777\n")
    text = block_files.dump(world.north.organization, NOW)
    assert not any(number in text for number in ("639980123", "639980777"))
    assert [row["reason"] for row in exported(world)] == ["'=HYPERLINK(1)", "from a file"]
    Block.objects.all().delete()
    assert not is_blocked(world)
    assert take(world, text) == block_files.Taken(2, 0)
    assert is_blocked(world)
    assert is_blocked(world, "33639980777")
    found = Block.objects.order_by("pk").values_list("reason", "until")
    assert [*found] == [("=HYPERLINK(1)", NOW + DAY), ("from a file", None)]
    with pytest.raises(ValidationError, match="another organization"):
        block_files.take(world.south.organization, text.encode(), world.south.editor, "why")


def test_only_what_stands_on_all_numbers_by_a_person_leaves(world: World, clock: Any) -> None:
    conversation = written(world).conversation
    assert conversation is not None
    blocks.block_conversation(conversation, world.north.editor, "here alone")
    take(world, "sender,until\n+33639980777,2026-11-25\n+33639980778,\n+33639980779,\n")
    blocks.lift(Block.objects.order_by("pk")[2], world.north.editor, "mistake")
    Block.objects.filter(pk=Block.objects.order_by("pk")[3].pk).update(sender_sealed=None)
    assert len(exported(world)) == 1
    clock.shift(2 * DAY)
    assert exported(world) == []


# --- a new half-year --------------------------------------------------------------------------------------------------
def test_a_block_on_all_numbers_stands_for_years_though_he_wrote_nothing(world: World, clock: Any) -> None:
    conversation = written(world).conversation
    assert conversation is not None
    blocks.block_everywhere(conversation, world.north.editor, "insults")
    take(world, "sender\n+33639980777\n")
    for _half_year in range(4):
        clock.shift(183 * DAY)
        now = timezone.now()
        assert blocks.follow_half_year(now) == 2
        assert blocks.follow_half_year(now) == 0
        assert {*Block.objects.values_list("key_epoch", flat=True)} == {datakeys.half_year(now)}
        his = Conversation.objects.get(pk=conversation.pk)
        assert [*blocks.everywhere(his, now)] == [Block.objects.order_by("pk")[0]]
    assert is_blocked(world)
    assert is_blocked(world, "33639980777")
    assert Conversation.objects.filter(hotline=world.north.hotline).count() == 2


def test_one_that_nobody_can_read_any_more_stays_where_it_is(world: World, clock: Any) -> None:
    take(world, "sender\n+33639980777\n+33639980778\n")
    first = Block.objects.order_by("pk")[0]
    Block.objects.filter(pk=first.pk).update(sender_sealed=b"broken")
    clock.shift(183 * DAY)
    assert blocks.follow_half_year(timezone.now()) == 1
    assert Block.objects.get(pk=first.pk).sender_key == first.sender_key


# --- in the browser ---------------------------------------------------------------------------------------------------
def upload(client: Client, text: str, **more: Any) -> Any:
    file = SimpleUploadedFile("blocks.csv", text.encode(), content_type="text/csv")
    return client.post(reverse("admin:conversations_block_file"), {"file": file, "reason": "why", **more})


def test_an_editor_exports_and_imports_and_her_colleagues_see_who_did(world: World) -> None:
    client = signed_in(world.north.editor)
    assert (
        reverse("admin:conversations_block_as_file")
        in client.get(reverse("admin:conversations_block_changelist")).content.decode()
    )
    response = upload(client, "sender\n+33639980123\n")
    assert response.status_code == 302
    assert "1 sender is blocked now." in client.get(response["Location"]).content.decode()
    page = client.get(reverse("admin:conversations_block_file")).content.decode()
    address = reverse("admin:conversations_block_export", args=(world.north.organization.pk,))
    assert address in page
    file = client.get(address)
    assert (file["Content-Type"], file["Cache-Control"]) == ("text/csv; charset=utf-8", "no-store")
    assert "sealed:" in file.content.decode()
    wrong = upload(client, "sender\nnobody\n")
    assert wrong.status_code == 400
    assert "Line 2: write the number with +" in wrong.content.decode()
    assert Block.objects.count() == 1


def test_a_viewer_has_none_of_it_and_nobody_has_anothers(world: World) -> None:
    for client, statuses in (
        (signed_in(world.north.viewer), (403, 404, 403)),
        (signed_in(world.south.editor), (200, 404, 302)),
    ):
        found = (
            client.get(reverse("admin:conversations_block_file")).status_code,
            client.get(reverse("admin:conversations_block_export", args=(world.north.organization.pk,))).status_code,
            upload(client, "sender\n+33639980123\n", organization=world.north.organization.pk).status_code,
        )
        assert found == statuses
    assert {block.organization for block in Block.objects.all()} == {world.south.organization}
    assert (
        "as-file"
        not in signed_in(world.north.viewer).get(reverse("admin:conversations_block_changelist")).content.decode()
    )


def test_who_is_in_two_organizations_says_which(world: World) -> None:
    Member.objects.create(organization=world.south.organization, user=world.north.editor, role="editor")
    client = signed_in(world.north.editor)
    assert upload(client, "sender\n+33639980123\n").status_code == 400
    upload(client, "sender\n+33639980123\n", organization=world.south.organization.pk)
    assert Block.objects.get().organization == world.south.organization
