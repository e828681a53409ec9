"""One asks, another approves, the first takes the file; nobody can do two of these."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from tests.people import signed_in
from tests.world import SENDER, World
from tests.writing import write

from conversations import holds
from conversations.models import Conversation
from evidence import exporting, verify
from evidence.models import Export
from evidence.models.export import TAKEN_WITHIN
from organizations.models import Member


@pytest.fixture
def conversation(world: World) -> Conversation:
    found = write(world.north, "I know where you live").conversation
    assert found is not None
    Member.objects.filter(user__in=[world.north.editor, world.north.owner]).update(may_reveal=True)
    return found


def act(user: Any, model: str, row: Any, name: str, **fields: str) -> Any:
    url = reverse(f"admin:{model}_{name}", args=[row.pk])
    return signed_in(user).post(url, {"_form_submitted": "True", **fields}, follow=True)


def asked(world: World, conversation: Conversation) -> Export:
    answer = act(world.north.editor, "conversations_conversation", conversation, "export", reason="complaint 17")
    assert "waits for approval" in answer.content.decode()
    return Export.objects.get()


def file_of(user: Any, row: Export) -> Any:
    return signed_in(user).get(reverse("admin:evidence_export_zip", args=[row.pk]))


def test_two_people_take_one_conversation_out(world: World, conversation: Conversation, tmp_path: Any) -> None:
    north = world.north
    north.organization.alert_email = "team@example.org"
    north.organization.save()
    row = asked(world, conversation)
    assert holds.of(conversation.pk) is not None
    (told,) = mail.outbox
    assert SENDER not in told.body
    assert file_of(north.editor, row).status_code == 403
    assert "approved" in act(north.owner, "evidence_export", row, "approve").content.decode()
    assert "Here is the file" in act(north.editor, "evidence_export", row, "take").content.decode()
    taken = file_of(north.editor, row)
    content = b"".join(taken.streaming_content)
    row.refresh_from_db()
    assert row.digest == hashlib.sha256(content).hexdigest()
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    assert verify.verify(tmp_path)
    assert "I know where you live" in (tmp_path / "records.jsonl").read_text()


def test_who_asked_cannot_approve_and_who_approved_cannot_take(world: World, conversation: Conversation) -> None:
    north = world.north
    row = exporting.ask(conversation, north.owner, "complaint 17")
    assert "somebody else must approve" in act(north.owner, "evidence_export", row, "approve").content.decode()
    with pytest.raises(ValidationError):
        exporting.approve(row, north.owner)
    assert act(north.editor, "evidence_export", row, "approve").status_code == 403
    assert act(world.south.owner, "evidence_export", row, "approve").status_code == 404
    act(world.operator, "evidence_export", row, "approve")
    row.refresh_from_db()
    assert row.approved_by == world.operator
    with pytest.raises(ValidationError):
        exporting.approve(row, world.operator)
    for user in (world.operator, north.editor, north.viewer):
        assert file_of(user, row).status_code == 403
        assert "Here is the file" not in act(user, "evidence_export", row, "take").content.decode()
    assert file_of(world.south.owner, row).status_code == 404
    taken = file_of(north.owner, row)
    assert taken.status_code == 200
    assert b"".join(taken.streaming_content)


def test_who_lost_the_right_or_came_too_late_takes_nothing(world: World, conversation: Conversation) -> None:
    north = world.north
    row = asked(world, conversation)
    exporting.approve(row, north.owner)
    Member.objects.filter(user=north.editor).update(may_reveal=False)
    assert file_of(north.editor, row).status_code == 403
    Member.objects.filter(user=north.editor).update(may_reveal=True)
    Export.objects.update(approved_at=timezone.now() - TAKEN_WITHIN)
    assert file_of(north.editor, row).status_code == 403
    row.refresh_from_db()
    assert row.taken_at is None


def test_without_the_right_nobody_can_ask(world: World, conversation: Conversation) -> None:
    answer = act(world.north.viewer, "conversations_conversation", conversation, "export", reason="x")
    assert "Nobody has given you the right" in answer.content.decode()
    assert not Export.objects.exists()
    assert holds.of(conversation.pk) is None
