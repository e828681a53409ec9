"""The record of numbers that were shown. It can only grow: triggers of the database refuse everything else."""

from __future__ import annotations

import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet

#: An access log is kept for twelve months (SECURITY.md 4.3); before that the database deletes no row of it.
KEPT = datetime.timedelta(days=366)


class Reveal(models.Model):
    """One sender's number, shown to one person. Neither has a foreign key: the record outlives both."""

    class Reason(models.TextChoices):
        COMPLAINT = "complaint", _("a complaint to the police")
        COURT = "court", _("a request of a court or of the police")
        DANGER = "danger", _("somebody is in danger now")
        DISPUTE = "dispute", _("a sender who writes to us about it")
        TECHNICAL = "technical", _("a technical fault of this number")

    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="+", verbose_name=_("organization"), db_index=False
    )
    conversation_id = models.BigIntegerField(editable=False)
    #: How the conversation is called in lists.
    pseudonym = models.CharField(_("conversation"), max_length=40)
    user_id = models.BigIntegerField(editable=False)
    user_name = models.CharField(_("shown to"), max_length=150)
    reason = models.CharField(_("reason"), max_length=10, choices=Reason)
    note = models.CharField(_("in words"), max_length=200)
    at = models.DateTimeField(_("shown"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("shown number")
        verbose_name_plural = _("shown numbers")
        ordering: ClassVar = ["-at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(reason__in=["complaint", "court", "danger", "dispute", "technical"]),
                name="reveal_reason_known",
            ),
            models.CheckConstraint(condition=~Q(note="") & ~Q(user_name=""), name="reveal_says_who_and_why"),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "at"], name="reveal_latest")]

    def __str__(self) -> str:
        return f"{self.pseudonym}, {self.user_name}"
