"""Tenancy, in one place: which rows a user may see and which she may change.

Every tenant's row carries `organization`. The admin mixin `organizations.scoped_admin.ScopedAdmin` and, later, the
partner API ask here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Self, TypeVar

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


class OrganizationQuerySet(models.QuerySet[Any]):
    def for_user(self, user: Any, roles: Collection[str] = VIEW) -> Self:
        if is_operator(user):
            return self
        return self.filter(memberships__user_id=user.pk, memberships__role__in=roles) if user.pk else self.none()


class ScopedQuerySet(models.QuerySet[Row]):
    """Rows with an `organization`."""

    def for_user(self, user: Any, roles: Collection[str] = VIEW) -> Self:
        if is_operator(user):
            return self
        if not user.pk:
            return self.none()
        return self.filter(organization__memberships__user_id=user.pk, organization__memberships__role__in=roles)
