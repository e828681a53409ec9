"""What fields of several tables have in common."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from conversations.words import Channel

#: For organization, hotline and account: see the package's first lines.
SHARED: Any = {"on_delete": models.PROTECT, "db_constraint": False, "db_index": False}

#: Ids are given before their transaction commits: who has seen one must expect others, so far below it, to appear.
LATE_ROWS = 10_000


def channel(name: Any) -> models.CharField[Any, Any]:
    """How somebody reached a hotline, or was answered."""
    return models.CharField(name, max_length=4, choices=Channel, default=Channel.SMS, db_default=Channel.SMS)


class Liftable(models.Model):
    """What a person began, for a reason, and another ends; past ones stay as record."""

    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("author")
    )
    since = models.DateTimeField(_("since"))
    lifted_at = models.DateTimeField(_("lifted"), null=True, editable=False)
    #: Null where its time was over.
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("lifted by")
    )
    lifted_reason = models.CharField(_("reason of lifting"), max_length=200, blank=True, editable=False)

    class Meta:
        abstract = True
