from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from hotlines.models import Account

#: Percent below which a phone soon ends.
LOW_BATTERY = 20


class LogReading(models.Model):
    """How far we have read an account's log at its provider, and what that log has proved so far."""

    account = models.OneToOneField(Account, models.CASCADE, related_name="log_reading", verbose_name=_("account"))
    #: Whose log it is: other credentials name another log, of which nothing is known yet.
    identity = models.BinaryField(max_length=16)
    #: The earliest event known to us that this log has shown. What it lacks from before proves nothing.
    covers_from = models.DateTimeField(null=True)
    #: All inbound messages until then are ours, or counted as missed.
    inbound_until = models.DateTimeField()
    #: The listing that is being read now ends there, and goes on at `inbound_cursor`.
    inbound_window_until = models.DateTimeField(null=True)
    inbound_cursor = models.CharField(max_length=120, blank=True)
    #: Requests without a whole minute between them, and the last of them: all processes share the provider's limit.
    requests = models.PositiveIntegerField(default=0)
    requested_at = models.DateTimeField(null=True)
    #: The provider asked to be left alone until then.
    resume_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("reading of a provider's log")
        verbose_name_plural = _("readings of providers' logs")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(inbound_cursor="") | models.Q(inbound_window_until__isnull=False),
                name="reading_cursor_has_window",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class GatewayLife(models.Model):
    """What a gateway last said of itself, by whatever of it speaks: a phone that pings, a script that does."""

    account = models.OneToOneField(Account, models.CASCADE, related_name="gateway_life", verbose_name=_("account"))
    seen_at = models.DateTimeField(_("last sign of life"))
    #: In percent, where it says so.
    battery = models.PositiveSmallIntegerField(_("battery"), null=True)
    #: Messages that failed there in the hour before, where it says so.
    failed = models.PositiveIntegerField(_("failed messages"), null=True)
    #: When its people were told that it is silent, or that its battery is low; null while there is nothing to tell.
    told_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("sign of life of a gateway")
        verbose_name_plural = _("signs of life of gateways")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(battery__isnull=True) | models.Q(battery__lte=100), name="gateway_battery_in_percent"
            ),
        ]

    def __str__(self) -> str:
        return str(self.account_id)

    @property
    def battery_is_low(self) -> bool:
        return self.battery is not None and self.battery < LOW_BATTERY
