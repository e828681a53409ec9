from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class DataKey(models.Model):
    """A random key of one organization for one purpose and period, wrapped by a master key.

    Destroying a master key makes what its data keys protect unreadable in every backup too (SECURITY.md 4.2).
    """

    class Purpose(models.TextChoices):
        TEXT = "text", _("texts")
        NUMBER = "number", _("numbers of senders")
        CREDENTIALS = "credentials", _("credentials with providers")
        PSEUDONYM = "pseudonym", _("pseudonyms")
        EVIDENCE = "evidence", _("signatures of evidence")
        ACCOUNTS = "accounts", _("second factors")

    #: Without a foreign key, because this app is below `organizations` and a key outlives what it protects.
    organization_id = models.BigIntegerField()
    purpose = models.CharField(max_length=16, choices=Purpose)
    #: `2026-11` for a month, `2026-H2` for a half-year (`2026-H2b` for an epoch that was begun early in it), `all`
    #: where the key has no period.
    period = models.CharField(max_length=8)
    wrapped = models.BinaryField(max_length=96)
    master_key_id = models.CharField(max_length=16)
    created_at = models.DateTimeField(auto_now_add=True)
    #: Since when nothing new is sealed with it; deleted once nothing is left that it opens. See `rotation`.
    retired_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("data key")
        verbose_name_plural = _("data keys")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization_id", "purpose", "period"],
                condition=models.Q(retired_at__isnull=True),
                name="datakey_one_per_period",
            ),
            models.CheckConstraint(
                condition=models.Q(purpose__in=["text", "number", "credentials", "pseudonym", "evidence", "accounts"]),
                name="datakey_purpose_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.period}"

    @property
    def context(self) -> str:
        """What the wrapping is bound to: a row copied to another organization, purpose or period does not unwrap."""
        return f"datakey|{self.organization_id}|{self.purpose}|{self.period}"


class Pepper(models.Model):
    """A random secret of one day, wrapped by a master key; deleted when the day is over. See `peppers`."""

    day = models.DateField(unique=True)
    wrapped = models.BinaryField(max_length=96)
    master_key_id = models.CharField(max_length=16)

    def __str__(self) -> str:
        return str(self.day)

    @property
    def context(self) -> str:
        """What the wrapping is bound to."""
        return f"pepper|{self.day.isoformat()}"
