from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from hotlines.models import Hotline
from organizations.models import Organization
from organizations.tenancy import ScopedQuerySet

from .budgets import Caps, Line, Name, Scope, Window
from .words import Cause, Level


class Spending(models.Model):
    """What one scope has promised in one window: what is reserved and what was settled. `ledger` alone writes it.

    The caps stand in the row, so that the database itself refuses a sum above them, whatever the code believes. Where
    more was spent already, because a person lowered the cap or a provider billed more than was reserved, the row has
    that as its cap: nothing more fits.
    """

    scope = models.CharField(max_length=12, choices=[(scope.value, scope.value) for scope in Scope])
    #: A row's id, an organization's id and a country, or a keyed digest of a number that changes every day.
    key = models.CharField(max_length=40)
    window = models.CharField(max_length=5, choices=[(window.value, window.value) for window in Window])
    starts_at = models.DateTimeField()
    micros = models.BigIntegerField(default=0)
    messages = models.PositiveIntegerField(default=0)
    recipients = models.PositiveIntegerField(default=0)
    cap_micros = models.BigIntegerField(null=True)
    cap_messages = models.PositiveIntegerField(null=True)
    cap_recipients = models.PositiveIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["scope", "key", "window", "starts_at"], name="spending_once_per_window"),
            models.CheckConstraint(
                # What is received is charged whatever we say: such a row may be above its cap.
                condition=Q(micros__gte=0)
                & (Q(cap_micros__isnull=True) | Q(micros__lte=F("cap_micros")) | Q(scope=Scope.INBOUND)),
                name="spending_within_its_money",
            ),
            models.CheckConstraint(
                condition=Q(cap_messages__isnull=True) | Q(messages__lte=F("cap_messages")),
                name="spending_within_its_messages",
            ),
            models.CheckConstraint(
                condition=Q(cap_recipients__isnull=True) | Q(recipients__lte=F("cap_recipients")),
                name="spending_within_its_recipients",
            ),
            models.CheckConstraint(
                condition=Q(scope__in=[scope.value for scope in Scope])
                & Q(window__in=[window.value for window in Window]),
                name="spending_known",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["window", "starts_at"], name="spending_by_age")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key} {self.window}"

    @property
    def name(self) -> Name:
        return Name(Scope(self.scope), self.key, Window(self.window), self.starts_at)

    @property
    def limits(self) -> list[tuple[int, int]]:
        """What is used of each of its limits, and the limit; the tightest comes first."""
        used = (
            (self.micros, self.cap_micros),
            (self.messages, self.cap_messages),
            (self.recipients, self.cap_recipients),
        )
        return sorted(((spent, cap) for spent, cap in used if cap), key=lambda pair: -pair[0] / pair[1])

    @property
    def share(self) -> int:
        """How much of its tightest limit is used, in hundredths, rounded down."""
        return max((100 * spent // cap for spent, cap in self.limits), default=0)

    @property
    def line(self) -> Line:
        """The row as deciding wants it."""
        caps = Caps(self.cap_micros, self.cap_messages, self.cap_recipients)
        return Line(self.name, caps, self.micros, self.messages, self.recipients)


class CountedRecipient(models.Model):
    """A sender who is among the recipients of a window, by his pseudonym. It goes with its row of spending."""

    spending = models.ForeignKey(Spending, models.CASCADE, related_name="counted", db_index=False)
    sender_key = models.BinaryField(max_length=16)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["spending", "sender_key"], name="recipient_counted_once"),
        ]

    def __str__(self) -> str:
        return str(self.spending_id)


class HotlineLevel(models.Model):
    """The level of a hotline, and what detection has learned of it. `judge` alone writes it.

    `detected` is what senders and texts say, `level` what people see: a budget that runs out raises it too.
    """

    hotline = models.OneToOneField(Hotline, models.CASCADE, primary_key=True, related_name="level")
    level = models.CharField(_("level"), max_length=6, choices=Level, default=Level.NORMAL)
    since = models.DateTimeField(_("since"))
    detected = models.CharField(max_length=6, choices=Level, default=Level.NORMAL)
    #: When detection left "normal"; null while it has not.
    raised_at = models.DateTimeField(null=True)
    calm_since = models.DateTimeField(null=True)
    #: The sum of new senders above twice the usual, up to `folded_until`; later bins are not in it.
    surge = models.FloatField(default=0.0)
    folded_until = models.DateTimeField(null=True)
    #: `baseline.Baseline.dump`.
    usual = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(level__in=Level.values, detected__in=["normal", "watch", "raid"]), name="level_known"
            ),
            models.CheckConstraint(
                condition=Q(detected="normal", raised_at__isnull=True, calm_since__isnull=True)
                | (~Q(detected="normal") & Q(raised_at__isnull=False)),
                name="level_raised_since",
            ),
        ]

    def __str__(self) -> str:
        return str(self.get_level_display())


class LevelChange(models.Model):
    """A hotline's level changed: when, why and by which figures. Nothing changes or deletes it."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", verbose_name=_("organization"))
    hotline = models.ForeignKey(Hotline, models.CASCADE, related_name="level_changes", verbose_name=_("hotline"))
    at = models.DateTimeField(_("when"))
    before = models.CharField(_("level before"), max_length=6, choices=Level)
    after = models.CharField(_("level"), max_length=6, choices=Level)
    cause = models.CharField(max_length=8, choices=Cause)
    #: New senders in five minutes and in an hour, how many are usual, senders in the largest group of texts, groups.
    figures = models.JSONField(default=dict)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("change of level")
        verbose_name_plural = _("changes of level")
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(before=F("after")), name="level_change_changes"),
            models.CheckConstraint(
                condition=Q(before__in=Level.values, after__in=Level.values, cause__in=Cause.values),
                name="level_change_known",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["hotline", "-at"], name="level_change_latest")]

    def __str__(self) -> str:
        return f"{self.get_before_display()} → {self.get_after_display()}"


class Intake(models.Model):
    """How far received messages are counted in the budgets for them: one row, that `intake` alone writes."""

    #: All messages up to this id are counted.
    counted_to = models.BigIntegerField(default=0)
    #: The highest id at the last look, and when that was: what was being written then is committed at the next one.
    seen_to = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(counted_to__lte=F("seen_to")), name="intake_counts_what_it_saw"),
        ]

    def __str__(self) -> str:
        return str(self.counted_to)


class Detachment(models.Model):
    """A hotline's number was taken off its application at the provider, because the budget for what it receives is
    spent; messages that nobody can pay for do not come any more. Past ones stay as record.

    `intake` decides when it begins and ends; `outbox.detaching` does it at the provider.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", verbose_name=_("organization"))
    hotline = models.ForeignKey(Hotline, models.CASCADE, related_name="detachments", verbose_name=_("hotline"))
    decided_at = models.DateTimeField(_("decided"))
    #: To what the provider handed the number's messages, in its words: "" for nothing, null where nobody asked yet.
    application = models.CharField(max_length=64, null=True)  # noqa: DJ001  not asked is not nothing
    detached_at = models.DateTimeField(_("detached"), null=True)
    #: Since when it is to be attached again.
    ended_at = models.DateTimeField(_("ended"), null=True)
    attached_at = models.DateTimeField(_("attached again"), null=True)
    # Of what is to be done now; both begin anew when it is to be attached again.
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    #: A code of the provider or a short word of ours.
    detail = models.CharField(_("detail"), max_length=60, blank=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("detachment")
        verbose_name_plural = _("detachments")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["hotline"], condition=Q(attached_at__isnull=True), name="detachment_one_open"
            ),
            # Row first, network second: where to attach it again must be known before it is taken off.
            models.CheckConstraint(
                condition=Q(detached_at__isnull=True) | Q(application__isnull=False),
                name="detachment_knows_the_way_back",
            ),
            models.CheckConstraint(
                condition=Q(attached_at__isnull=True) | Q(ended_at__isnull=False),
                name="detachment_ended_before_attached",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_attempt_at"], condition=Q(attached_at__isnull=True), name="detachment_open"),
            models.Index(fields=["hotline", "-decided_at"], name="detachment_latest"),
        ]

    def __str__(self) -> str:
        return str(self.hotline)


class Alert(models.Model):
    """Something that an organization's people, or the platform's operators, are told once. No content, no sender."""

    class Kind(models.TextChoices):
        BUDGET = "budget", _("budget")
        LOOP = "loop", _("loop")
        LEVEL = "level", _("level")
        NUMBER = "number", _("number")

    #: None for the platform's operators.
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, related_name="+", verbose_name=_("organization")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    #: What it is about, so that it is raised once.
    key = models.CharField(max_length=100)
    hotline = models.ForeignKey(Hotline, models.CASCADE, null=True, related_name="+")
    spending = models.ForeignKey(Spending, models.CASCADE, null=True, related_name="+")
    #: Of the budget, in hundredths.
    share = models.PositiveSmallIntegerField(null=True)
    change = models.ForeignKey(LevelChange, models.CASCADE, null=True, related_name="+")
    detachment = models.ForeignKey(Detachment, models.CASCADE, null=True, related_name="+")
    at = models.DateTimeField(_("when"))
    told_at = models.DateTimeField(_("mailed"), null=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "key"], name="alert_once"),
            models.CheckConstraint(
                condition=Q(kind="budget", spending__isnull=False, share__isnull=False)
                | Q(kind="loop", hotline__isnull=False)
                | Q(kind="level", change__isnull=False)
                | Q(kind="number", detachment__isnull=False),
                name="alert_is_about_something",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["at"], condition=Q(told_at__isnull=True), name="alert_to_tell")]

    def __str__(self) -> str:
        return str(self.get_kind_display())
