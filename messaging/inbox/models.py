"""What has come and is not a message yet: parts of long ones."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from hotlines.models import Account, Hotline
from organizations.models import Organization
from privacy import vault


class MessagePart(models.Model):
    """A part of a long message, with its content until the message is received, and for some days without it: a part
    that is delivered again must be known.

    It is open; then the message to which it belongs is named (`joined_as`), and nothing is added to that one any more;
    then the message is received, and the content goes.
    """

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    hotline = models.ForeignKey(Hotline, models.CASCADE, related_name="+")
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    #: What all parts of a message have in common, and those of no other while it is open: a keyed hash.
    group = models.BinaryField(max_length=16)
    number = models.PositiveSmallIntegerField()
    total = models.PositiveSmallIntegerField()
    provider_id = models.CharField(max_length=64)
    nonce_hash = models.BinaryField(max_length=16, null=True)
    #: What `parts` needs to receive it, as JSON.
    content_sealed = models.BinaryField(null=True)
    #: The first part that is there gives the message its id.
    joined_as = models.CharField(max_length=64, blank=True)
    received_at = models.DateTimeField()
    #: When the database had it: later than it was received, for one that waited in the spool.
    stored_at = models.DateTimeField()

    class Meta:
        verbose_name = _("part of a message")
        verbose_name_plural = _("parts of messages")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hotline", "provider_id"], name="part_once_per_provider_id"),
            models.UniqueConstraint(fields=["account", "nonce_hash"], name="part_nonce_once"),
            models.UniqueConstraint(
                fields=["hotline", "group", "number"], condition=Q(joined_as=""), name="part_once_in_open_group"
            ),
            models.CheckConstraint(condition=Q(number__gte=1, number__lte=F("total")), name="part_number_in_total"),
            models.CheckConstraint(
                condition=~Q(joined_as="") | Q(content_sealed__isnull=False), name="part_open_has_content"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["stored_at"], condition=Q(content_sealed__isnull=False), name="part_waiting"),
        ]

    def __str__(self) -> str:
        return str(self.uuid)

    @property
    def place(self) -> vault.Place:
        """What its content is sealed for."""
        return vault.Place("inbox_messagepart", self.uuid, "content_sealed", self.organization_id)

    @property
    def content(self) -> str:
        """Its content while it waits. Raises `vault.Unreadable` when its key is gone."""
        return vault.unseal(self.content_sealed, self.place) if self.content_sealed else ""
