from __future__ import annotations

from typing import ClassVar

from django.db import models

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


class SweepTurn(Place):
    """When a sweep that runs once over all hosts may run next."""

    name = models.CharField(max_length=60, unique=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.free_at}"


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
