"""What is worth an alert: budgets that run out, machines that answer us."""

from __future__ import annotations

import datetime

from django.db.models import Q

from conversations.models import Reply
from hotlines.models import Account, Hotline

from .budgets import Scope, Window
from .models import Alert, Spending

#: Hundredths of a budget at which its people are told.
THRESHOLDS = (100, 80, 50)


def budgets(now: datetime.datetime) -> int:
    """Raise an alert for each budget of a day or month that has passed a threshold; returns how many are new.

    One that passes several at once is told of the highest.
    """
    current = Q()
    for window in (Window.DAY, Window.MONTH):
        current |= Q(window=window, starts_at=window.start(now))
    limited = Q(cap_micros__gt=0) | Q(cap_messages__gt=0) | Q(cap_recipients__gt=0)
    rows = Spending.objects.filter(current, limited, scope__in=_TOLD).order_by("pk")
    return sum(_raise(row, now) for row in rows)


_TOLD = (Scope.HOTLINE, Scope.INBOUND, Scope.ORGANIZATION, Scope.ACCOUNT, Scope.PLATFORM)


def _raise(row: Spending, now: datetime.datetime) -> bool:
    threshold = next((limit for limit in THRESHOLDS if row.share >= limit), None)
    if threshold is None or Alert.objects.filter(spending=row, share__gte=threshold).exists():
        return False
    organization, hotline = _owner(row)
    _alert, new = Alert.objects.get_or_create(
        kind=Alert.Kind.BUDGET,
        key=f"{row.pk}:{threshold}",
        defaults={
            "organization_id": organization,
            "hotline_id": hotline,
            "spending": row,
            "share": threshold,
            "at": now,
        },
    )
    return new


def _owner(row: Spending) -> tuple[int | None, int | None]:
    """The organization that pays, and the hotline where it is one's; neither for the platform's budget."""
    match Scope(row.scope):
        case Scope.HOTLINE | Scope.INBOUND:
            hotline = Hotline.objects.filter(pk=row.key).first()
            return (hotline.organization_id, hotline.pk) if hotline else (None, None)
        case Scope.ORGANIZATION:
            return int(row.key), None
        case Scope.ACCOUNT:
            account = Account.objects.filter(pk=row.key).first()
            return (account.organization_id if account else None), None
    return None, None


def loop(reply: Reply, now: datetime.datetime) -> None:
    """Raise an alert for the conversation of a reply that was dropped because a machine answers."""
    Alert.objects.get_or_create(
        kind=Alert.Kind.LOOP,
        key=f"{reply.conversation.uuid}:{reply.episode}",
        defaults={"organization_id": reply.organization_id, "hotline_id": reply.hotline_id, "at": now},
    )
