from __future__ import annotations

import datetime
import decimal
import re
import secrets
import uuid
import zoneinfo
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from hotlines import choices, keeping, kinds
from hotlines.policy import FASTEST, MAX_REPLY_LIMIT, SLOWEST, USUAL, Policy
from organizations import money
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet

from .account import Account
from .campaign import Campaign

TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


def new_hook_token() -> str:
    """128 random bits for the URL that a provider calls; they stand nowhere else (SECURITY.md W3)."""
    return secrets.token_urlsafe(16)


def default_languages() -> list[str]:
    return ["fr", "en"]


def default_countries() -> list[str]:
    """France and her overseas departments, whose mobiles share the numbering of +33 and its neighbours."""
    return ["FR", "GP", "GF", "MQ", "RE", "YT", "PM", "BL", "MF"]


class Hotline(models.Model):
    """One phone number to give away, with its kind, account, policy, languages and life cycle."""

    class Calls(models.TextChoices):
        """What becomes of a caller who is to be answered; all others hear the busy tone."""

        REJECT = "reject", _("the busy tone, and nothing else")
        TEXT = "text", _("the busy tone, and the reply by SMS")
        SPEAK = "speak", _("a spoken message")

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        ACTIVE = "active", _("active")
        SILENT = "silent", _("silent")
        SUSPENDED = "suspended", _("suspended")
        RETIRED = "retired", _("retired")

    #: A number that was taken out of use sends no more; one that answers nobody, or is not in use yet, may.
    STANDS_IN: ClassVar = (State.DRAFT, State.ACTIVE, State.SILENT)

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(
        Organization, models.PROTECT, related_name="hotlines", verbose_name=_("organization")
    )
    account = models.ForeignKey(Account, models.PROTECT, related_name="hotlines", verbose_name=_("account"))
    campaign = models.ForeignKey(
        Campaign,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="hotlines",
        verbose_name=_("campaign"),
        help_text=_("Numbers of one campaign are given away in turn."),
    )
    name = models.CharField(_("name"), max_length=120)
    number = models.CharField(
        _("number"),
        max_length=16,
        unique=True,
        validators=[
            RegexValidator(
                r"^(\+[1-9][0-9]{6,14}|[0-9]{3,6})$",
                _("Write the number with + and its country code, without spaces: +33937123456. Short codes: digits."),
            )
        ],
        help_text=_("With + and country code, without spaces."),
    )
    #: A name of `kinds.LABELS` or of an `OwnKind` that the organization has, or had.
    kind = models.CharField(_("kind"), max_length=40)
    state = models.CharField(
        _("state"),
        max_length=10,
        choices=State,
        default=State.DRAFT,
        help_text=_("Silent: receives and never answers. Only a person changes this."),
    )
    state_reason = models.CharField(_("reason of the suspension"), max_length=200, blank=True)
    successor = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="predecessors", verbose_name=_("successor")
    )
    stand_in = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("number that stands in"),
        help_text=_(
            "Replies leave from that number while this one's account cannot send: no credit, credentials refused, a "
            "provider that does not answer. It must be on another account. Senders see it, so give it to nobody."
        ),
    )
    languages = models.JSONField(
        _("languages"), default=default_languages, help_text=_("Codes of the languages in which it answers.")
    )
    default_language = models.CharField(_("default language"), max_length=12, default="fr")
    countries = models.JSONField(
        _("countries answered"),
        default=default_countries,
        help_text=_("Two-letter codes. A sender from elsewhere is stored and never answered."),
    )
    reply_limit = models.PositiveSmallIntegerField(
        _("reply limit"),
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_REPLY_LIMIT)],
        help_text=_("Replies one sender gets in an episode, over SMS and calls together."),
    )
    window_hours = models.PositiveIntegerField(
        _("window, in hours"), default=720, validators=[MinValueValidator(1), MaxValueValidator(8760)]
    )
    block_hours = models.PositiveIntegerField(
        _("block time, in hours"), default=2160, validators=[MinValueValidator(1), MaxValueValidator(8760)]
    )
    delay_seconds = models.PositiveIntegerField(
        _("safety delay, in seconds"),
        default=3600,
        validators=[MaxValueValidator(6 * 3600)],
        help_text=_("Time for the person who gave the number to leave, before the reply arrives."),
    )
    jitter_seconds = models.PositiveIntegerField(
        _("random part of the delay, in seconds"), default=900, validators=[MaxValueValidator(2 * 3600)]
    )
    text_days = models.PositiveSmallIntegerField(
        _("texts are kept, in days"),
        default=keeping.TEXT_DAYS,
        db_default=keeping.TEXT_DAYS,
        validators=[MaxValueValidator(keeping.LONGEST_TEXT_DAYS)],
        help_text=_("With 0 no text is stored: messages are only counted. What somebody holds as evidence stays."),
    )
    number_days = models.PositiveSmallIntegerField(
        _("senders’ numbers are kept, in days"),
        default=keeping.NUMBER_DAYS,
        db_default=keeping.NUMBER_DAYS,
        validators=[MinValueValidator(1), MaxValueValidator(keeping.LONGEST_NUMBER_DAYS)],
        help_text=_("Days after the sender’s last message. A sender who comes later is recognized all the same."),
    )
    body_days = models.PositiveSmallIntegerField(
        _("unreadable requests are kept, in days"),
        default=keeping.BODY_DAYS,
        db_default=keeping.BODY_DAYS,
        validators=[MinValueValidator(1), MaxValueValidator(keeping.LONGEST_BODY_DAYS)],
    )
    calls = models.CharField(
        _("callers get"),
        max_length=6,
        choices=Calls,
        default=Calls.REJECT,
        db_default=Calls.REJECT,
        help_text=_(
            "Calls and messages count towards one limit. A message is spoken only after the safety delay; before that, "
            "and where a budget has no room, the caller hears the busy tone and gets the reply by SMS."
        ),
    )
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    messages_per_second = models.DecimalField(
        _("messages per second"),
        max_digits=5,
        decimal_places=2,
        default=USUAL,
        validators=[MinValueValidator(SLOWEST), MaxValueValidator(FASTEST)],
        help_text=_(
            "The pace at which the provider lets this number send. When many write at once, replies wait their turn. "
            "Ask the provider before you raise it."
        ),
    )
    replies_per_hour = models.PositiveIntegerField(
        _("replies per hour"),
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
        help_text=_("What is not used is kept for two hours at most. Beyond it replies wait, first replies least."),
    )
    day_budget = money.budget(
        _("budget per day"), _("Replies that would pass it wait for the next day, at midnight UTC.")
    )
    month_budget = money.budget(_("budget per month"))
    inbound_budget = money.budget(
        _("budget per day for messages received"),
        _(
            "Providers charge for them, also those of blocked senders. When it is spent the number is disconnected at "
            "the provider until midnight UTC: nothing arrives, and nothing is charged. Empty: no limit."
        ),
        default=decimal.Decimal(10),
    )
    hook_token = models.CharField(max_length=22, unique=True, default=new_hook_token, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("hotline")
        verbose_name_plural = _("hotlines")
        ordering: ClassVar = ["organization", "name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(reply_limit__gte=1, reply_limit__lte=MAX_REPLY_LIMIT), name="hotline_reply_limit"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["draft", "active", "silent", "suspended", "retired"]),
                name="hotline_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(calls__in=["reject", "text", "speak"]), name="hotline_calls_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="suspended") | ~models.Q(state_reason=""),
                name="hotline_suspension_has_reason",
            ),
            models.CheckConstraint(
                condition=models.Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | models.Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="hotline_quiet_hours_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(window_hours__gte=1, block_hours__gte=1), name="hotline_window_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(successor__isnull=True) | ~models.Q(successor=models.F("pk")),
                name="hotline_not_own_successor",
            ),
            models.CheckConstraint(
                condition=models.Q(stand_in__isnull=True) | ~models.Q(stand_in=models.F("pk")),
                name="hotline_not_own_stand_in",
            ),
            models.CheckConstraint(
                condition=models.Q(replies_per_hour__gte=1)
                & money.not_negative("day_budget", "month_budget", "inbound_budget"),
                name="hotline_budgets_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(text_days__lte=keeping.LONGEST_TEXT_DAYS)
                & models.Q(number_days__range=(1, keeping.LONGEST_NUMBER_DAYS))
                & models.Q(body_days__range=(1, keeping.LONGEST_BODY_DAYS)),
                name="hotline_keeps_no_longer",
            ),
            models.CheckConstraint(
                condition=models.Q(messages_per_second__gte=SLOWEST, messages_per_second__lte=FASTEST),
                name="hotline_pace_in_range",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def kind_label(self) -> str:
        return kinds.label(self.kind)

    @property
    def policy(self) -> Policy:
        return Policy(
            reply_limit=self.reply_limit,
            window=datetime.timedelta(hours=self.window_hours),
            block_time=datetime.timedelta(hours=self.block_hours),
            safety_delay=datetime.timedelta(seconds=self.delay_seconds),
            jitter=datetime.timedelta(seconds=self.jitter_seconds),
            quiet_from=self.quiet_from,
            quiet_until=self.quiet_until,
            time_zone=zoneinfo.ZoneInfo(self.organization.time_zone),
            countries=frozenset(self.countries),
            answering=self.state == self.State.ACTIVE,
        )

    def clean(self) -> None:
        """Errors an NGO's editor can act on; the database's constraints hold the same without words."""
        problems: dict[str, Any] = {}
        if self.account_id and self.organization_id and self.account.organization_id != self.organization_id:
            problems["account"] = _("This account belongs to another organization.")
        if (self.quiet_from is None) != (self.quiet_until is None):
            problems["quiet_until"] = _("Give both ends of the quiet hours, or none.")
        if self.state == self.State.SUSPENDED and not self.state_reason:
            problems["state_reason"] = _("Say why the number is suspended; your colleagues will want to know.")
        if not isinstance(self.languages, list) or not all(choices.is_language(code) for code in self.languages):
            problems["languages"] = _('A list of language codes is expected, like ["fr", "en"].')
        elif self.default_language not in self.languages:
            problems["default_language"] = _("The default language must be one of the hotline's languages.")
        if not isinstance(self.countries, list) or not all(choices.is_country(code) for code in self.countries):
            problems["countries"] = _('A list of two-letter country codes is expected, like ["FR", "BE"].')
        if self.successor_id and self.successor and self.successor.organization_id != self.organization_id:
            problems["successor"] = _("The successor belongs to another organization.")
        if self.stand_in_id and self.stand_in:
            problems |= self._wrong_stand_in(self.stand_in)
        if problems:
            raise ValidationError(problems)

    def _wrong_stand_in(self, number: Hotline) -> dict[str, Any]:
        """Why `number` cannot stand in, in words."""
        if number.organization_id != self.organization_id:
            return {"stand_in": _("That number belongs to another organization.")}
        if self.account_id and number.account_id == self.account_id:
            return {"stand_in": _("That number is on the same account, and cannot send either when this one cannot.")}
        if number.state not in self.STANDS_IN:
            return {"stand_in": _("That number is suspended or retired.")}
        return {}

    def rotate_hook_token(self) -> None:
        """A new webhook address; the old one stops working within `HOOK_CACHE_SECONDS` everywhere."""
        self.hook_token = new_hook_token()
        self.save(update_fields=["hook_token"])
