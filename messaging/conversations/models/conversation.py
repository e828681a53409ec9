"""Who wrote to a hotline, and what."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from conversations.words import BlockCause, Disposition
from hotlines.models import Account, Hotline
from hotlines.policy import MAX_REPLY_LIMIT
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet
from privacy import masking, pseudonyms, vault

from .shared import SHARED, channel


class Conversation(models.Model):
    """One sender on one hotline: counters, language, opt-out, current episode and block."""

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)  # its sealed number is bound to it
    organization = models.ForeignKey(Organization, related_name="+", verbose_name=_("organization"), **SHARED)
    hotline = models.ForeignKey(Hotline, related_name="conversations", verbose_name=_("hotline"), **SHARED)
    #: `privacy.pseudonyms`: who it is, without saying who it is.
    sender_key = models.BinaryField(max_length=16)
    key_epoch = models.CharField(max_length=8)
    #: The canonical sender, sealed; empty once it is erased.
    sender_sealed = models.BinaryField(null=True)
    #: The language the sender last wrote in, where a message told.
    language = models.CharField(_("language"), max_length=12, blank=True)
    messages_received = models.IntegerField(_("messages"), default=1)
    first_message_at = models.DateTimeField(_("first message"))
    last_message_at = models.DateTimeField(_("last message"))
    episode = models.IntegerField(_("episode"), default=1)
    episode_started_at = models.DateTimeField()
    slots_used = models.PositiveSmallIntegerField(_("replies in this episode"), default=0)
    #: When the delayed reply is due that keeps later messages from getting one of their own.
    reply_due_at = models.DateTimeField(null=True)
    opted_out_at = models.DateTimeField(_("stopped since"), null=True)
    blocked_until = models.DateTimeField(_("blocked until"), null=True)
    block_cause = models.CharField(_("cause"), max_length=8, choices=BlockCause, blank=True)
    #: Whether a hold stands (`holds` writes it): then everything he writes is kept, also what nobody answers.
    held = models.BooleanField(default=False, db_default=False, editable=False)
    #: Somebody of the organization, or a curious journalist: answered like all, and counted apart.
    tester = models.BooleanField(_("test"), default=False, db_default=False, editable=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hotline", "sender_key"], name="conversation_once_per_sender"),
            models.CheckConstraint(
                condition=Q(slots_used__lte=MAX_REPLY_LIMIT) & Q(slots_used__lte=models.F("messages_received")),
                name="conversation_slots_within_messages",
            ),
            models.CheckConstraint(
                condition=Exact(Q(block_cause=""), Q(blocked_until__isnull=True)), name="conversation_block_has_cause"
            ),
            models.CheckConstraint(
                condition=Q(block_cause__among=["", "limit", "stop", "person"]), name="conversation_block_cause_known"
            ),
            models.CheckConstraint(condition=Q(episode__gte=1), name="conversation_episode_from_one"),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "-last_message_at"], name="conversation_latest")]

    def __str__(self) -> str:
        return self.pseudonym

    @property
    def pseudonym(self) -> str:
        return pseudonyms.readable(self.sender_key, self.hotline_id)

    @property
    def place(self) -> vault.Place:
        return vault.Place("conversations_conversation", self.uuid, "sender_sealed", self.organization_id)

    @property
    def sender(self) -> str | None:
        """The canonical sender, or None once erased. Only sending and masking may ask."""
        return vault.unseal(self.sender_sealed, self.place) if self.sender_sealed else None

    @property
    def masked_sender(self) -> str:
        sender = vault.read_or_none(self, "sender")
        return masking.mask(sender) if sender else str(_("erased"))


class Message(models.Model):
    """One inbound message or call, once, for ever; without content where its sender was blocked or over the limit."""

    Disposition = Disposition

    #: Only what its sealed text is bound to; nothing looks it up, so it has no index.
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, related_name="+", **SHARED)
    hotline = models.ForeignKey(Hotline, related_name="messages", verbose_name=_("hotline"), **SHARED)
    account = models.ForeignKey(Account, related_name="+", **SHARED)
    conversation = models.ForeignKey(
        Conversation, models.PROTECT, null=True, related_name="messages", verbose_name=_("conversation")
    )
    channel = channel(_("came as"))
    provider_id = models.CharField(max_length=64)
    nonce_hash = models.BinaryField(max_length=16, null=True)
    disposition = models.CharField(_("what became of it"), max_length=16, choices=Disposition)
    #: Why it is unreadable, or why its sender is never answered.
    reason = models.CharField(_("reason"), max_length=120, blank=True)
    #: The text; for an unreadable message, the request's body as received.
    text_sealed = models.BinaryField(null=True)
    #: Of a message that is not answered and whose text is kept all the same, because its sender is held.
    kept = models.BooleanField(default=False, db_default=False, editable=False)
    units = models.PositiveSmallIntegerField(_("segments"), default=1)
    seconds = models.PositiveIntegerField(_("seconds"), null=True)  # of a call, once the provider has said it
    cost = models.DecimalField(_("cost"), max_digits=12, decimal_places=5, null=True)
    received_at = models.DateTimeField(_("received"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hotline", "provider_id"], name="message_once_per_provider_id"),
            models.UniqueConstraint(fields=["account", "nonce_hash"], name="message_nonce_once"),
            models.CheckConstraint(
                condition=~Q(disposition__among=["blocked", "limit", "stopped", "instruction"])
                | Q(text_sealed__isnull=True)
                | Q(kept=True),
                name="message_blocked_without_content",
            ),
            models.CheckConstraint(
                condition=Exact(
                    Q(disposition__among=["unreadable", "missed", "instruction"]), Q(conversation__isnull=True)
                ),
                name="message_has_conversation",
            ),
            models.CheckConstraint(
                condition=~Q(disposition="missed") | Q(text_sealed__isnull=True, nonce_hash__isnull=True),
                name="message_missed_without_content",
            ),
            models.CheckConstraint(
                condition=Q(disposition__among=Disposition.values), name="message_disposition_known"
            ),
            models.CheckConstraint(condition=Q(channel="call") | Q(seconds__isnull=True), name="message_call_seconds"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["hotline", "received_at"], condition=Q(disposition="missed"), name="message_missed"),
        ]

    def __str__(self) -> str:
        return str(self.uuid)

    @property
    def place(self) -> vault.Place:
        return vault.Place("conversations_message", self.uuid, "text_sealed", self.organization_id)

    @property
    def text(self) -> str | None:
        """The text, or None where none was kept. Raises `vault.Unreadable` when its key is gone."""
        return vault.unseal(self.text_sealed, self.place) if self.text_sealed else None
