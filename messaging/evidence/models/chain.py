"""The chain of each hotline: a commitment to every message it received, in the order in which they were linked."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hotlines.models import Hotline
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet
from privacy import vault


class Chain(models.Model):
    """The end of a hotline's chain. Its row is the lock under which links are added."""

    hotline = models.OneToOneField(Hotline, models.PROTECT, primary_key=True, related_name="chain")
    position = models.BigIntegerField(default=0)
    value = models.BinaryField(max_length=32)
    #: The highest id of a message that was linked; later ones are looked for from a little below it.
    last_message_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.hotline_id}: {self.position}"


class Link(models.Model):
    """One message in the chain. It outlives the message: without the salt it tells only that one came, and when."""

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+", db_index=False)
    hotline = models.ForeignKey(Hotline, models.PROTECT, related_name="+", db_index=False)
    position = models.BigIntegerField()
    #: No foreign key: the message is deleted before the link.
    message_id = models.BigIntegerField(unique=True)
    received_at = models.DateTimeField()
    provider_hash = models.BinaryField(max_length=32)
    #: Null for a withheld number, or one that was erased before the message was linked.
    sender_commit = models.BinaryField(max_length=32, null=True)
    commit = models.BinaryField(max_length=32)
    chain = models.BinaryField(max_length=32)
    #: Erased with the message's text: then nobody can try out what it said.
    salt_sealed = models.BinaryField(null=True)
    #: Erased with the sender's number.
    sender_salt_sealed = models.BinaryField(null=True)
    #: Whether the text has words of a threat (`lexicon`): a hint for people, and no judgement.
    threat = models.BooleanField(default=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hotline", "position"], name="link_position_once"),
            models.CheckConstraint(condition=Q(position__gte=1), name="link_position_from_one"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["message_id"], condition=Q(salt_sealed__isnull=False), name="link_with_salt"),
            models.Index(fields=["message_id"], condition=Q(threat=True), name="link_with_threat"),
        ]

    def __str__(self) -> str:
        return f"{self.hotline_id}: {self.position}"

    def place(self, column: str) -> vault.Place:
        """What one of its salts is sealed for."""
        return vault.Place(self._meta.db_table, self.uuid, column, self.organization_id)

    @property
    def salt(self) -> str | None:
        """In hexadecimal, or None once erased."""
        return vault.unseal(self.salt_sealed, self.place("salt_sealed")) if self.salt_sealed else None

    @property
    def sender_salt(self) -> str | None:
        """In hexadecimal, or None once erased."""
        sealed = self.sender_salt_sealed
        return vault.unseal(sealed, self.place("sender_salt_sealed")) if sealed else None


class Head(models.Model):
    """The end of a hotline's chain on one day, signed: what came before it cannot be changed or cut off unseen."""

    hotline = models.ForeignKey(Hotline, models.PROTECT, related_name="+", verbose_name=_("hotline"))
    day = models.DateField(_("day"))
    position = models.BigIntegerField(_("messages"))
    value = models.BinaryField(max_length=32)
    signature = models.BinaryField(max_length=64)
    #: `stamps.stamped`, null while no authority has stamped it.
    stamp = models.BinaryField(null=True, max_length=100_000)
    told_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["hotline", "day"], name="head_once_a_day")]

    def __str__(self) -> str:
        return f"{self.hotline_id}: {self.day}"
