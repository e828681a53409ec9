from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from hotlines.models import Hotline
from privacy import vault


class PhoneText(models.Model):
    """A text in the memory of a simulated phone: written on it, or brought to it by the loopback carrier.

    Even here a number is a fingerprint and a text is sealed, so that no table of a demo is an exception to learn.
    """

    #: The carrier's name for the text: `MessageUUID` of the webhook and of the reports.
    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    hotline = models.ForeignKey(Hotline, models.CASCADE, related_name="+", verbose_name=_("hotline"))
    phone_key = models.BinaryField(max_length=16)
    #: The reply whose text arrived; null for a text that was written on the phone.
    reply_uuid = models.UUIDField(null=True, editable=False)
    text_sealed = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("text on a simulated phone")
        verbose_name_plural = _("texts on simulated phones")
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [models.Index(fields=["hotline", "phone_key"], name="simulator_phone")]

    def __str__(self) -> str:
        return str(self.uuid)

    @property
    def place(self) -> vault.Place:
        return vault.Place("simulator_phonetext", self.uuid, "text_sealed", self.hotline.organization_id)

    @property
    def text(self) -> str:
        """The text. Raises `vault.Unreadable` when its key is gone."""
        return vault.unseal(self.text_sealed, self.place)


class Line(models.Model):
    """What the loopback carrier hands a hotline's texts to; it is made when somebody first changes that."""

    hotline = models.OneToOneField(Hotline, models.CASCADE, related_name="+", verbose_name=_("hotline"))
    #: "" while the number is detached.
    application = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = _("line of a simulated carrier")
        verbose_name_plural = _("lines of a simulated carrier")

    def __str__(self) -> str:
        return self.application
