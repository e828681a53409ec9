"""What each number of an organization does today, and how its messages went over hours, days and weeks.

Statements do not grow with the number of hotlines. Nothing counts all messages there are: hours start from the
conversations that were active, days and weeks are read from what the budgets counted anyway.
"""

from __future__ import annotations

import datetime
import json
import zoneinfo
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncHour
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from conversations.models import Conversation, Message, Reply
from conversations.words import ReplyState
from hotlines.models import Hotline
from organizations.models import Organization
from outbox import breaker
from shield import glance
from shield.budgets import Scope, Window
from shield.models import Spending

_DAY = datetime.timedelta(days=1)
_HOUR = datetime.timedelta(hours=1)
#: A page that somebody reads has so many numbers; the others are in the list of hotlines.
MOST = 30
_ARRIVED, _LOST = ("delivered",), ("undelivered", "failed")
SPANS = {"hour": gettext_lazy("24 hours"), "day": gettext_lazy("30 days"), "week": gettext_lazy("26 weeks")}


@dataclass(frozen=True)
class Row:
    """A number today. `delivered` is the share of replies of 24 hours known to have arrived, of those known at all."""

    hotline: Hotline
    glance: glance.Glance
    messages: int
    replies: int
    delivered: int | None
    silent: bool


@dataclass(frozen=True)
class Day:
    """An organization since its midnight: all its numbers together, and those that are not retired one by one."""

    messages: int
    replies: int
    #: Messages of who tries a number, which the others do not hold.
    tests: int
    rows: list[Row]


@dataclass(frozen=True)
class Point:
    label: str
    received: int
    replied: int


@dataclass(frozen=True)
class Chart:
    """The same for eyes (`data`, Chart.js) and for a screen reader (`points`)."""

    span: str
    points: list[Point]

    @property
    def data(self) -> str:
        """JSON for the theme's chart."""
        series = (
            (_("Messages received"), "var(--color-base-400)", [point.received for point in self.points]),
            (_("Replies"), "var(--color-primary-600)", [point.replied for point in self.points]),
        )
        return json.dumps(
            {
                "labels": [point.label for point in self.points],
                "datasets": [
                    {"label": label, "backgroundColor": colour, "data": data} for label, colour, data in series
                ],
            }
        )

    @property
    def options(self) -> str:
        """JSON for the theme's chart, whose own options lay one series over the other and hide the scale."""
        return json.dumps(
            {
                "grouped": True,
                "maxBarThickness": 14,
                "borderRadius": 3,
                "responsive": True,
                "maintainAspectRatio": False,
                # Digits like those of the rest of the page.
                "locale": f"{get_language()}-u-nu-latn",
                "plugins": {"legend": {"display": True, "align": "start"}},
                "scales": {"x": {"grid": {"display": False}}, "y": {"beginAtZero": True, "ticks": {"precision": 0}}},
            }
        )

    @property
    def empty(self) -> bool:
        return not any(point.received or point.replied for point in self.points)


# --- the numbers ------------------------------------------------------------------------------------------------------
def days(organizations: Sequence[Organization], now: datetime.datetime) -> dict[int, Day]:
    """By organization; of its numbers those first that answer."""
    found = Hotline.objects.filter(organization__in=organizations).exclude(state=Hotline.State.RETIRED)
    hotlines = list(found.select_related("organization", "account").order_by("name", "pk")[: MOST * len(organizations)])
    hotlines.sort(key=lambda hotline: hotline.state != Hotline.State.ACTIVE)
    glances = glance.of(hotlines, now)
    midnights = {its.pk: _midnight(its, now) for its in organizations}
    # A day of the clock may have 25 hours.
    since = min([now - _DAY, *midnights.values()])
    lately = Conversation.objects.filter(organization__in=organizations, last_message_at__gte=since)
    lately_ids = lately.order_by().values("pk")
    messages, tests = _since_midnight(Message.objects.filter(conversation__in=lately_ids), "received_at", midnights)
    sent = Reply.objects.filter(conversation__in=lately_ids, state=ReplyState.SENT)
    replies, _to_testers = _since_midnight(sent, "sent_at", midnights)
    arrived = _delivered(sent.filter(sent_at__gte=now - _DAY))
    rows: dict[int, list[Row]] = {}
    for hotline in hotlines:
        place = (hotline.organization_id, hotline.pk)
        row = Row(
            hotline,
            glances[hotline.pk],
            messages[place],
            replies[place],
            arrived.get(hotline.pk),
            silent=breaker.is_open(hotline.account, now),
        )
        rows.setdefault(hotline.organization_id, []).append(row)
    return {
        its.pk: Day(_of(messages, its), _of(replies, its), _of(tests, its), rows.get(its.pk, [])[:MOST])
        for its in organizations
    }


def _of(counted: Counter[tuple[int, int]], organization: Organization) -> int:
    return sum(count for (pk, _hotline), count in counted.items() if pk == organization.pk)


def _midnight(organization: Organization, now: datetime.datetime) -> datetime.datetime:
    local = now.astimezone(zoneinfo.ZoneInfo(organization.time_zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _since_midnight(
    rows: QuerySet[Any], column: str, midnights: dict[int, datetime.datetime]
) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int]]]:
    """By organization and hotline, rows since the organization's midnight: senders', and testers'."""
    today = Q(pk__in=[])
    for midnight in set(midnights.values()):
        mine = [pk for pk, its in midnights.items() if its == midnight]
        today |= Q(organization__in=mine, **{f"{column}__gte": midnight})
    grouped = rows.filter(today).order_by().values("organization", "hotline", "conversation__tester")
    counts: tuple[Counter[tuple[int, int]], Counter[tuple[int, int]]] = (Counter(), Counter())
    for row in grouped.annotate(count=Count("pk")):
        counts[row["conversation__tester"]][row["organization"], row["hotline"]] = row["count"]
    return counts


def _delivered(replies: QuerySet[Reply]) -> dict[int, int]:
    """By hotline, per cent; without those of which no provider has said anything."""
    known = replies.filter(delivery__in=(*_ARRIVED, *_LOST)).order_by().values("hotline")
    counted: Any = known.annotate(known=Count("pk"), arrived=Count("pk", filter=Q(delivery__in=_ARRIVED)))
    return {row["hotline"]: round(100 * row["arrived"] / row["known"]) for row in counted}


# --- the chart --------------------------------------------------------------------------------------------------------
def chart(organization: Organization, span: str, now: datetime.datetime) -> Chart:
    """`span` is one of `SPANS`; anything else is the first."""
    if span in {"day", "week"}:
        return Chart(span, _by_days(organization, now, weeks=span == "week"))
    return Chart("hour", _by_hours(organization, now))


def _by_hours(organization: Organization, now: datetime.datetime) -> list[Point]:
    zone = zoneinfo.ZoneInfo(organization.time_zone)
    first = now.replace(minute=0, second=0, microsecond=0) - 23 * _HOUR
    lately = Conversation.objects.filter(organization=organization, tester=False, last_message_at__gte=first)
    active = lately.order_by().values("pk")
    received = _hours(Message.objects.filter(conversation__in=active, received_at__gte=first), "received_at")
    sent = Reply.objects.filter(conversation__in=active, state=ReplyState.SENT, sent_at__gte=first)
    replied = _hours(sent, "sent_at")
    hours = [first + number * _HOUR for number in range(24)]
    return [Point(date_format(hour.astimezone(zone), "H:i"), received[hour], replied[hour]) for hour in hours]


def _hours(rows: QuerySet[Any], column: str) -> Counter[datetime.datetime]:
    counted: Any = rows.order_by().values(hour=TruncHour(column, tzinfo=datetime.UTC)).annotate(count=Count("pk"))
    return Counter({row["hour"]: row["count"] for row in counted})


def _by_days(organization: Organization, now: datetime.datetime, *, weeks: bool) -> list[Point]:
    """As the budgets counted them, in days of UTC; a week begins on Monday."""
    today = Window.DAY.start(now)
    length = 7 if weeks else 1
    last = today - _DAY * today.weekday() if weeks else today
    first = last - _DAY * length * (25 if weeks else 29)
    keys = [str(pk) for pk in Hotline.objects.filter(organization=organization).values_list("pk", flat=True)]
    counted = Spending.objects.filter(
        scope__in=(Scope.INBOUND, Scope.HOTLINE), window=Window.DAY, key__in=keys, starts_at__gte=first
    ).values_list("scope", "starts_at", "messages")
    sums: Counter[tuple[str, int]] = Counter()
    for scope, day, messages in counted:
        sums[scope, (day - first).days // length] += messages
    return [
        Point(
            date_format(first + _DAY * length * place, "MONTH_DAY_FORMAT"),
            sums[Scope.INBOUND.value, place],
            sums[Scope.HOTLINE.value, place],
        )
        for place in range(26 if weeks else 30)
    ]
