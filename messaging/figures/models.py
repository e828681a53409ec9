"""What was told in public of each number's weeks. Such a row is written once and never changed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hotlines.models import Hotline


class WeekFigures(models.Model):
    """One week of one number, Monday to Sunday in its organization's time; numbers are those of `anonymous`."""

    hotline = models.ForeignKey(Hotline, models.CASCADE, related_name="weeks", verbose_name=_("hotline"))
    monday = models.DateField(_("week from"))
    #: Null is not told: too few senders, or one of them wrote most.
    senders = models.PositiveIntegerField(_("senders"), null=True)
    messages = models.PositiveIntegerField(_("messages"), null=True)
    languages = models.JSONField(_("languages"), default=dict)
    published_at = models.DateTimeField(_("published"))

    class Meta:
        ordering: ClassVar = ["-monday"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hotline", "monday"], name="week_told_once"),
            models.CheckConstraint(
                condition=Q(senders__isnull=True, messages__isnull=True) | Q(senders__gte=10),
                name="week_of_enough_senders",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.hotline_id}: {self.monday}"
