from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from hotlines.models import Hotline
from organizations.models import Organization


class Place(models.Model):
    """A row whose next place is free from `free_at` on, by the database's clock. `pace.take` alone writes it."""

    free_at = models.DateTimeField()

    class Meta:
        abstract = True


class NumberPace(Place):
    """When a hotline may send its next message. A row of its own, so that no page's save and no webhook meets it."""

    hotline = models.OneToOneField(Hotline, models.CASCADE, primary_key=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.hotline_id}: {self.free_at}"


class ReplyAllowance(Place):
    """When a hotline may release the next of its replies of an hour."""

    hotline = models.OneToOneField(Hotline, models.CASCADE, primary_key=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.hotline_id}: {self.free_at}"


class SweepTurn(Place):
    """When a sweep that runs once over all hosts may run next."""

    name = models.CharField(max_length=60, unique=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.free_at}"


class UsedDatabase(models.Model):
    """One row: the database that replies are sent from. `outbox.restored` alone writes it."""

    class Reason(models.TextChoices):
        IDENTITY = "identity", _("it is another one than was used last")
        FORGOTTEN = "forgotten", _("it has forgotten what was sent")

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    #: What tells this database from a copy of it, when it was accepted.
    identity = models.CharField(max_length=100)
    accepted_at = models.DateTimeField()
    #: Nothing is sent, on any host, until a person has said what was sent since (`manage.py restored`).
    stopped_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=12, choices=Reason, blank=True)
    told_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="used_database_is_one"),
            models.CheckConstraint(
                condition=models.Q(stopped_at__isnull=True, reason="")
                | models.Q(stopped_at__isnull=False, reason__in=["identity", "forgotten"]),
                name="used_database_stop_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.identity


class Summary(models.Model):
    """One organization's summary of one morning: whoever inserts the row sends the mail."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    day = models.DateField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "day"], name="summary_once_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id}: {self.day}"
