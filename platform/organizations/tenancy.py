"""Tenancy, in one place: which rows a user may see and which she may change.

Every tenant's row carries `organization`. The admin mixin `organizations.scoped_admin.ScopedAdmin` and, later, the
partner API ask here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.apps import apps
from django.db import models

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


VIEW = ("owner", "editor", "viewer")
EDIT = ("owner", "editor")
OWN = ("owner",)

Row = TypeVar("Row", bound=models.Model, covariant=True)


def is_operator(user: AbstractBaseUser | AnonymousUser) -> bool:
    """A superuser runs the platform; she sees every organization's rows, masked like everybody (SECURITY.md 4.5)."""
    return bool(user.is_active and getattr(user, "is_superuser", False))


@dataclass(frozen=True)
class Access:
    """What a user may do, read once: her role by organization's id. An operator has every role everywhere."""

    operator: bool = False
    roles: Mapping[int, str] = field(default_factory=dict)
    #: Organizations in which she may see a number; no role gives that (`evidence.revealing`).
    revealing: frozenset[int] = frozenset()

    def may(self, organization_id: int | None, roles: Collection[str]) -> bool:
        return organization_id is not None and (self.operator or self.roles.get(organization_id) in roles)

    def anywhere(self, roles: Collection[str]) -> bool:
        return self.operator or any(role in roles for role in self.roles.values())

    def organizations(self, roles: Collection[str]) -> list[int]:
        """Ids of the organizations in which she is a member with one of `roles`; an operator's memberships alone."""
        return [organization for organization, role in self.roles.items() if role in roles]


def access_of(user: Any) -> Access:
    """One query. Whoever is not active has none."""
    if not (user.pk and user.is_active):
        return Access()
    memberships = apps.get_model("organizations", "Member").objects.filter(user_id=user.pk)
    rows = list(memberships.values_list("organization_id", "role", "may_reveal"))
    revealing = frozenset(organization for organization, _role, may_reveal in rows if may_reveal)
    return Access(is_operator(user), {organization: role for organization, role, _may_reveal in rows}, revealing)


class OrganizationQuerySet(models.QuerySet[Any]):
    def for_user(self, user: Any, roles: Collection[str] = VIEW) -> Self:
        if is_operator(user):
            return self
        if not (user.pk and user.is_active):
            return self.none()
        return self.filter(memberships__user_id=user.pk, memberships__role__in=roles)


class ScopedQuerySet(models.QuerySet[Row]):
    """Rows with an `organization`."""

    def for_user(self, user: Any, roles: Collection[str] = VIEW) -> Self:
        if is_operator(user):
            return self
        if not (user.pk and user.is_active):
            return self.none()
        return self.filter(organization__memberships__user_id=user.pk, organization__memberships__role__in=roles)
