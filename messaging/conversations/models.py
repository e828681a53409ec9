"""What travels: the rows, and the constraints that hold what must always hold (SECURITY.md 2.2, DESIGN.md).

The code may be wrong; these constraints must not be. `tests/conversations/test_constraints.py` tries to violate each.

A foreign key is checked by a lock on the row it names, and PostgreSQL writes that lock into the row. All webhooks of a
raid would queue up at their one hotline, account and organization. These three are therefore without a constraint here
(`_SHARED`); they are never deleted while rows name them (PROTECT). No index is kept where another begins so.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from hotlines.models import Account, Hotline
from hotlines.policy import MAX_REPLY_LIMIT
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet
from privacy import masking, pseudonyms, vault

from . import among  # noqa: F401  it registers its lookup
from .words import BlockCause, Channel, Disposition, ReplyPurpose, ReplyState

Q = models.Q
_SHARED: Any = {"on_delete": models.PROTECT, "db_constraint": False, "db_index": False}


def _channel(name: Any) -> models.CharField[Any, Any]:
    return models.CharField(name, max_length=4, choices=Channel, default=Channel.SMS, db_default=Channel.SMS)


class Conversation(models.Model):
    """One sender on one hotline: counters, language, opt-out, current episode and block."""

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)  # its sealed number is bound to it
    organization = models.ForeignKey(Organization, related_name="+", verbose_name=_("organization"), **_SHARED)
    hotline = models.ForeignKey(Hotline, related_name="conversations", verbose_name=_("hotline"), **_SHARED)
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
        try:
            sender = self.sender
        except vault.Unreadable:
            sender = None
        return masking.mask(sender) if sender else str(_("erased"))


class Message(models.Model):
    """One inbound message or call, once, for ever; without content where its sender was blocked or over the limit."""

    Disposition = Disposition

    #: Only what its sealed text is bound to; nothing looks it up, so it has no index.
    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, related_name="+", **_SHARED)
    hotline = models.ForeignKey(Hotline, related_name="messages", verbose_name=_("hotline"), **_SHARED)
    account = models.ForeignKey(Account, related_name="+", **_SHARED)
    conversation = models.ForeignKey(
        Conversation, models.PROTECT, null=True, related_name="messages", verbose_name=_("conversation")
    )
    channel = _channel(_("came as"))
    provider_id = models.CharField(max_length=64)
    nonce_hash = models.BinaryField(max_length=16, null=True)
    disposition = models.CharField(_("what became of it"), max_length=16, choices=Disposition)
    #: Why it is unreadable, or why its sender is never answered.
    reason = models.CharField(_("reason"), max_length=120, blank=True)
    #: The text; for an unreadable message, the request's body as received.
    text_sealed = models.BinaryField(null=True)
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
                condition=~Q(disposition__among=["blocked", "limit", "stopped"]) | Q(text_sealed__isnull=True),
                name="message_blocked_without_content",
            ),
            models.CheckConstraint(
                condition=Exact(Q(disposition__among=["unreadable", "missed"]), Q(conversation__isnull=True)),
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


class Reply(models.Model):
    """An outgoing message decided for one inbound message; a row before it is a request."""

    State = ReplyState
    Purpose = ReplyPurpose

    #: Not yet sent and not yet given up.
    WAITING: ClassVar = (State.PENDING, State.RELEASED)
    #: One at most in each conversation, so that a provider's record can be told to belong to it.
    IN_FLIGHT: ClassVar = (State.CLAIMED, State.UNKNOWN)

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, related_name="+", **_SHARED)
    hotline = models.ForeignKey(Hotline, related_name="replies", verbose_name=_("hotline"), **_SHARED)
    conversation = models.ForeignKey(
        Conversation, models.PROTECT, db_index=False, related_name="replies", verbose_name=_("conversation")
    )
    message = models.OneToOneField(Message, models.PROTECT, related_name="reply", verbose_name=_("message"))
    #: A call's is spoken in the moment it is decided; all others are sent.
    channel = _channel(_("answered by"))
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
    segments = models.SmallIntegerField(_("segments"), null=True)
    attempts = models.SmallIntegerField(_("attempts"), default=0)
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


class Block(models.Model):
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
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("author")
    )
    since = models.DateTimeField(_("since"))
    #: Null means until a person lifts it.
    until = models.DateTimeField(_("until"), null=True, blank=True)
    lifted_at = models.DateTimeField(_("lifted"), null=True, editable=False)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("lifted by")
    )
    lifted_reason = models.CharField(_("reason of lifting"), max_length=200, blank=True, editable=False)

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
