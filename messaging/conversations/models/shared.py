"""What fields of several tables have in common."""

from __future__ import annotations

from typing import Any

from django.db import models

from conversations.words import Channel

#: For organization, hotline and account: see the package's first lines.
SHARED: Any = {"on_delete": models.PROTECT, "db_constraint": False, "db_index": False}


def channel(name: Any) -> models.CharField[Any, Any]:
    """How somebody reached a hotline, or was answered."""
    return models.CharField(name, max_length=4, choices=Channel, default=Channel.SMS, db_default=Channel.SMS)
