"""What is kept although its time is over, because somebody may need it before a court; and where nothing is left."""

from __future__ import annotations

import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet

from .conversation import Conversation
from .shared import Liftable

#: Offences lapse after six years (code de procédure pénale, art. 8): no hold lasts longer.
LONGEST = datetime.timedelta(days=6 * 365)
#: After so long somebody must say whether it is still needed.
REVIEWED_AFTER = datetime.timedelta(days=365)


class Hold(Liftable):
    """A conversation that is kept as evidence: while it stands, nothing of it is erased. Past ones stay as record."""

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="holds", verbose_name=_("organization"))
    conversation = models.ForeignKey(Conversation, models.PROTECT, related_name="holds", verbose_name=_("conversation"))
    reason = models.CharField(_("reason"), max_length=200)
    review_at = models.DateTimeField(_("to be reviewed"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("evidence hold")
        verbose_name_plural = _("evidence holds")
        ordering: ClassVar = ["-since"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["conversation"], condition=Q(lifted_at__isnull=True), name="hold_one_standing"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="hold_has_reason"),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_reason="")
                | (Q(lifted_at__gte=F("since")) & ~Q(lifted_reason="")),
                name="hold_lifted_with_reason",
            ),
            models.CheckConstraint(condition=Q(review_at__gt=F("since")), name="hold_reviewed_later"),
        ]

    def __str__(self) -> str:
        return self.reason


class FirstKept(models.Model):
    """Where the next search for what is over begins: before this row of a table no text is left but held ones."""

    table = models.CharField(max_length=40, primary_key=True)
    row = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.table} {self.row}"
