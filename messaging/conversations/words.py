"""The words that rows and decisions share; a leaf, so that deciding needs no model."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class BlockCause(models.TextChoices):
    LIMIT = "limit", _("reply limit reached")
    STOP = "stop", _("the sender wrote STOP")
    PERSON = "person", _("blocked by a person")


class Channel(models.TextChoices):
    """How somebody reached the hotline, and how he was answered."""

    SMS = "sms", _("message")
    CALL = "call", _("call")


class Disposition(models.TextChoices):
    """What became of an inbound message."""

    ANSWERED = "answered", _("answered")
    WAITING = "waiting", _("a reply was already on its way")
    STOP = "stop", _("STOP")
    STOPPED = "stopped", _("the sender has stopped us")
    BLOCKED = "blocked", _("blocked")
    LIMIT = "limit", _("over the limit")
    NOT_ANSWERABLE = "not_answerable", _("a sender we never answer")
    NOT_ANSWERING = "not_answering", _("the number does not answer now")
    #: A text for Paravent itself, such as the code of somebody who asks what is stored about him.
    INSTRUCTION = "instruction", _("for Paravent itself")
    UNREADABLE = "unreadable", _("unreadable")
    #: The provider's list has it, and it never came: counted, and nothing is known of its sender or text.
    MISSED = "missed", _("lost at the provider")


class ReplyPurpose(models.TextChoices):
    """Why a reply is sent; `replies.models.Purpose` has these and the texts that are never sent."""

    REPLY = "reply", _("reply")
    FINAL = "final", _("last reply")
    HELP = "help", _("help")


class ReplyState(models.TextChoices):
    """pending -> released -> claimed -> sent | failed | unknown -> (sent | released once | unknown_final)."""

    PENDING = "pending", _("waiting for its time")
    RELEASED = "released", _("ready to be sent")
    CLAIMED = "claimed", _("being sent")
    SENT = "sent", _("sent")
    FAILED = "failed", _("refused")
    UNKNOWN = "unknown", _("outcome unknown")
    UNKNOWN_FINAL = "unknown_final", _("outcome unknown for good")
    EXPIRED = "expired", _("expired")
    DROPPED = "dropped", _("dropped")
