from __future__ import annotations

import datetime
import uuid
import zoneinfo
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from privacy import recipients

from . import money
from .tenancy import OrganizationQuerySet, ScopedQuerySet


def validate_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(name)s” is not a time zone. Use a name like Europe/Paris."), params={"name": name})


class Organization(models.Model):
    """An NGO: owns hotlines, templates, keys and data. The tenant boundary."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=200)
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        default="Europe/Paris",
        validators=[validate_time_zone],
        help_text=_("Quiet hours and the daily summary follow this clock."),
    )
    alert_email = models.EmailField(
        _("address for alerts"),
        blank=True,
        help_text=_("Receives the daily summary of blocks and alerts. Empty: the owners receive them."),
    )
    day_budget = money.budget(
        _("budget per day"),
        _("For all numbers together. Replies that would pass it wait for the next day, at midnight UTC."),
    )
    month_budget = money.budget(_("budget per month"))
    evidence_recipient = models.CharField(
        _("key of the organization"),
        max_length=80,
        blank=True,
        validators=[recipients.validate],
        help_text=_(
            "A public key of age (age1…). With it, what is exported as evidence is sealed, and can be opened only with "
            "the private key that you keep."
        ),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    texts_need_approval = models.BooleanField(
        _("a second person approves texts"),
        default=False,
        db_default=False,
        help_text=_("A changed text is sent only after somebody else has read it; until then the old one is."),
    )

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        verbose_name = _("organization")
        verbose_name_plural = _("organizations")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=money.not_negative("day_budget", "month_budget"),
                name="organization_budgets_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def alert_addresses(self) -> list[str]:
        if self.alert_email:
            return [self.alert_email]
        owners = self.memberships.filter(role=Member.Role.OWNER, user__is_active=True)
        return [email for email in owners.values_list("user__email", flat=True) if email]


class Member(models.Model):
    """A user's role in an organization."""

    class Role(models.TextChoices):
        OWNER = "owner", _("owner")
        EDITOR = "editor", _("editor")
        VIEWER = "viewer", _("viewer")

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="memberships", verbose_name=_("organization")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships", verbose_name=_("user")
    )
    role = models.CharField(_("role"), max_length=8, choices=Role, default=Role.VIEWER)
    may_reveal = models.BooleanField(
        _("may see senders’ numbers"),
        default=False,
        help_text=_("One at a time, with a reason, and recorded. For those who file complaints; nobody else needs it."),
    )

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "user"], name="member_once_per_organization"),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "editor", "viewer"]), name="member_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


class Invitation(models.Model):
    """An owner's offer to whoever signs in under a user name or address.

    It says the same whether such a user exists or not, so that nobody can try out names; only accepting tells.
    """

    LASTS = datetime.timedelta(days=14)

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="invitations", verbose_name=_("organization")
    )
    #: Case-folded, as `organizations.members` compares it.
    name = models.CharField(
        _("user name or e-mail address"),
        max_length=254,
        help_text=_("Of somebody who has a user on this platform, or will have one."),
    )
    role = models.CharField(_("role"), max_length=8, choices=Member.Role, default=Member.Role.VIEWER)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("invited by")
    )
    created_at = models.DateTimeField(_("invited"), default=timezone.now, editable=False)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "name"], name="invitation_once_per_name"),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "editor", "viewer"]), name="invitation_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.get_role_display()})"

    @property
    def expires_at(self) -> datetime.datetime:
        return self.created_at + self.LASTS


class Trail(models.Model):
    """To which organization an entry of the admin's log belongs (`organizations.trail`)."""

    entry = models.OneToOneField("admin.LogEntry", models.CASCADE, related_name="trail")
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="+", db_index=False, verbose_name=_("organization")
    )
    at = models.DateTimeField(_("at"))

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("entry of the trail")
        verbose_name_plural = _("trail")
        indexes: ClassVar = [models.Index(fields=["organization", "-at"], name="trail_latest")]

    def __str__(self) -> str:
        return self.entry.object_repr
