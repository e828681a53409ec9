"""Who changed what in an organization, for its owners to read.

Every page of the admin writes Django's own log; here each entry finds its organization in the same moment, because
afterwards the row it is about may be gone. Texts and numbers of senders never stand in it.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import LogEntry
from django.core.exceptions import ObjectDoesNotExist
from django.db.models.signals import post_save

from .models import Organization, Trail


def organization_of(row: Any) -> int | None:
    """The organization that a row belongs to, itself or through what it belongs to."""
    if isinstance(row, Organization):
        return row.pk
    own = getattr(row, "organization_id", None)
    return own if isinstance(own, int) else None


def _found(entry: LogEntry) -> int | None:
    try:
        row = entry.get_edited_object()
    except (ObjectDoesNotExist, AttributeError, ValueError):
        return None
    return organization_of(row)


def follow(instance: LogEntry, created: bool, raw: bool = False, **_signal: object) -> None:  # noqa: FBT001, FBT002  a signal's
    """Put an entry of the admin's log on its organization's trail."""
    if raw or not created:
        return
    organization = _found(instance)
    if organization is not None:
        Trail.objects.create(entry=instance, organization_id=organization, at=instance.action_time)


post_save.connect(follow, sender=LogEntry, dispatch_uid="organizations.trail.follow")
