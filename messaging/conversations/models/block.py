"""Who is not answered any more."""

from __future__ import annotations

import datetime
import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from conversations.words import BlockCause
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet

from .conversation import Conversation
from .shared import Liftable


class Block(Liftable):
    """A conversation, or a sender in the whole organization, that is no longer answered; past ones stay as record."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="blocks", verbose_name=_("organization")
    )
    #: Null for a block of the sender on every hotline of the organization.
    conversation = models.ForeignKey(
        Conversation, models.PROTECT, null=True, blank=True, related_name="blocks", verbose_name=_("conversation")
    )
    #: Only for a block on all numbers: whom it concerns, and his number for the pseudonym of the next half-year.
    sender_key = models.BinaryField(max_length=16, null=True)
    key_epoch = models.CharField(max_length=8, blank=True, default="", db_default="", editable=False)
    sender_sealed = models.BinaryField(null=True)
    #: The episode whose limit was reached; only for that cause.
    episode = models.PositiveIntegerField(null=True, editable=False)
    cause = models.CharField(_("cause"), max_length=8, choices=BlockCause)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    #: Null means until a person lifts it.
    until = models.DateTimeField(_("until"), null=True, blank=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("block")
        verbose_name_plural = _("blocks")
        ordering: ClassVar = ["-since"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(conversation__isnull=False, sender_key__isnull=True)
                | Q(conversation__isnull=True, sender_key__isnull=False),
                name="block_of_conversation_or_sender",
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gt=models.F("since")), name="block_ends_after_start"
            ),
            models.CheckConstraint(condition=Q(cause__in=["limit", "stop", "person"]), name="block_cause_known"),
            models.CheckConstraint(condition=~Q(cause="person") | ~Q(reason=""), name="block_by_person_has_reason"),
            # Without an episode, `block_limit_once_per_episode` would hold nothing: NULL equals nothing.
            models.CheckConstraint(
                condition=~Q(cause="limit") | Q(conversation__isnull=False, episode__isnull=False),
                name="block_by_limit_has_episode",
            ),
            models.UniqueConstraint(
                fields=["conversation", "episode"], condition=Q(cause="limit"), name="block_limit_once_per_episode"
            ),
            models.UniqueConstraint(
                fields=["organization", "sender_key"],
                condition=Q(conversation__isnull=True, lifted_at__isnull=True),
                name="block_one_standing_per_sender",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "-since"], name="block_latest")]

    def __str__(self) -> str:
        return f"{self.get_cause_display()}"

    def stands_at(self, now: datetime.datetime) -> bool:
        """Whether it holds; `blocks.standing` asks the database the same."""
        return self.lifted_at is None and (self.until is None or self.until > now)
