"""Phones and other gateways of one's own: whether they are still there."""

from __future__ import annotations

import datetime

from django.db.models import Q

from providers.base import SignOfLife
from providers.models import LOW_BATTERY, GatewayLife

from . import alerts

#: One that has pinged before and is silent for so long is off, or without a network; pings come every ten minutes.
SILENT_AFTER = datetime.timedelta(hours=1)


def note(account_id: int, sign: SignOfLife, now: datetime.datetime) -> None:
    """It lives. What was told of its silence or its battery is over, unless the battery is still low."""
    low = sign.battery is not None and sign.battery < LOW_BATTERY
    said = {"seen_at": now, "battery": sign.battery, "failed": sign.failed}
    # One that waited on disk may be older than what is known.
    mine = GatewayLife.objects.filter(account=account_id, seen_at__lte=now)
    if not mine.update(**said, **({} if low else {"told_at": None})):
        GatewayLife.objects.bulk_create([GatewayLife(account_id=account_id, **said)], ignore_conflicts=True)


def tell(now: datetime.datetime) -> int:
    """Mail the organizations whose gateway is silent or soon will be, once for each time; returns how many."""
    troubled = GatewayLife.objects.filter(
        Q(seen_at__lte=now - SILENT_AFTER) | Q(battery__lt=LOW_BATTERY), told_at__isnull=True
    ).select_related("account__organization")
    told = 0
    for life in troubled:
        mine = GatewayLife.objects.filter(pk=life.pk, seen_at=life.seen_at)
        if mine.filter(told_at__isnull=True).update(told_at=now):
            silent = life.seen_at <= now - SILENT_AFTER
            delivered = alerts.gateway_silent(life) if silent else alerts.battery_low(life)
            told += delivered
            if not delivered and life.account.organization.alert_addresses:
                mine.filter(told_at=now).update(told_at=None)
    return told
