"""An export of evidence: asked for by one person, approved by another, taken by the first."""

from __future__ import annotations

import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from conversations.models import Conversation
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet
from shield.models import LevelChange

#: How long an approved export can be taken.
TAKEN_WITHIN = datetime.timedelta(days=1)


class Export(models.Model):
    """The evidence of one conversation or of one raid, for a complaint."""

    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="+", verbose_name=_("organization"), db_index=False
    )
    #: Null once nothing is left of it; its name stays.
    conversation = models.ForeignKey(
        Conversation, models.SET_NULL, null=True, related_name="exports", verbose_name=_("conversation")
    )
    #: The raid that began with this change of level; null for a conversation.
    raid = models.ForeignKey(LevelChange, models.SET_NULL, null=True, related_name="+", verbose_name=_("raid"))
    name = models.CharField(_("what it is about"), max_length=100)
    reason = models.CharField(_("reason"), max_length=200)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked by"))
    asked_at = models.DateTimeField(_("asked"))
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("approved by")
    )
    approved_at = models.DateTimeField(_("approved"), null=True)
    taken_at = models.DateTimeField(_("taken"), null=True)
    #: SHA-256 of the file that was taken, so that it can be told later which one it was.
    digest = models.CharField(_("SHA-256 of the file"), max_length=64, blank=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("evidence export")
        verbose_name_plural = _("evidence exports")
        ordering: ClassVar = ["-asked_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(reason=""), name="export_has_reason"),
            models.CheckConstraint(
                condition=Q(conversation__isnull=True) | Q(raid__isnull=True), name="export_of_one_thing"
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True, approved_at__isnull=True)
                | (Q(approved_at__isnull=False) & ~Q(approved_by=F("asked_by"))),
                name="export_four_eyes",
            ),
            models.CheckConstraint(
                condition=Q(taken_at__isnull=True, digest="") | (Q(approved_at__isnull=False) & ~Q(digest="")),
                name="export_taken_when_approved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asked_at:%Y-%m-%d}-{self.pk}"
