from __future__ import annotations

import uuid
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from figures.models import WeekFigures
from hotlines.models import StateChange
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet
from privacy import vault
from privacy.datakeys import FOREVER, Purpose
from providers import addresses
from shield.models import Alert


class Endpoint(models.Model):
    """An address to which signed events go: of the organization's own systems, or of a partner."""

    class Audience(models.TextChoices):
        OWN = "own", _("our own system: everything")
        PARTNER = "partner", _("a partner: which number to show, and figures of whole weeks")

    class Signature(models.TextChoices):
        HMAC = "hmac", _("one shared key (HMAC-SHA256, v1)")
        ED25519 = "ed25519", _("two keys (Ed25519, v1a)")

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="endpoints", verbose_name=_("organization")
    )
    label = models.CharField(_("name"), max_length=80)
    url = models.CharField(_("address"), max_length=500, help_text=_("Begins with https://."))
    audience = models.CharField(_("who reads it"), max_length=8, choices=Audience, default=Audience.OWN)
    signature = models.CharField(
        _("signed by"),
        max_length=8,
        choices=Signature,
        default=Signature.HMAC,
        db_default=Signature.HMAC,
        help_text=_("With two keys, who receives can check and not sign: better where many share what they receive."),
    )
    secret_sealed = models.BinaryField(editable=False, default=b"")
    #: Set where nothing is sent any more: a person's pause, or the endpoint said that it is gone (410).
    paused_at = models.DateTimeField(_("paused since"), null=True, editable=False)
    paused_reason = models.CharField(_("reason"), max_length=60, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    #: The end of the last pause: what happened before is not told.
    resumed_at = models.DateTimeField(null=True, editable=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering: ClassVar = ["organization", "label"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "label"], name="endpoint_label_once"),
            models.CheckConstraint(condition=Q(audience__in=["own", "partner"]), name="endpoint_audience_known"),
            models.CheckConstraint(condition=Q(signature__in=["hmac", "ed25519"]), name="endpoint_signature_known"),
            models.CheckConstraint(
                condition=Q(paused_at__isnull=True, paused_reason="")
                | (Q(paused_at__isnull=False) & ~Q(paused_reason="")),
                name="endpoint_pause_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    def clean(self) -> None:
        try:
            addresses.check(self.url)
        except addresses.Refused as error:
            raise ValidationError({"url": str(error)}) from error

    @property
    def _place(self) -> vault.Place:
        return vault.Place("partners_endpoint", self.uuid, "secret_sealed", self.organization_id)

    @property
    def secret(self) -> str:
        """The key that its events are signed with. Raises `vault.Unreadable`."""
        return vault.unseal(self.secret_sealed, self._place)

    @secret.setter
    def secret(self, value: str) -> None:
        self.secret_sealed = vault.seal(value, self._place, Purpose.CREDENTIALS, FOREVER)


class Event(models.Model):
    """Something that endpoints are told: written once, delivered to each of them until it says that it has it."""

    class Kind(models.TextChoices):
        ALERTS = "alerts", _("alerts")
        STATE = "hotline.state_changed", _("a number's state changed")
        WEEK = "statistics.week", _("figures of a week")
        BLOCKS = "blocks", _("new blocks")
        FAILURES = "deliveries.failed", _("replies that did not arrive")
        TEST = "test", _("test")

    #: What partners are told too.
    PUBLIC: ClassVar = (Kind.STATE, Kind.WEEK)

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", verbose_name=_("organization"))
    kind = models.CharField(_("kind"), max_length=24, choices=Kind)
    at = models.DateTimeField(_("when"))
    data = models.JSONField(default=dict)
    state_change = models.OneToOneField(StateChange, models.CASCADE, null=True, related_name="event")
    week = models.OneToOneField(WeekFigures, models.CASCADE, null=True, related_name="event")

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind="hotline.state_changed", state_change__isnull=False, week__isnull=True)
                | Q(kind="statistics.week", state_change__isnull=True, week__isnull=False)
                | Q(
                    kind__in=["alerts", "test", "blocks", "deliveries.failed"],
                    state_change__isnull=True,
                    week__isnull=True,
                ),
                name="event_is_about_something",
            ),
            models.UniqueConstraint(
                fields=["organization", "kind", "at"],
                condition=Q(kind__in=["blocks", "deliveries.failed"]),
                name="event_span_once",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "-at"], name="event_latest")]

    def __str__(self) -> str:
        return str(self.get_kind_display())

    @property
    def message_id(self) -> str:
        """By which a receiver knows one that comes twice."""
        return f"msg_{self.uuid.hex}"


class ToldAlert(models.Model):
    """An alert that an event tells of: each alert is in one event at most."""

    alert = models.OneToOneField(Alert, models.CASCADE, primary_key=True, related_name="+")
    event = models.ForeignKey(Event, models.CASCADE, related_name="told")

    class Meta:
        verbose_name = _("alert of an event")
        verbose_name_plural = _("alerts of events")

    def __str__(self) -> str:
        return str(self.alert_id)


class Delivery(models.Model):
    """An event on its way to one endpoint. The row is the work list."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", verbose_name=_("organization"))
    event = models.ForeignKey(Event, models.CASCADE, related_name="deliveries", verbose_name=_("event"))
    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deliveries", verbose_name=_("webhook"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    #: Null where nothing is left to do.
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    #: The last answer's status, or the kind of failure; nothing that the endpoint wrote.
    detail = models.CharField(_("last answer"), max_length=60, blank=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["endpoint", "event"], name="delivery_once_per_endpoint"),
            models.CheckConstraint(
                condition=Q(delivered_at__isnull=True) | Q(next_attempt_at__isnull=True),
                name="delivery_ends_when_delivered",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_attempt_at"], condition=Q(next_attempt_at__isnull=False), name="delivery_due"),
        ]

    def __str__(self) -> str:
        return f"{self.event} → {self.endpoint}"
