from __future__ import annotations

import decimal
import json
import uuid
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from organizations import money
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet
from privacy import vault
from privacy.datakeys import FOREVER, Purpose


class Account(models.Model):
    """An organization's credentials with one provider, and what that provider asks for.

    Prices are in the platform's currency; the limits in messages and recipients are those of a flat tariff, of which
    operators say that it is unlimited and in whose terms they stand.
    """

    class Tariff(models.TextChoices):
        SEGMENT = "segment", _("a price for each segment")
        FLAT = "flat", _("a fixed fee")

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="accounts", verbose_name=_("organization")
    )
    #: A name from `providers.registry`; that app is above this one, so its form and its check know the choices.
    provider = models.CharField(_("provider"), max_length=20)
    label = models.CharField(_("label"), max_length=120)
    credentials_sealed = models.BinaryField(editable=False, default=b"")
    tariff = models.CharField(
        _("tariff"),
        max_length=8,
        choices=Tariff,
        default=Tariff.SEGMENT,
        help_text=_("What the provider asks for: a price for each segment, or a fixed fee, as for a SIM card."),
    )
    price_out = money.price(
        _("price of a segment sent"),
        _("The dearest that you pay, taxes and surcharges included; each reply books it before it is sent."),
    )
    price_in = money.price(
        _("price of a segment received"),
        _("Also paid for senders that are blocked."),
    )
    price_call = money.price(
        _("price of a minute of a call"),
        _("Booked before a caller hears anything. A call that is rejected costs nothing."),
    )
    billing_rate = models.DecimalField(
        _("rate of the provider's currency"),
        max_digits=12,
        decimal_places=6,
        default=decimal.Decimal(1),
        validators=[MinValueValidator(decimal.Decimal("0.000001"))],
        help_text=_("What one unit of the currency in which the provider bills costs you; 1 where it is your own."),
    )
    messages_per_hour = models.PositiveIntegerField(_("messages per hour"), null=True, blank=True)
    messages_per_day = models.PositiveIntegerField(_("messages per day"), null=True, blank=True)
    messages_per_month = models.PositiveIntegerField(_("messages per month"), null=True, blank=True)
    recipients_per_hour = models.PositiveIntegerField(_("recipients per hour"), null=True, blank=True)
    recipients_per_day = models.PositiveIntegerField(_("recipients per day"), null=True, blank=True)
    recipients_per_month = models.PositiveIntegerField(_("recipients per month"), null=True, blank=True)
    sending_paused_at = models.DateTimeField(_("sending paused since"), null=True, blank=True, editable=False)
    sending_paused_reason = models.CharField(_("reason"), max_length=200, blank=True, editable=False)
    #: The provider asked us to slow down until then (429).
    resume_sending_at = models.DateTimeField(null=True, editable=False)
    # The circuit breaker, which `outbox.breaker` alone writes, by the database's clock.
    #: Calls in a row that the provider did not answer, or answered with a fault of its own, and when they began.
    unanswered = models.PositiveIntegerField(default=0, editable=False)
    unanswered_since = models.DateTimeField(null=True, editable=False)
    #: Set while the breaker is open: before then nothing is sent, then one reply, which is the attempt.
    next_attempt_at = models.DateTimeField(null=True, editable=False)
    #: Seconds that it waits between two attempts.
    attempt_wait = models.PositiveIntegerField(default=0, editable=False)
    #: The claim of the reply that is the attempt under way.
    attempt = models.UUIDField(null=True, editable=False)
    unanswered_told_at = models.DateTimeField(null=True, editable=False)
    #: When somebody last had the connection tested, and whether nothing was wrong; empty since the credentials changed.
    examined_at = models.DateTimeField(null=True, editable=False)
    examined_right = models.BooleanField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering: ClassVar = ["organization", "label"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "label"], name="account_label_once"),
            models.CheckConstraint(
                condition=models.Q(sending_paused_at__isnull=True, sending_paused_reason="")
                | (models.Q(sending_paused_at__isnull=False) & ~models.Q(sending_paused_reason="")),
                name="account_pause_has_reason",
            ),
            models.CheckConstraint(condition=models.Q(tariff__in=["segment", "flat"]), name="account_tariff_known"),
            models.CheckConstraint(
                condition=money.not_negative("price_out", "price_in", "price_call") & models.Q(billing_rate__gt=0),
                name="account_prices_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(next_attempt_at__isnull=True, attempt__isnull=True)
                | models.Q(next_attempt_at__isnull=False, unanswered_since__isnull=False, attempt_wait__gte=1),
                name="account_breaker_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def _place(self) -> vault.Place:
        return vault.Place("hotlines_account", self.uuid, "credentials_sealed", self.organization_id)

    @property
    def credentials(self) -> dict[str, str]:
        """What the provider's file needs to verify and send. Raises `vault.Unreadable` when the key is gone."""
        if not self.credentials_sealed:
            return {}
        return dict(json.loads(vault.unseal(self.credentials_sealed, self._place)))

    @credentials.setter
    def credentials(self, values: dict[str, str]) -> None:
        self.credentials_sealed = vault.seal(json.dumps(values), self._place, Purpose.CREDENTIALS, FOREVER)
