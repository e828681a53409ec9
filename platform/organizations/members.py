"""Who belongs to an organization: inviting, accepting, changing roles, leaving.

Whoever invites learns nothing about the platform's users: an invitation is written for a name, and only the person
who signs in under that name sees it and may accept it.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from django.db import transaction
from django.utils import timezone

from .models import Invitation, Member, Organization


class LastOwner(Exception):
    """An organization must keep one owner who can sign in; otherwise nobody could ever change it again."""


def folded(name: str) -> str:
    """A user name or e-mail address as invitations compare it."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def invite(organization: Organization, name: str, role: str, author: Any) -> Invitation:
    """Offer `role` to whoever signs in as `name`. A second offer to the same name replaces the first."""
    invitation, _created = Invitation.objects.update_or_create(
        organization=organization,
        name=folded(name),
        defaults={"role": role, "invited_by": author, "created_at": timezone.now()},
    )
    return invitation


def offered_to(user: Any) -> list[Invitation]:
    """The invitations that `user` may answer: to her name or address, not older than `Invitation.LASTS`."""
    names = {folded(name) for name in (user.get_username(), user.email) if name}
    return list(
        Invitation.objects.select_related("organization").filter(
            name__in=names, created_at__gt=timezone.now() - Invitation.LASTS
        )
    )


def accept(invitation: Invitation, user: Any) -> Member:
    """Make `user` a member. Whoever already is one keeps her role: an invitation never takes anything away."""
    with transaction.atomic():
        member, _created = Member.objects.get_or_create(
            organization=invitation.organization, user=user, defaults={"role": invitation.role}
        )
        invitation.delete()
    return member


def is_last_owner(member: Member) -> bool:
    """Whether nobody else could change the organization if this member could not."""
    owners = Member.objects.filter(organization=member.organization_id, role=Member.Role.OWNER, user__is_active=True)
    return owners.filter(pk=member.pk).exists() and not owners.exclude(pk=member.pk).exists()


def check_role(member: Member, role: str) -> None:
    """Raises `LastOwner` when `role` would leave nobody to own the organization."""
    if role != Member.Role.OWNER and is_last_owner(member):
        raise LastOwner


def change(member: Member, role: str, *, may_reveal: bool) -> None:
    """Another role, and whether she may see numbers. Raises as `change_role` does, and then changes nothing."""
    with transaction.atomic():
        change_role(member, role)
        Member.objects.filter(pk=member.pk).update(may_reveal=may_reveal)


def change_role(member: Member, role: str) -> None:
    """Raises `LastOwner`, also when another owner leaves at the same moment."""
    with transaction.atomic():
        _lock(member)
        check_role(member, role)
        Member.objects.filter(pk=member.pk).update(role=role)
    member.role = role


def remove(member: Member) -> None:
    """Raises `LastOwner`, also when another owner leaves at the same moment."""
    with transaction.atomic():
        _lock(member)
        if is_last_owner(member):
            raise LastOwner
        Member.objects.filter(pk=member.pk).delete()


def _lock(member: Member) -> None:
    """The organization's row is the lock: two owners who demote each other at once must not both succeed."""
    Organization.objects.select_for_update().get(pk=member.organization_id)
