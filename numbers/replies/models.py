from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hotlines import succession
from hotlines.models import Hotline
from hotlines.policy import MAX_REPLY_LIMIT
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet

from .lint import validate_text

#: A minute at most: providers charge by the begun minute. It is enough for WAV as a telephone has it (8 kHz, 16 bit).
LONGEST_RECORDING, MOST_BYTES = 60, 1_000_000


class Purpose(models.TextChoices):
    REPLY = "reply", _("reply")
    FINAL = "final", _("last reply")
    HELP = "help", _("help")
    VOICE = "voice", _("spoken message")
    NOTICE = "notice", _("notice for pages")
    SUSPENDED = "suspended", _("number suspended, for pages")


SENT = frozenset({Purpose.REPLY, Purpose.FINAL, Purpose.HELP})
#: Others are for pages, which say which number to use.
TOLD_TO_SENDERS = SENT | {Purpose.VOICE}


class Arm(models.TextChoices):
    A = "a", _("A")
    B = "b", _("B, to compare")


class ReplyTemplate(models.Model):
    """One text of a hotline, or of an organization as default for its hotlines, in one language."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="reply_templates", verbose_name=_("organization")
    )
    hotline = models.ForeignKey(
        Hotline,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="reply_templates",
        verbose_name=_("hotline"),
        help_text=_("Empty: the organization's default for all its hotlines."),
    )
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose, default=Purpose.REPLY)
    step = models.PositiveSmallIntegerField(
        _("step"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_REPLY_LIMIT)],
        help_text=_("1 is the first reply of an episode. A step without a text uses the step before it."),
    )
    language = models.CharField(_("language"), max_length=12)
    arm = models.CharField(
        _("version"),
        max_length=1,
        choices=Arm,
        default=Arm.A,
        db_default=Arm.A,
        help_text=_("A text B is sent to every second sender in place of the text A, so that the two can be compared."),
    )
    text = models.TextField(_("text"), validators=[validate_text])
    #: Whether it is sent; not before a second person has read it, where the organization wants that.
    approved = models.BooleanField(default=True, db_default=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("reply template")
        verbose_name_plural = _("reply templates")
        ordering: ClassVar = ["hotline", "purpose", "step", "language"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["hotline", "purpose", "step", "language", "arm"],
                condition=models.Q(hotline__isnull=False),
                name="template_once_per_hotline",
            ),
            models.UniqueConstraint(
                fields=["organization", "purpose", "step", "language", "arm"],
                condition=models.Q(hotline__isnull=True),
                name="template_once_per_organization",
            ),
            models.CheckConstraint(condition=models.Q(step__gte=1, step__lte=MAX_REPLY_LIMIT), name="template_step"),
            models.CheckConstraint(condition=~models.Q(text=""), name="template_not_empty"),
            models.CheckConstraint(
                condition=models.Q(arm="a") | models.Q(arm="b", purpose="reply", step=1),
                name="template_compared_if_first",
            ),
            models.CheckConstraint(
                condition=models.Q(purpose__in=["reply", "final", "help", "voice", "notice", "suspended"]),
                name="template_purpose_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} {self.step} ({self.language})"

    def clean(self) -> None:
        """What is sent or spoken must not tell a raid where to go on."""
        if self.arm == Arm.B and (self.purpose != Purpose.REPLY or self.step != 1):
            raise ValidationError({"arm": _("Only first replies can be compared: what follows depends on them.")})
        if self.purpose in TOLD_TO_SENDERS and self.organization_id:
            try:
                succession.check_text(self.text, self.organization_id)
            except ValidationError as error:
                raise ValidationError({"text": error}) from error


class Recording(models.Model):
    """The sound of a spoken message; its template's text says what is heard."""

    class MediaType(models.TextChoices):
        MP3 = "audio/mpeg", "MP3"
        WAV = "audio/wav", "WAV"

    #: Stands in its public address.
    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    template = models.OneToOneField(
        ReplyTemplate, models.CASCADE, related_name="recording", verbose_name=_("reply template")
    )
    media_type = models.CharField(_("format"), max_length=10, choices=MediaType)
    seconds = models.PositiveSmallIntegerField(_("seconds"))
    content = models.BinaryField()
    uploaded_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(seconds__gte=1, seconds__lte=LONGEST_RECORDING), name="recording_seconds"
            ),
            models.CheckConstraint(
                condition=models.Q(media_type__in=["audio/mpeg", "audio/wav"]), name="recording_format_known"
            ),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class TextVersion(models.Model):
    """What a text was, is or may become, and who wrote it and who read it."""

    class State(models.TextChoices):
        WAITS = "waits", _("waits for approval")
        USED = "used", _("used")
        REFUSED = "refused", _("refused")

    template = models.ForeignKey(ReplyTemplate, models.CASCADE, related_name="versions")
    text = models.TextField(_("text"))
    state = models.CharField(_("state"), max_length=7, choices=State)
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("written by")
    )
    written_at = models.DateTimeField(_("written"), default=timezone.now)
    #: By what, where `written_by` only answers for it: a key of the API.
    source = models.CharField(max_length=100, blank=True, default="", db_default="")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("read by")
    )
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("version of a text")
        verbose_name_plural = _("versions of a text")
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["template"], condition=models.Q(state="waits"), name="version_one_waits_per_text"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["waits", "used", "refused"]), name="version_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(decided_by__isnull=True)
                | models.Q(written_by__isnull=True)
                | ~models.Q(state="used")
                | ~models.Q(decided_by=models.F("written_by")),
                name="version_read_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_state_display()}: {self.text[:40]}"
