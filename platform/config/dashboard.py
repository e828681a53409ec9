"""The first page: what happened today in each organization, and what to do next."""

from __future__ import annotations

import datetime
import zoneinfo
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from conversations.models import Block, Conversation
from hotlines.models import Account, Hotline
from organizations import members
from organizations.models import Organization
from organizations.scoped_admin import access
from organizations.tenancy import EDIT, OWN
from outbox import restored
from replies import versions

from . import overview, sessions

#: An operator of very many organizations finds the others in their list.
MOST = 20
#: Who has more organizations sees their charts one by one: a chart costs its statements.
MOST_CHARTS = 3


@dataclass(frozen=True)
class NextStep:
    """One sentence and, for who may do it, where."""

    text: str
    url: str = ""
    label: str = ""


@dataclass
class Today:
    organization: Organization
    senders: int = 0
    blocks: int = 0
    active: int = 0
    warnings: list[str] = field(default_factory=list)
    texts_waiting: int = 0
    next_step: NextStep | None = None
    day: overview.Day | None = None
    chart: overview.Chart | None = None


def callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the theme asks for before it renders the first page."""
    organizations = list(Organization.objects.for_user(request.user).order_by("name")[: MOST + 1])
    context["spans"] = overview.SPANS
    context["cards"] = _cards(request, organizations[:MOST])
    context["more_organizations"] = len(organizations) > MOST
    context["sending_stopped"] = _sending_stopped(request, organizations)
    context["offers"] = members.offered_to(request.user)
    return context


def _sending_stopped(request: HttpRequest, organizations: list[Organization]) -> str:
    """What owners and operators read while nothing is sent because of a restored database; "" otherwise."""
    operates = bool(getattr(request.user, "is_superuser", False))
    if not operates and not any(access(request).may(organization.pk, OWN) for organization in organizations):
        return ""
    if restored.stopped_since() is None:
        return ""
    if operates:
        return _(
            "Nothing is sent on the whole platform: the database may have been restored from a backup, and people "
            "would get twice what was sent since. On the server, `manage.py restored` says how to go on."
        )
    return _(
        "No reply is sent at the moment, on the whole platform: the database may have been restored from a backup. "
        "Messages are received and stored. The operators of the platform have been told."
    )


def _cards(request: HttpRequest, organizations: list[Organization]) -> list[Today]:
    cards = {organization.pk: Today(organization) for organization in organizations}
    zones: dict[str, list[int]] = defaultdict(list)
    for organization in organizations:
        zones[organization.time_zone].append(organization.pk)
    for zone, ids in zones.items():
        _count(cards, ids, timezone.now().astimezone(zoneinfo.ZoneInfo(zone)))
    for account in Account.objects.filter(organization__in=cards, sending_paused_at__isnull=False):
        text = _("Sending is paused on the account “%(account)s”: the provider refuses it (%(reason)s).")
        cards[account.organization_id].warnings.append(
            text % {"account": account.label, "reason": account.sending_paused_reason}
        )
    for pk, count in versions.count_waiting(organizations).items():
        cards[pk].texts_waiting = count
    now = timezone.now()
    days = overview.days(organizations, now)
    for card in cards.values():
        card.next_step = _next_step(request, card)
        card.day = days[card.organization.pk]
        if len(cards) <= MOST_CHARTS and sessions.BY_ITSELF not in request.headers:
            card.chart = overview.chart(card.organization, request.GET.get("span", ""), now)
    return list(cards.values())


def _count(cards: dict[int, Today], ids: list[int], now: datetime.datetime) -> None:
    """Senders and blocks since midnight, and active numbers. Senders start from the conversations that were active
    today, which an index finds; `overview.days` counts what they wrote.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    today = Q(organization__in=ids, last_message_at__gte=midnight)
    for name, rows in (
        ("senders", Conversation.objects.filter(today, tester=False)),
        ("blocks", Block.objects.filter(organization__in=ids, since__gte=midnight)),
        ("active", Hotline.objects.filter(organization__in=ids, state=Hotline.State.ACTIVE)),
    ):
        counted: Any = rows.order_by().values("organization").annotate(count=Count("pk"))
        for row in counted:
            setattr(cards[row["organization"]], name, row["count"])


def _next_step(request: HttpRequest, card: Today) -> NextStep | None:
    """What keeps this organization from being answered for, one thing at a time."""
    organization = card.organization
    owns = access(request).may(organization.pk, OWN)
    edits = access(request).may(organization.pk, EDIT)
    if not Account.objects.filter(organization=organization).exists():
        text = _("No account with a telephone provider yet: without one, no number can receive or answer.")
        return NextStep(text, *_link(owns, "admin:hotlines_account_add", _("Add an account")))
    if not Hotline.objects.filter(organization=organization).exists():
        text = _("No hotline yet. Enter the number you rented from your provider.")
        return NextStep(text, *_link(edits, "admin:hotlines_hotline_add", _("Add a hotline")))
    if not card.active:
        text = _("No hotline is active, so nobody is answered. What is left to do stands on one page.")
        first = Hotline.objects.filter(organization=organization).exclude(state=Hotline.State.RETIRED).order_by("-pk")
        row = first.first()
        if row is None or not edits:
            return NextStep(text, *_link(edits, "admin:hotlines_hotline_changelist", _("Open the hotlines")))
        return NextStep(text, reverse("admin:hotlines_hotline_guide", args=(row.pk,)), _("Step by step"))
    if not Conversation.objects.filter(organization=organization).exists():
        text = _(
            "Nobody has written yet. Give the webhook address of your hotline to the provider, then text the number "
            "yourself to see it answer."
        )
        return NextStep(text, *_link(edits, "admin:hotlines_hotline_changelist", _("Open the hotlines")))
    return None


def _link(allowed: bool, name: str, label: str) -> tuple[str, str]:  # noqa: FBT001
    return (reverse(name), label) if allowed else ("", "")
