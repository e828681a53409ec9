"""What endpoints are told, and when an event is written. It holds no sender, no text and no reason that people wrote.

Alerts go out together, six times an hour at most, as by mail; the last of the six is kept for a raid. Which number to
show is told at once, each change by itself.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, Min, OuterRef, Q
from django.utils import translation

from hotlines import succession
from hotlines.models import Hotline, StateChange
from outbox import telling
from outbox.clock import shared_now
from shield.models import Alert
from shield.words import Level

from .models import Delivery, Endpoint, Event, ToldAlert

_HOUR, _DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)
#: Of an event, so that no body comes near what receivers take (20 kB).
_MOST_ALERTS = 40


def write_events() -> int:
    """The sweep."""
    return write(shared_now())


def write(now: datetime.datetime) -> int:
    """Write what is to be told; returns how many events that are."""
    rows = Endpoint.objects.filter(paused_at__isnull=True).order_by("organization").values("organization")
    first = dict(rows.annotate(at=Min("created_at")).values_list("organization", "at"))
    own = dict(
        rows.filter(audience=Endpoint.Audience.OWN).annotate(at=Min("created_at")).values_list("organization", "at")
    )
    return sum(_once(_write_alerts, organization, since, now) for organization, since in own.items()) + sum(
        _once(_write_states, organization, since, now) for organization, since in first.items()
    )


def _once(writing: Callable[..., int], *arguments: Any) -> int:
    """What another process has written at the same moment is written."""
    try:
        return writing(*arguments)
    except IntegrityError:
        return 0


def _write_alerts(organization_id: int, since: datetime.datetime, now: datetime.datetime) -> int:
    """One event of all alerts that none tells of yet, unless this hour has had its events."""
    waiting = Alert.objects.filter(
        ~Exists(ToldAlert.objects.filter(alert=OuterRef("pk"))),
        organization=organization_id,
        at__gte=max(since, now - _DAY),
    )
    if not waiting.exists():
        return 0
    lately = Event.objects.filter(organization=organization_id, kind=Event.Kind.ALERTS, at__gt=now - _HOUR).count()
    if lately >= telling.MOST_PER_HOUR - (not waiting.filter(change__after=Level.RAID).exists()):
        return 0
    found = waiting.select_related("hotline", "spending", "organization", "change", "detachment").order_by("at", "pk")
    chosen = list(found[:_MOST_ALERTS])
    with translation.override(settings.LANGUAGE_CODE):
        data = {"language": settings.LANGUAGE_CODE, "alerts": [_alert(alert) for alert in chosen]}
    with transaction.atomic():
        event = Event.objects.create(organization_id=organization_id, kind=Event.Kind.ALERTS, at=now, data=data)
        ToldAlert.objects.bulk_create(ToldAlert(alert=alert, event=event) for alert in chosen)
        _send(event, now)
    return 1


def _alert(alert: Alert) -> dict[str, Any]:
    told: dict[str, Any] = {
        "kind": alert.kind,
        "at": alert.at.isoformat(),
        "hotline": _hotline(alert.hotline),
        "text": telling.sentence(alert),
    }
    if alert.change is not None:
        change = alert.change
        told |= {"level": {"before": change.before, "after": change.after, "cause": change.cause}}
        told["level"]["figures"] = change.figures
    if alert.share is not None:
        told["share"] = alert.share
    return told


def _write_states(organization_id: int, since: datetime.datetime, now: datetime.datetime) -> int:
    changes = StateChange.objects.filter(
        organization=organization_id, event__isnull=True, at__gte=max(since, now - _DAY)
    ).select_related("hotline__successor", "successor")
    return sum(_write_state(change, now) for change in changes.order_by("at", "pk"))


def _write_state(change: StateChange, now: datetime.datetime) -> int:
    with transaction.atomic():
        event = Event.objects.create(
            organization_id=change.organization_id,
            kind=Event.Kind.STATE,
            at=change.at,
            state_change=change,
            data={
                "hotline": _hotline(change.hotline),
                "before": change.before,
                "after": change.after,
                "successor": _hotline(change.successor),
                "show_now": _hotline(succession.current(change.hotline)),
            },
        )
        _send(event, now)
    return 1


def write_test(endpoint: Endpoint, now: datetime.datetime) -> Delivery:
    """An event that says nothing but that it came."""
    with transaction.atomic():
        event = Event.objects.create(
            organization_id=endpoint.organization_id, kind=Event.Kind.TEST, at=now, data={"endpoint": endpoint.label}
        )
        [delivery] = _send(event, now, [endpoint])
    return delivery


def _send(event: Event, now: datetime.datetime, to: Iterable[Endpoint] | None = None) -> Sequence[Delivery]:
    """Put it on its way to those whom it concerns, and who were there when it happened."""
    if to is None:
        readers = Q() if event.kind == Event.Kind.STATE else Q(audience=Endpoint.Audience.OWN)
        to = Endpoint.objects.filter(readers, organization=event.organization_id, paused_at__isnull=True)
    return Delivery.objects.bulk_create(
        Delivery(organization_id=event.organization_id, event=event, endpoint=endpoint, next_attempt_at=now)
        for endpoint in to
    )


def _hotline(hotline: Hotline | None) -> dict[str, str] | None:
    if hotline is None:
        return None
    return {"id": str(hotline.uuid), "name": hotline.name, "number": hotline.number, "state": hotline.state}
