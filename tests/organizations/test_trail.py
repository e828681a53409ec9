"""Owners read who changed what in their organization, and in no other's."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from tests.people import signed_in
from tests.world import World
from tests.writing import write

from conversations.models import Conversation
from organizations.models import Trail
from organizations.tenancy import OWN
from replies.models import ReplyTemplate

pytestmark = pytest.mark.once
LIST = "/admin/organizations/trail/"


def change(world: World) -> None:
    row = ReplyTemplate.objects.get(hotline=world.north.hotline, language="fr")
    place = {"hotline": str(row.hotline_id), "purpose": "reply", "step": "1", "language": "fr", "arm": "a"}
    page = reverse("admin:replies_replytemplate_change", args=(row.pk,))
    assert signed_in(world.north.editor).post(page, {**place, "text": "Un autre texte."}).status_code == 302


def test_a_change_stands_on_its_organizations_trail(world: World) -> None:
    change(world)
    entry = Trail.objects.get()
    assert (entry.organization, entry.entry.user) == (world.north.organization, world.north.editor)
    shown = signed_in(world.north.owner).get(LIST).content.decode()
    assert world.north.editor.username in shown
    assert "Changed Text." in shown
    assert world.north.editor.username not in signed_in(world.south.owner).get(LIST).content.decode()
    assert signed_in(world.north.editor).get(LIST).status_code == 403
    page = reverse("admin:organizations_trail_change", args=(entry.pk,))
    assert signed_in(world.north.owner).get(page).status_code == 200
    assert signed_in(world.south.owner).get(page).status_code == 404


def test_what_was_deleted_stays_on_the_trail(world: World) -> None:
    row = ReplyTemplate.objects.get(hotline=world.north.hotline, language="fr")
    page = reverse("admin:replies_replytemplate_delete", args=(row.pk,))
    signed_in(world.north.editor).post(page, {"post": "yes"})
    assert not ReplyTemplate.objects.filter(pk=row.pk).exists()
    shown = signed_in(world.north.owner).get(LIST).content.decode()
    assert "deleted" in shown


def test_what_is_done_to_a_conversation_is_told_without_its_number(world: World) -> None:
    write(world.north)
    row = Conversation.objects.get()
    page = reverse("admin:conversations_conversation_mark_test", args=(row.pk,))
    signed_in(world.north.editor).post(page, {"_form_submitted": "True"})
    shown = signed_in(world.north.owner).get(LIST).content.decode()
    assert "Marked as test." in shown
    assert row.pseudonym in shown


def test_what_belongs_to_no_organization_stands_on_no_trail(world: World) -> None:
    LogEntry.objects.log_actions(world.operator.pk, [world.operator], 2, "changed", single_object=True)
    assert not Trail.objects.exists()
    assert Trail.objects.for_user(world.operator, OWN).count() == 0


def test_nobody_writes_or_removes_an_entry(world: World) -> None:
    change(world)
    entry = Trail.objects.get()
    owner = signed_in(world.north.owner)
    for name in ("change", "delete"):
        owner.post(reverse(f"admin:organizations_trail_{name}", args=(entry.pk,)), {"post": "yes"})
    assert owner.get(f"{LIST}add/").status_code == 403
    assert Trail.objects.get() == entry
