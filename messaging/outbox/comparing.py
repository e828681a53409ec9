"""Which of two first replies ends more conversations: the share of senders who write again, with what is not known.

Shown only where it can show anything. With fewer than `ENOUGH` senders to each text the interval is wider than any
difference a text makes, and people would read chance (CAMPAIGNS.md has what texts change: a few in a hundred).
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format

from conversations.models import Message, Reply
from conversations.words import ReplyState
from hotlines.choices import language_name
from hotlines.extension import Panel
from hotlines.models import Hotline
from replies.models import Arm, ReplyTemplate, TextVersion

#: Senders to each text below which nothing is told.
ENOUGH = 400
#: A sender counts once he has had so long to write again.
PATIENCE = datetime.timedelta(days=2)
#: The 97.5 % quantile of the normal distribution: intervals of 95 %.
_Z = 1.959964


@dataclass(frozen=True)
class Share:
    """`some` of `all`, and Wilson's interval of 95 % around it (Wilson 1927, J. Am. Stat. Assoc. 22, 209)."""

    some: int
    all: int

    @property
    def value(self) -> float:
        return self.some / self.all if self.all else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        if not self.all:
            return 0.0, 1.0
        n, p, z2 = self.all, self.value, _Z * _Z
        middle, half = (p + z2 / (2 * n)), _Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n))


def difference(a: Share, b: Share) -> tuple[float, float]:
    """The interval of 95 % of a's share less b's (Newcombe 1998, Stat. Med. 17, 873, method 10)."""
    (al, au), (bl, bu) = a.interval, b.interval
    apart = a.value - b.value
    below = math.hypot(a.value - al, bu - b.value)
    above = math.hypot(au - a.value, b.value - bl)
    return apart - below, apart + above


@dataclass(frozen=True)
class Comparison:
    """Of one language: who wrote again after text A and after text B, since both are as they are."""

    language: str
    a: Share
    b: Share

    @property
    def enough(self) -> bool:
        return min(self.a.all, self.b.all) >= ENOUGH

    @property
    def better(self) -> str:
        """The text after which fewer write again, where that is no chance; else ""."""
        low, high = difference(self.a, self.b)
        if low > 0:
            return Arm.B
        return Arm.A if high < 0 else ""


def of(hotline: Hotline, now: datetime.datetime) -> list[Comparison]:
    """One for each language in which two texts are compared; one statement, and two more for each."""
    rivals = ReplyTemplate.objects.filter(hotline=hotline, arm=Arm.B, approved=True)
    return [_of(hotline, rival, now) for rival in rivals.order_by("language")]


def _of(hotline: Hotline, rival: ReplyTemplate, now: datetime.datetime) -> Comparison:
    both = ReplyTemplate.objects.filter(hotline=hotline, purpose="reply", step=1, language=rival.language)
    last = TextVersion.objects.filter(template__in=both, state=TextVersion.State.USED).order_by("-pk").first()
    since = max(rival.created_at, (last.decided_at or last.written_at) if last else rival.created_at)
    sent = Reply.objects.filter(
        hotline=hotline,
        slot=1,
        state=ReplyState.SENT,
        language=rival.language,
        arm__in=(Arm.A, Arm.B),
        sent_at__gte=since,
        sent_at__lt=now - PATIENCE,
        conversation__tester=False,
    )
    again = Message.objects.filter(
        conversation=OuterRef("conversation"),
        received_at__gt=OuterRef("sent_at"),
        received_at__lte=OuterRef("sent_at") + PATIENCE,
    )
    counted = (
        sent.annotate(again=Exists(again))
        .order_by()
        .values("arm")
        .annotate(
            senders=Count("conversation", distinct=True),
            some=Count("conversation", filter=Q(again=True), distinct=True),
        )
    )
    shares = {row["arm"]: Share(row["some"], row["senders"]) for row in counted}
    return Comparison(rival.language, shares.get(Arm.A, Share(0, 0)), shares.get(Arm.B, Share(0, 0)))


# --- the box on a number's page ---------------------------------------------------------------------------------------
def shown(_request: HttpRequest, hotline: Hotline) -> Mapping[str, Any] | None:
    """Hidden where nothing is compared."""
    rows = [_row(comparison) for comparison in of(hotline, timezone.now())]
    return {"rows": rows, "enough": ENOUGH} if rows else None


def _row(comparison: Comparison) -> dict[str, Any]:
    row: dict[str, Any] = {"language": language_name(comparison.language), "comparison": comparison}
    if comparison.enough:
        row |= {"a": _told(comparison.a), "b": _told(comparison.b)}
    return row


def _told(share: Share) -> dict[str, str]:
    low, high = share.interval
    per_cent = [number_format(100 * value, decimal_pos=1) for value in (share.value, low, high)]
    return dict(zip(("value", "low", "high"), per_cent, strict=True))


PANEL = Panel("outbox/comparing_panel.html", shown)
