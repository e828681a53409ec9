"""What the provider gave up on, on its hotline's page. The rows are counted by `inbox.reconcile`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from hotlines import extension
from hotlines.models import Hotline

from .models import Message
from .words import Disposition

_DAYS = 30


def missed_of(_request: HttpRequest, hotline: Hotline) -> Mapping[str, Any] | None:
    """How many messages of the last 30 days were lost at the provider, and when the last one was; None if none was."""
    since = timezone.now() - datetime.timedelta(days=_DAYS)
    rows = Message.objects.filter(hotline=hotline, disposition=Disposition.MISSED, received_at__gte=since)
    last = rows.order_by("-received_at").first()
    return {"count": rows.count(), "days": _DAYS, "last_at": last.received_at} if last is not None else None


PANEL = extension.Panel("conversations/missed_panel.html", missed_of)
