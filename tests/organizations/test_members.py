"""Invitations that tell nothing, and the last owner who cannot be lost."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from tests.people import signed_in
from tests.world import Tenant, World

from organizations import members
from organizations.models import Invitation, Member, Organization


def invite(tenant: Tenant, name: str, role: str = "editor") -> Any:
    page = reverse("admin:organizations_invitation_add")
    return signed_in(tenant.owner).post(page, {"name": name, "role": role}, follow=True)


def visible(response: Any, name: str) -> str:
    """What a person reads, without the name and without the hour at which the invitation ends."""
    text = re.sub(r"<[^>]*>", " ", response.content.decode()).replace(name, "NAME")
    text = re.sub(r"\b\d{1,2}:\d\d\b", "HOUR", text)
    return re.sub(r"\s+", " ", text)


def test_inviting_tells_nothing_about_who_has_a_user(world: World) -> None:
    User.objects.create_user("known", "known@example.org", "pw")
    for names in (("known", "absent"), ("known@example.org", "absent@example.org")):
        answers = set()
        for name in names:
            answers.add(visible(invite(world.north, name), name))
            Invitation.objects.all().delete()
        assert len(answers) == 1


NAMES = ("colleague", "COLLEAGUE", " colleague ", "colleague@example.org", "Colleague@Example.org")


@pytest.mark.parametrize("name", NAMES)
def test_the_invited_person_finds_it_and_becomes_a_member(world: World, name: str) -> None:
    colleague = User.objects.create_user("colleague", "Colleague@example.org", "pw")
    invite(world.north, name)
    client = signed_in(colleague)
    offer = Invitation.objects.get()
    accept = reverse("admin:organizations_invitation_accept", args=(offer.pk,))
    assert f'action="{accept}"' in client.get(reverse("admin:index")).content.decode()
    assert client.get(reverse("admin:hotlines_hotline_changelist")).status_code == 403
    assert client.post(accept).status_code == 302
    assert Member.objects.get(user=colleague).role == "editor"
    assert not Invitation.objects.exists()
    assert client.get(reverse("admin:hotlines_hotline_changelist")).status_code == 200


def test_nobody_else_can_accept_it(world: World) -> None:
    User.objects.create_user("colleague", "colleague@example.org", "pw")
    stranger = User.objects.create_user("stranger", "", "pw")
    invite(world.north, "colleague")
    accept = reverse("admin:organizations_invitation_accept", args=(Invitation.objects.get().pk,))
    for user in (stranger, world.south.owner, world.operator):
        assert signed_in(user).post(accept).status_code == 404
        assert accept not in signed_in(user).get(reverse("admin:index")).content.decode()
    assert not Member.objects.filter(user=stranger).exists()


def test_a_user_without_an_address_is_not_everybody(world: World) -> None:
    Invitation.objects.create(organization=world.north.organization, name="", role="owner")
    assert members.offered_to(User.objects.create_user("stranger", "", "pw")) == []


def test_an_invitation_expires(world: World) -> None:
    colleague = User.objects.create_user("colleague", "colleague@example.org", "pw")
    invitation = members.invite(world.north.organization, "colleague", "viewer", world.north.owner)
    assert members.offered_to(colleague) == [invitation]
    Invitation.objects.update(created_at=timezone.now() - Invitation.LASTS - datetime.timedelta(seconds=1))
    assert members.offered_to(colleague) == []
    accept = reverse("admin:organizations_invitation_accept", args=(invitation.pk,))
    assert signed_in(colleague).post(accept).status_code == 404


def test_an_invitation_never_takes_a_right_away(world: World) -> None:
    invitation = members.invite(world.north.organization, "owner-north", "viewer", world.north.owner)
    assert members.accept(invitation, world.north.owner).role == "owner"


def test_inviting_the_same_name_again_says_so(world: World) -> None:
    invite(world.north, "colleague")
    again = invite(world.north, "Colleague")
    assert again.status_code == 200
    assert Invitation.objects.count() == 1
    assert "already exists" in again.content.decode()


# --- the last owner --------------------------------------------------------------------------------------------------
def test_the_last_owner_can_neither_leave_nor_become_less(world: World) -> None:
    north = world.north
    owner = Member.objects.get(user=north.owner)
    client = signed_in(north.owner)
    change = client.post(reverse("admin:organizations_member_change", args=(owner.pk,)), {"role": "viewer"})
    assert "must keep an owner" in change.content.decode()
    delete = reverse("admin:organizations_member_delete", args=(owner.pk,))
    assert client.post(delete, {"post": "yes"}).status_code == 403
    owner.refresh_from_db()
    assert owner.role == "owner"


def test_an_owner_hands_over(world: World) -> None:
    north = world.north
    client = signed_in(north.owner)
    editor, owner = Member.objects.get(user=north.editor), Member.objects.get(user=north.owner)
    for member, role in ((editor, "owner"), (owner, "viewer")):
        page = reverse("admin:organizations_member_change", args=(member.pk,))
        assert client.post(page, {"role": role}).status_code == 302
        member.refresh_from_db()
        assert member.role == role
    viewer = Member.objects.get(user=north.viewer)
    delete = reverse("admin:organizations_member_delete", args=(viewer.pk,))
    assert signed_in(north.editor).post(delete, {"post": "yes"}).status_code == 302
    assert not Member.objects.filter(pk=viewer.pk).exists()


def test_an_owner_who_cannot_sign_in_does_not_count(world: World) -> None:
    north = world.north
    Member.objects.filter(user=north.editor).update(role="owner")
    User.objects.filter(pk=north.editor.pk).update(is_active=False)
    with pytest.raises(members.LastOwner):
        members.change_role(Member.objects.get(user=north.owner), "viewer")
    members.remove(Member.objects.get(user=north.editor))


def test_two_owners_who_leave_one_after_the_other_leave_one(world: World) -> None:
    north = world.north
    Member.objects.filter(user=north.editor).update(role="owner")
    stale = list(Member.objects.filter(organization=north.organization, role="owner"))
    members.remove(stale[0])
    with pytest.raises(members.LastOwner):
        members.remove(stale[1])


def test_losing_the_race_to_leave_is_told_in_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other owner left between the form's check and the lock."""
    owner = Member.objects.get(user=world.north.owner)
    monkeypatch.setattr(members, "is_last_owner", lambda member: False)
    monkeypatch.setattr(members, "change_role", lambda member, role: (_ for _ in ()).throw(members.LastOwner))
    page = reverse("admin:organizations_member_change", args=(owner.pk,))
    response = signed_in(world.north.owner).post(page, {"role": "viewer"}, follow=True)
    assert response.status_code == 200
    assert "must keep an owner" in response.content.decode()
    assert "was changed successfully" not in response.content.decode()


def test_a_member_cannot_be_moved_or_become_somebody_else(world: World) -> None:
    north, south = world.north, world.south
    viewer = Member.objects.get(user=north.viewer)
    page = reverse("admin:organizations_member_change", args=(viewer.pk,))
    forged = {"role": "editor", "user": south.owner.pk, "organization": south.organization.pk}
    assert signed_in(north.owner).post(page, forged).status_code == 302
    viewer.refresh_from_db()
    assert (viewer.user, viewer.organization, viewer.role) == (north.viewer, north.organization, "editor")


def test_no_page_of_an_owner_lists_the_platforms_users(world: World) -> None:
    User.objects.create_user("somebody-else-entirely", "else@example.org", "pw")
    client = signed_in(world.north.owner)
    for name in ("member_changelist", "invitation_add", "invitation_changelist"):
        page = client.get(reverse(f"admin:organizations_{name}")).content.decode()
        assert "somebody-else-entirely" not in page
        assert "owner-south" not in page


# --- the organization ------------------------------------------------------------------------------------------------
def test_the_owner_changes_the_organization_and_the_editor_does_not(world: World) -> None:
    north = world.north
    page = reverse("admin:organizations_organization_change", args=(north.organization.pk,))
    fields = {"name": "Nord", "time_zone": "Indian/Reunion", "alert_email": "x@example.org"}
    assert signed_in(north.editor).post(page, fields).status_code == 403
    assert signed_in(north.owner).post(page, fields).status_code == 302
    north.organization.refresh_from_db()
    assert (north.organization.name, north.organization.time_zone) == ("Nord", "Indian/Reunion")
    assert signed_in(north.owner).post(page, {**fields, "time_zone": "Mars/Olympus"}).status_code == 200


def test_the_operator_creates_an_organization_and_its_first_owner(world: World) -> None:
    client = signed_in(world.operator)
    first = User.objects.create_user("first", "first@example.org", "pw")
    fields = {"name": "West", "time_zone": "Europe/Brussels", "alert_email": ""}
    assert client.post(reverse("admin:organizations_organization_add"), fields).status_code == 302
    west = Organization.objects.get(name="West")
    member = {"organization": west.pk, "user": first.pk, "role": "owner"}
    assert client.post(reverse("admin:organizations_member_add"), member).status_code == 302
    page = signed_in(first).get(reverse("admin:index")).content.decode()
    assert "No account with a telephone provider yet" in page
    assert reverse("admin:hotlines_account_add") in page


def test_pages_show_times_by_the_organizations_clock(world: World) -> None:
    Organization.objects.filter(pk=world.north.organization.pk).update(time_zone="Pacific/Kiritimati")
    page = signed_in(world.north.owner).get(reverse("admin:index")).content.decode()
    assert f'data-admin-utc-offset="{14 * 3600}"' in page
    assert timezone.get_current_timezone_name() == "UTC"
