"""A number is shown to who has that right, says why, gives the password, and is written down; to nobody else."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests.people import signed_in
from tests.processes import ROOT
from tests.world import SENDER, World
from tests.writing import write

from conversations.models import Conversation
from evidence import revealing
from evidence.models import Reveal
from organizations.models import Member

DAY = datetime.timedelta(days=1)
WHY = {"reason": "complaint", "words": "file 17", "password": "pw"}


@pytest.fixture
def conversation(world: World) -> Conversation:
    found = write(world.north).conversation
    assert found is not None
    Member.objects.filter(user=world.north.viewer).update(may_reveal=True)
    world.north.viewer.set_password("pw")
    world.north.viewer.save()
    return found


def ask(client: Client, conversation: Conversation, **changes: str) -> Any:
    url = reverse("admin:conversations_conversation_reveal", args=[conversation.pk])
    return client.post(url, {"_form_submitted": "True", **WHY, **changes})


def page(conversation: Conversation) -> str:
    return reverse("admin:conversations_conversation_number", args=[conversation.pk])


def test_the_number_is_shown_for_two_minutes_with_who_sees_it(world: World, conversation: Conversation) -> None:
    client = signed_in(world.north.viewer)
    answer = ask(client, conversation)
    assert (answer.status_code, answer["Location"]) == (302, page(conversation))
    shown = client.get(page(conversation)).content.decode()
    assert f"+{SENDER}" in shown
    assert f"Shown to {world.north.viewer.username}" in shown
    row = Reveal.objects.get()
    assert (row.user_name, row.reason, row.note) == (world.north.viewer.username, "complaint", "file 17")
    assert SENDER not in str(Reveal.objects.values_list().get())
    assert (
        SENDER
        not in client.get(reverse("admin:conversations_conversation_change", args=[conversation.pk])).content.decode()
    )


def test_after_two_minutes_it_is_masked_again(world: World, conversation: Conversation, monkeypatch: Any) -> None:
    client = signed_in(world.north.viewer)
    ask(client, conversation)
    monkeypatch.setattr(revealing, "SHOWN_FOR", datetime.timedelta(0))
    assert client.get(page(conversation)).status_code == 302


def test_nobody_has_that_right_by_a_role(world: World, conversation: Conversation) -> None:
    """Not an owner, not the operator of the platform, and nobody of another organization."""
    for user in (world.north.owner, world.operator):
        user.set_password("pw")
        user.save()
        answer = ask(signed_in(user), conversation)
        assert "Nobody has given you the right" in answer.content.decode()
        assert signed_in(user).get(page(conversation)).status_code == 403
    assert ask(signed_in(world.south.owner), conversation).status_code == 404
    assert signed_in(world.south.owner).get(page(conversation)).status_code == 404
    assert not Reveal.objects.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": "wrong"}, "not your password"),
        ({"password": ""}, "required"),
        ({"words": " "}, "required"),
        ({"reason": "curious"}, "valid choice"),
    ],
)
def test_without_reason_or_password_nothing_is_shown(
    world: World, conversation: Conversation, changes: dict[str, str], said: str
) -> None:
    client = signed_in(world.north.viewer)
    assert said in ask(client, conversation, **changes).content.decode()
    assert client.get(page(conversation)).status_code == 302
    assert not Reveal.objects.exists()


def test_the_password_is_asked_for_again_after_ten_minutes(world: World, conversation: Conversation) -> None:
    client = signed_in(world.north.viewer)
    ask(client, conversation)
    form = reverse("admin:conversations_conversation_reveal", args=[conversation.pk])
    assert 'name="password"' not in client.get(form).content.decode()
    assert ask(client, conversation, password="").status_code == 302
    session = client.session
    session["password_given_at"] = (timezone.now() - datetime.timedelta(minutes=11)).isoformat()
    session.save()
    assert 'name="password"' in client.get(form).content.decode()
    assert ask(client, conversation, password="").status_code == 200
    assert Reveal.objects.count() == 2


def test_who_found_a_browser_open_cannot_try_all_passwords(world: World, conversation: Conversation) -> None:
    client = signed_in(world.north.viewer)
    for _ in range(5):
        assert "not your password" in ask(client, conversation, password="guess").content.decode()
    assert "Too many wrong passwords" in ask(client, conversation).content.decode()
    assert not Reveal.objects.exists()


def test_twenty_a_day_and_the_owners_know(world: World, conversation: Conversation) -> None:
    world.north.organization.alert_email = "team@example.org"
    world.north.organization.save()
    viewer = world.north.viewer
    for _ in range(20):
        revealing.record(conversation, viewer, "court", "x")
    assert [message.subject for message in mail.outbox] == ["Paravent\xa0: le numéro d’un expéditeur a été montré"]
    client = signed_in(viewer)
    assert "no more can be shown" in ask(client, conversation).content.decode()
    assert Reveal.objects.count() == 20
    assert len(mail.outbox) == 2
    assert not any(SENDER in message.body or conversation.pseudonym in message.body for message in mail.outbox)


def test_the_button_is_there_for_who_has_the_right(world: World, conversation: Conversation) -> None:
    url = reverse("admin:conversations_conversation_change", args=[conversation.pk])
    for user, there in ((world.north.viewer, True), (world.north.owner, False), (world.operator, False)):
        titles = [button["title"] for button in signed_in(user).get(url).context["actions_detail"]]
        assert ("Show the number" in titles) == there


def test_a_number_that_is_erased_is_not_shown(world: World, conversation: Conversation) -> None:
    client = signed_in(world.north.viewer)
    ask(client, conversation)
    Conversation.objects.update(sender_sealed=None)
    assert "The number is erased" in client.get(page(conversation)).content.decode()


def test_one_record_shows_one_number(world: World, conversation: Conversation) -> None:
    other = write(world.north, sender="33612345670").conversation
    assert other is not None
    client = signed_in(world.north.viewer)
    ask(client, conversation)
    assert client.get(page(other)).status_code == 302
    with pytest.raises(ValueError, match="another conversation"):
        revealing.number(other, Reveal.objects.get())


def test_the_record_cannot_be_changed_or_deleted_by_anybody(world: World, conversation: Conversation) -> None:
    row = revealing.record(conversation, world.north.viewer, "court", "x")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Reveal.objects.update(note="y")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Reveal.objects.all().delete()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM evidence_reveal")
    row.refresh_from_db()
    assert row.note == "x"


def test_after_a_year_the_record_is_forgotten(world: World, conversation: Conversation) -> None:
    row = revealing.record(conversation, world.north.viewer, "court", "x")
    values = {
        field.attname: getattr(row, field.attname) for field in Reveal._meta.concrete_fields if not field.primary_key
    }
    Reveal.objects.create(**{**values, "at": timezone.now() - 367 * DAY})
    assert revealing.forget_old() == 1
    assert [*Reveal.objects.all()] == [row]


def test_an_owner_gives_the_right_and_sees_the_record(world: World, conversation: Conversation) -> None:
    owner = signed_in(world.north.owner)
    member = Member.objects.get(user=world.north.editor)
    change = reverse("admin:organizations_member_change", args=[member.pk])
    assert owner.post(change, {"role": "editor", "may_reveal": "on"}).status_code == 302
    member.refresh_from_db()
    assert member.may_reveal
    assert signed_in(world.north.editor).post(change, {"role": "owner", "may_reveal": "on"}).status_code == 403
    revealing.record(conversation, world.north.viewer, "court", "file 17")
    shown = owner.get(reverse("admin:evidence_reveal_changelist")).content.decode()
    assert "file 17" in shown
    assert conversation.pseudonym in shown


#: Who opens a sender's number, and what for. Whoever adds one here must say why it shows nothing to a person.
OPENERS = {
    "messaging/conversations/models/conversation.py": "masks it",
    "messaging/conversations/blocks.py": "blocks the same sender under another pseudonym",
    "messaging/shield/judge.py": "finds its block of numbers",
    "messaging/outbox/release.py": "decides by it",
    "messaging/outbox/settle.py": "finds it in the provider's list",
    "messaging/outbox/send.py": "sends to it",
    "messaging/rights/access.py": "shows it to who has proved that it is his",
    "messaging/evidence/revealing.py": "shows it, after the record",
    "messaging/evidence/chaining.py": "commits to it",
    "messaging/evidence/records.py": "takes it out for a complaint, after two people agreed",
}


def test_one_path_alone_shows_a_number() -> None:
    opens = re.compile(
        r"(conversation|row)\.sender\b|read_or_none\([\w.]+, \"sender\"\)|unseal\((self|block)\.sender_sealed"
    )
    found = {
        str(path.relative_to(ROOT))
        for area in ("messaging", "numbers", "platform")
        for path in Path(ROOT / area).rglob("*.py")
        if "simulator" not in path.parts and opens.search(path.read_text())
    }
    assert found == {*OPENERS}
