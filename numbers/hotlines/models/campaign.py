"""Several numbers that are given away in turn."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet


class Campaign(models.Model):
    """Numbers of one organization among which `hotlines.rotation` chooses the one to give away today."""

    class Turn(models.TextChoices):
        NEVER = "never", _("one number, as long as it is well")
        DAY = "day", _("another one every day")
        WEEK = "week", _("another one every week")

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="campaigns", verbose_name=_("organization")
    )
    name = models.CharField(_("name"), max_length=80)
    turn = models.CharField(
        _("the number given away"),
        max_length=5,
        choices=Turn,
        default=Turn.WEEK,
        help_text=_("A number that is in turn is known to fewer people, and a raid on it costs the others nothing."),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "name"], name="campaign_once_per_organization"),
            models.CheckConstraint(condition=models.Q(turn__in=["never", "day", "week"]), name="campaign_turn_known"),
        ]

    def __str__(self) -> str:
        return self.name
