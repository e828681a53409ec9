"""Who asked what is stored about him, or that it be erased. Such a row holds no number."""

from __future__ import annotations

import datetime
import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from hotlines.models import Hotline
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet

#: How long a code can be texted, and how long the page shows what it proved.
PAGE_LIFE = datetime.timedelta(hours=1)
#: Between the wish and the erasure: time for the organization to keep a threat as evidence (GDPR 17.3.e), and less than
#: the day that is promised (SECURITY.md 4.4).
ERASED_AFTER = datetime.timedelta(hours=20)


class DataRequest(models.Model):
    """One person's request: by a code texted from the number concerned, or by a letter that staff answers."""

    class Channel(models.TextChoices):
        CODE = "code", _("code from the phone")
        LETTER = "letter", _("letter or mail")

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="data_requests", verbose_name=_("organization")
    )
    #: The number on whose page the code was shown; for a letter, null.
    hotline = models.ForeignKey(
        Hotline, models.PROTECT, null=True, related_name="data_requests", verbose_name=_("hotline")
    )
    channel = models.CharField(_("came as"), max_length=6, choices=Channel)
    #: SHA-256 of the code and of the page's secret address; null for a letter.
    code_digest = models.BinaryField(max_length=32, null=True, editable=False)
    page_digest = models.BinaryField(max_length=32, null=True, editable=False)
    #: What staff calls the letter in its own files.
    reference = models.CharField(_("reference"), max_length=60, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("author")
    )
    created_at = models.DateTimeField(_("asked"))
    #: When the number was proved to be his; a letter's when staff entered it.
    proven_at = models.DateTimeField(_("proven"), null=True)
    #: The pseudonym of who proved it, to count his requests of a day.
    sender_key = models.BinaryField(max_length=16, null=True, editable=False)
    #: Ids of the conversations that are his.
    conversations = models.JSONField(default=list, editable=False)
    erase_at = models.DateTimeField(_("erasure due"), null=True)
    #: When the organization was told of it.
    told_at = models.DateTimeField(null=True, editable=False)
    erased_at = models.DateTimeField(_("erased"), null=True)
    #: How many of the conversations a hold kept from being erased.
    kept = models.PositiveIntegerField(_("kept as evidence"), default=0)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("data request")
        verbose_name_plural = _("data requests")
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["code_digest"], name="datarequest_code_once"),
            models.UniqueConstraint(fields=["page_digest"], name="datarequest_page_once"),
            models.CheckConstraint(
                condition=Q(channel="code", code_digest__isnull=False, page_digest__isnull=False, hotline__isnull=False)
                | (
                    Q(channel="letter", code_digest__isnull=True, page_digest__isnull=True, proven_at__isnull=False)
                    & ~Q(reference="")
                ),
                name="datarequest_by_code_or_letter",
            ),
            models.CheckConstraint(
                condition=Q(proven_at__isnull=False) | Q(erase_at__isnull=True, sender_key__isnull=True),
                name="datarequest_erases_what_is_proven",
            ),
            models.CheckConstraint(
                condition=Q(erased_at__isnull=True) | Q(erase_at__isnull=False, erased_at__gte=F("erase_at")),
                name="datarequest_erased_when_due",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["erase_at"],
                condition=Q(erase_at__isnull=False, erased_at__isnull=True),
                name="datarequest_to_erase",
            ),
        ]

    def __str__(self) -> str:
        return str(self.uuid)[:8]
