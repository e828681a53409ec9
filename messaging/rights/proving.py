"""From a texted code, or from a number in a letter, to the conversations that are that person's."""

from __future__ import annotations

import datetime

from django.utils import timezone

from conversations.models import Conversation
from inbox.hooks import Hook
from privacy import pseudonyms

from . import codes
from .models import PAGE_LIFE, DataRequest

#: Requests of one number in a day.
MOST_A_DAY = 3
_DAY = datetime.timedelta(days=1)


def conversations_of(organization_id: int, sender: str, now: datetime.datetime) -> list[int]:
    """The ids of all conversations of a canonical sender with an organization, on whichever of its numbers."""
    keys = pseudonyms.keys_of(organization_id, sender, now)
    rows = Conversation.objects.filter(organization_id=organization_id, sender_key__in=keys)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def prove(hook: Hook, text: str, sender: str, _received_at: datetime.datetime) -> bool:
    """Mark the request whose code `text` is; whether there is an open one of this organization.

    What waited on disk counts from when it came to the database: the page is open for an hour, whatever was late.
    """
    code, now = codes.bare(text), timezone.now()
    if code is None:
        return False
    asked = (
        DataRequest.objects.select_for_update()
        .filter(organization_id=hook.organization_id, code_digest=codes.digest(code), created_at__gt=now - PAGE_LIFE)
        .first()
    )
    if asked is None:
        return False
    key = pseudonyms.current(hook.organization_id, sender, now).key
    today = DataRequest.objects.filter(
        organization_id=hook.organization_id, sender_key=key, proven_at__gt=now - _DAY
    ).count()
    if asked.proven_at is None and today < MOST_A_DAY:
        asked.proven_at, asked.sender_key = now, key
        asked.conversations = conversations_of(hook.organization_id, sender, now)
        asked.save(update_fields=["proven_at", "sender_key", "conversations"])
    return True
