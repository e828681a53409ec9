"""What an organization shows in public: a number, several in turn, or all that it has."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, URLValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hotlines.models import Campaign, Hotline
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet

#: Characters of a page's address.
LONGEST_SLUG = 40


class Page(models.Model):
    """One public address. It shows one number, the one of a campaign whose turn it is, or a list of all other pages.

    Partners know it by its `slug`, whichever number stands behind it today.
    """

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="pages", verbose_name=_("organization"))
    slug = models.SlugField(
        _("address"),
        max_length=LONGEST_SLUG,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9]+(-[a-z0-9]+)*\Z", _("Small letters, digits and hyphens: anti-relous."))],
        help_text=_("The last part of the page’s address, for people to type. Who has it written down keeps it."),
    )
    name = models.CharField(_("name"), max_length=80, help_text=_("Where a language has no name of its own."))
    #: By language, where a language has its own.
    names = models.JSONField(_("names"), default=dict, blank=True)
    #: By language; the number's notice for pages where there is none.
    abouts = models.JSONField(_("what it is for"), default=dict, blank=True)
    hotline = models.ForeignKey(
        Hotline, models.CASCADE, null=True, blank=True, related_name="pages", verbose_name=_("hotline")
    )
    campaign = models.ForeignKey(
        Campaign,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="pages",
        verbose_name=_("campaign"),
        help_text=_("Of its numbers the page shows the one that is given away now. With neither: a list of all pages."),
    )
    demo = models.ForeignKey(
        Hotline,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("number to try"),
        help_text=_("For who wants to see how it answers: without it, curious people use up the real one’s budget."),
    )
    contact_name = models.CharField(
        _("innocent name"),
        max_length=40,
        default="Camille",
        help_text=_("Under which phones save the number, so that whoever looks over a shoulder reads nothing."),
    )
    website = models.CharField(
        _("website"),
        max_length=200,
        blank=True,
        validators=[URLValidator(["https"])],
        help_text=_("Of the organization; begins with https://."),
    )
    helplines_checked_on = models.DateField(
        _("helplines checked on"),
        null=True,
        blank=True,
        help_text=_("Those whose source is old or has no date are shown only if somebody has called them since."),
    )
    published = models.BooleanField(
        _("public"), default=False, help_text=_("Anybody can read it, and partners may show it.")
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("public page")
        verbose_name_plural = _("public pages")
        ordering: ClassVar = ["organization", "name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(hotline__isnull=True) | Q(campaign__isnull=True), name="page_of_one_thing"
            ),
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(hotline__isnull=True, campaign__isnull=True),
                name="page_one_list_per_organization",
            ),
            models.CheckConstraint(condition=~Q(slug="") & ~Q(name=""), name="page_has_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.hotline_id and self.campaign_id:
            raise ValidationError(_("A page is of one number or of one campaign."))
        for name in ("hotline", "campaign", "demo"):
            row = getattr(self, name)
            if row is not None and row.organization_id != self.organization_id:
                raise ValidationError({name: _("It belongs to another organization.")})

    @property
    def is_list(self) -> bool:
        """Whether it shows no number of its own, and leads to the other pages."""
        return self.hotline_id is None and self.campaign_id is None
