"""Exports that a system of the organization asked for."""

from __future__ import annotations

import datetime
import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hotlines.models import Hotline
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet

from .keys import ApiKey

#: How long a finished file can be fetched.
LIFE = datetime.timedelta(days=1)


class ExportJob(models.Model):
    """Which conversations of a number were there in a span of time. The row is the work list.

    It holds their ids alone: what the file tells of them is read while it is fetched, so that nothing of a sender lies
    here, and who was erased meanwhile is not in it.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        EXPIRED = "expired", _("expired")

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", verbose_name=_("organization"))
    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="exports", verbose_name=_("key"))
    hotline = models.ForeignKey(Hotline, models.CASCADE, related_name="+", verbose_name=_("hotline"))
    since = models.DateTimeField()
    until = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    rows = models.PositiveIntegerField(null=True)
    #: Ids of eight bytes each, compressed; gone once it has expired.
    content = models.BinaryField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("export by a key")
        verbose_name_plural = _("exports by keys")
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "done", "failed", "expired"]), name="export_job_state_known"
            ),
            models.CheckConstraint(condition=Q(since__lt=models.F("until")), name="export_job_span"),
            models.CheckConstraint(
                condition=Q(state="waiting", finished_at__isnull=True) | ~Q(state="waiting"),
                name="export_job_waits_unfinished",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["created_at"], condition=Q(state="waiting"), name="export_job_waiting"),
        ]

    def __str__(self) -> str:
        return str(self.uuid)

    @property
    def expires_at(self) -> datetime.datetime | None:
        return self.finished_at + LIFE if self.finished_at else None
