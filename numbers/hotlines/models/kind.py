"""Kinds that an organization made itself, of a number that does well."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from hotlines import kinds
from hotlines.policy import MAX_REPLY_LIMIT
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet


class OwnKind(models.Model):
    """What a new number begins with: the limits and texts of the number it was made of, as they were then.

    Numbers name their kind by `name`, so that one outlives its kind.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="kinds", verbose_name=_("organization"))
    name = models.CharField(_("name"), max_length=40)
    reply_limit = models.PositiveSmallIntegerField(
        _("reply limit"), validators=[MinValueValidator(1), MaxValueValidator(MAX_REPLY_LIMIT)]
    )
    window_hours = models.PositiveIntegerField(_("window, in hours"))
    block_hours = models.PositiveIntegerField(_("block time, in hours"))
    delay_seconds = models.PositiveIntegerField(_("safety delay, in seconds"))
    jitter_seconds = models.PositiveIntegerField(_("random part of the delay, in seconds"))
    #: Lists of purpose, step, language and text; `replies` writes and reads them.
    texts = models.JSONField(_("texts"), default=list)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("kind of number")
        verbose_name_plural = _("kinds of number")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "name"], name="kind_once_per_organization"),
            models.CheckConstraint(
                condition=models.Q(reply_limit__gte=1, reply_limit__lte=MAX_REPLY_LIMIT), name="kind_reply_limit"
            ),
            models.CheckConstraint(condition=~models.Q(name=""), name="kind_has_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.name in kinds.LABELS:
            raise ValidationError({"name": _("There is a kind of this name already.")})
