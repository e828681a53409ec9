"""What answers, and what the provider said of it."""

from __future__ import annotations

import datetime
import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from conversations.words import ReplyPurpose, ReplyState
from hotlines.models import Account, Hotline
from hotlines.policy import MAX_REPLY_LIMIT
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet
from privacy import vault

from .conversation import Conversation, Message
from .shared import SHARED, channel


class Reply(models.Model):
    """An outgoing message decided for one inbound message; a row before it is a request."""

    State = ReplyState
    Purpose = ReplyPurpose

    #: Not yet sent and not yet given up.
    WAITING: ClassVar = (State.PENDING, State.RELEASED)
    #: One at most in each conversation, so that a provider's record can be told to belong to it.
    IN_FLIGHT: ClassVar = (State.CLAIMED, State.UNKNOWN)

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, related_name="+", **SHARED)
    hotline = models.ForeignKey(Hotline, related_name="replies", verbose_name=_("hotline"), **SHARED)
    conversation = models.ForeignKey(
        Conversation, models.PROTECT, db_index=False, related_name="replies", verbose_name=_("conversation")
    )
    message = models.OneToOneField(Message, models.PROTECT, related_name="reply", verbose_name=_("message"))
    #: A call's is spoken in the moment it is decided; all others are sent.
    channel = channel(_("answered by"))
    episode = models.IntegerField(_("episode"))
    slot = models.SmallIntegerField(_("slot"))
    purpose = models.CharField(_("purpose"), max_length=8, choices=Purpose)
    #: Whether its safety delay keeps later messages waiting for it.
    delayed = models.BooleanField(default=False)
    state = models.CharField(_("state"), max_length=14, choices=State, default=State.PENDING)
    #: Of a first reply, the group of like senders that it is deferred with (`shield.judge`); "" where its sender is in
    #: none, null where nobody has looked yet.
    suspicion = models.CharField(max_length=20, null=True, editable=False)  # noqa: DJ001  not judged is not innocent
    decided_at = models.DateTimeField(_("decided"))
    due_at = models.DateTimeField(_("due"))
    language = models.CharField(_("language"), max_length=12, blank=True)
    text_sealed = models.BinaryField(null=True)
    #: Whether a person wrote the text, which is then there before the reply is released.
    by_hand = models.BooleanField(default=False, db_default=False)
    #: Which of two texts that are compared was sent; "" where none were.
    arm = models.CharField(max_length=1, blank=True, default="", db_default="")
    segments = models.SmallIntegerField(_("segments"), null=True)
    attempts = models.SmallIntegerField(_("attempts"), default=0)
    #: The number that stood in for the hotline's in its last attempt; null where that was its own.
    sent_by = models.ForeignKey(Hotline, related_name="+", null=True, verbose_name=_("sent by"), **SHARED)
    claimed_at = models.DateTimeField(null=True)
    #: A random value of the worker that claimed it; the outcome is written only while it still stands.
    claim_token = models.UUIDField(null=True)
    #: How often it was released again because the provider's log proved that it was never taken: once at most.
    absences = models.PositiveSmallIntegerField(db_default=0)
    #: What budgets hold for it, in millionths of the currency, since the moment it was released; null before that.
    reserved_micros = models.BigIntegerField(null=True)
    reserved_at = models.DateTimeField(null=True)
    #: Whether what it costs in the end may differ from what is reserved.
    to_settle = models.BooleanField(db_default=False)
    #: Given up if it was not sent by then: a late reply is worth nothing.
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(_("sent"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    provider_id = models.CharField(max_length=128, blank=True)
    #: A code of the provider or a short word of ours, never a number or a text.
    detail = models.CharField(_("detail"), max_length=60, blank=True)
    delivery = models.CharField(_("delivery"), max_length=12, blank=True)
    delivery_sequence = models.IntegerField(default=0)
    error_code = models.CharField(_("error code"), max_length=16, blank=True)
    cost = models.DecimalField(_("cost"), max_digits=12, decimal_places=5, null=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("reply")
        verbose_name_plural = _("replies")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["conversation", "episode", "slot"], name="reply_slot_once"),
            models.UniqueConstraint(
                fields=["conversation"],
                condition=Q(state__in=["claimed", "unknown"]),
                name="reply_one_in_flight",
            ),
            # The one being sent is among them, because a provider's refusal makes it wait again.
            models.UniqueConstraint(
                fields=["conversation"],
                condition=Q(state__in=["pending", "released", "claimed"], delayed=True),
                name="reply_one_delayed",
            ),
            models.UniqueConstraint(
                fields=["hotline", "provider_id"], condition=~Q(provider_id=""), name="reply_provider_id_once"
            ),
            models.CheckConstraint(condition=Q(slot__gte=1, slot__lte=MAX_REPLY_LIMIT), name="reply_slot_in_range"),
            models.CheckConstraint(condition=Q(purpose__among=["reply", "final", "help"]), name="reply_purpose_known"),
            models.CheckConstraint(condition=Q(state__among=ReplyState.values), name="reply_state_known"),
            models.CheckConstraint(
                condition=~Q(state__among=["released", "claimed", "unknown"]) | Q(text_sealed__isnull=False),
                name="reply_released_has_text",
            ),
            models.CheckConstraint(
                condition=Q(by_hand=False) | ~Q(state="pending") | Q(text_sealed__isnull=False),
                name="reply_by_hand_has_text",
            ),
            models.CheckConstraint(
                condition=~Q(state__among=["claimed", "unknown"])
                | Q(claimed_at__isnull=False, claim_token__isnull=False),
                name="reply_claim_has_owner",
            ),
            models.CheckConstraint(
                condition=~Q(state="sent") | (Q(sent_at__isnull=False) & ~Q(provider_id="")),
                name="reply_sent_has_id",
            ),
            models.CheckConstraint(
                condition=Q(suspicion__isnull=True) | Q(suspicion="") | Q(slot=1), name="reply_suspected_if_first"
            ),
            models.CheckConstraint(condition=Q(absences__lte=1), name="reply_absent_once"),
            models.CheckConstraint(condition=Q(channel="sms") | Q(state="sent", delayed=False), name="reply_call_sent"),
            models.CheckConstraint(
                condition=Q(reserved_micros__isnull=True, reserved_at__isnull=True, to_settle=False)
                | Q(reserved_micros__gte=0, reserved_at__isnull=False),
                name="reply_reservation_whole",
            ),
            models.CheckConstraint(
                condition=Q(delivery__among=["", "queued", "sent", "delivered", "undelivered", "failed"]),
                name="reply_delivery_known",
            ),
        ]
        indexes: ClassVar = [
            # What waits to be released, by hotline and lane.
            models.Index(
                fields=["hotline", "suspicion", "slot", "due_at"], condition=Q(state="pending"), name="reply_lanes"
            ),
            # Which reply is next must not cost more the more of them wait: the claim walks this and stops at the first.
            models.Index(fields=["slot", "due_at", "id"], condition=Q(state="released"), name="reply_send_order"),
            models.Index(fields=["claimed_at"], condition=Q(state__in=["claimed", "unknown"]), name="reply_in_flight"),
            models.Index(fields=["finished_at"], condition=Q(to_settle=True), name="reply_to_settle"),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()} {self.slot}"

    @staticmethod
    def expiry(due_at: datetime.datetime) -> datetime.datetime:
        """When a reply that is due then is given up."""
        return due_at + datetime.timedelta(hours=settings.REPLY_EXPIRY_HOURS)

    @property
    def is_over(self) -> bool:
        """Whether nothing more becomes of it by itself."""
        return self.state not in {*self.WAITING, *self.IN_FLIGHT}

    @property
    def sender(self) -> Hotline:
        """The number by which it left, or would leave where none stands in."""
        return self.sent_by or self.hotline

    @property
    def place(self) -> vault.Place:
        return vault.Place("conversations_reply", self.uuid, "text_sealed", self.organization_id)

    @property
    def text(self) -> str | None:
        return vault.unseal(self.text_sealed, self.place) if self.text_sealed else None


class DeliveryReport(models.Model):
    """One report of a provider on a reply, kept so that its nonce works once and the path of a reply can be told."""

    reply = models.ForeignKey(Reply, models.CASCADE, related_name="reports")
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    nonce_hash = models.BinaryField(max_length=16, null=True)
    body_fingerprint = models.BinaryField(max_length=16)
    status = models.CharField(max_length=12, blank=True)
    sequence = models.PositiveIntegerField(default=0)
    received_at = models.DateTimeField()

    class Meta:
        verbose_name = _("delivery report")
        verbose_name_plural = _("delivery reports")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "nonce_hash"], name="report_nonce_once"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.status}"
