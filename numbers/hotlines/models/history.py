"""What is remembered of a hotline beside what it is: its best signatures, and who changed its state."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet

from .hotline import Hotline


class EndpointPin(models.Model):
    """The best signature scheme a hotline's endpoint has seen; a weaker one is refused from then on (W5)."""

    class Endpoint(models.TextChoices):
        MESSAGE = "message", _("messages")
        REPORT = "report", _("delivery reports")
        CALL = "call", _("calls")

    hotline = models.ForeignKey(Hotline, models.CASCADE, related_name="pins", verbose_name=_("hotline"))
    endpoint = models.CharField(_("endpoint"), max_length=8, choices=Endpoint)
    scheme = models.CharField(_("signature"), max_length=20)
    since = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("signature pin")
        verbose_name_plural = _("signature pins")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hotline", "endpoint"], name="pin_once_per_endpoint"),
            models.CheckConstraint(
                condition=models.Q(endpoint__in=["message", "report", "call"]), name="pin_endpoint_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_endpoint_display()}: {self.scheme}"


class StateChange(models.Model):
    """A person put a hotline into another state. Nothing changes or deletes it."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", verbose_name=_("organization"))
    hotline = models.ForeignKey(Hotline, models.CASCADE, related_name="state_changes", verbose_name=_("hotline"))
    at = models.DateTimeField(_("when"), default=timezone.now)
    before = models.CharField(_("state before"), max_length=10, choices=Hotline.State)
    after = models.CharField(_("state"), max_length=10, choices=Hotline.State)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    successor = models.ForeignKey(Hotline, models.SET_NULL, null=True, related_name="+", verbose_name=_("successor"))
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("author")
    )

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("change of state")
        verbose_name_plural = _("changes of state")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(before__in=Hotline.State.values, after__in=Hotline.State.values),
                name="state_change_known",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["hotline", "-at"], name="state_change_latest")]

    def __str__(self) -> str:
        return f"{self.get_before_display()} → {self.get_after_display()}"
