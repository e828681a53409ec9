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

from figures.models import WeekFigures
from hotlines import succession
from hotlines.models import Hotline, StateChange
from outbox import telling
from outbox.clock import shared_now
from shield.models import Alert
from shield.words import Level

from . import regular, visible
from .models import ApiKey, Audience, Delivery, Endpoint, Event, Scope, ToldAlert

_HOUR, _DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)
#: Of an event, so that no body comes near what receivers take (20 kB).
_MOST_ALERTS = 40


def write_events() -> int:
    """The sweep."""
    return write(shared_now())


def write(now: datetime.datetime) -> int:
    """Write what is to be told; returns how many events that are."""
    # Those of paused endpoints too: what happens in a pause is written then, and so not told after it.
    rows = Endpoint.objects.order_by().values_list("organization")
    first = dict(rows.annotate(at=Min("created_at")))
    own = dict(rows.filter(audience=Endpoint.Audience.OWN).annotate(at=Min("created_at")))
    for organization, audience, scopes, made in ApiKey.objects.usable().values_list(
        "organization", "audience", "scopes", "created_at"
    ):
        if Scope.EVENTS in scopes:
            first[organization] = min(first.get(organization, made), made)
            if audience == Audience.OWN:
                own[organization] = min(own.get(organization, made), made)
    private, public = (_write_alerts, _write_spans), (_write_states, _write_weeks)
    return sum(
        _once(writing, organization, since, now) for organization, since in own.items() for writing in private
    ) + sum(_once(writing, organization, since, now) for organization, since in first.items() for writing in public)


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
        event = _tell(organization_id, Event.Kind.ALERTS, now, data, now)
        ToldAlert.objects.bulk_create(ToldAlert(alert=alert, event=event) for alert in chosen)
    return 1


def _write_spans(organization_id: int, since: datetime.datetime, now: datetime.datetime) -> int:
    """Counts of the spans that are over, unless they are told, or there is nothing to tell."""
    written = 0
    for kind, counting, start, end in regular.spans(now):
        # Once in a process: an empty span would be counted at each run until the next one.
        if end <= since or _looked_at.get((organization_id, kind)) == end:
            continue
        told = Event.objects.filter(organization=organization_id, kind=kind, at=end).exists()
        found = {} if told else counting(organization_id, start, end)
        if found:
            numbers = [{"hotline": _hotline(hotline), **counts} for hotline, counts in found.items()]
            data = {"since": start.isoformat(), "until": end.isoformat(), "numbers": numbers}
            _tell(organization_id, kind, end, data, now)
            written += 1
        _looked_at[organization_id, kind] = end
    return written


#: By organization and kind, the end of the span that this process has looked at.
_looked_at: dict[tuple[int, str], datetime.datetime] = {}


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
    data = {
        "hotline": _hotline(change.hotline),
        "before": change.before,
        "after": change.after,
        "successor": _hotline(change.successor),
        "show_now": _hotline(succession.current(change.hotline)),
    }
    _tell(change.organization_id, Event.Kind.STATE, change.at, data, now, state_change=change)
    return 1


def _write_weeks(organization_id: int, since: datetime.datetime, now: datetime.datetime) -> int:
    """Figures that were published, each once."""
    rows = WeekFigures.objects.filter(
        hotline__organization=organization_id, event__isnull=True, published_at__gte=max(since, now - _DAY)
    ).select_related("hotline")
    return sum(_write_week(row, now) for row in rows.order_by("pk"))


def _write_week(row: WeekFigures, now: datetime.datetime) -> int:
    week = {"monday": row.monday.isoformat(), "senders": row.senders, "messages": row.messages}
    data = {"hotline": _hotline(row.hotline), "week": {**week, "languages": row.languages}}
    _tell(row.hotline.organization_id, Event.Kind.WEEK, row.published_at, data, now, week=row)
    return 1


def write_test(endpoint: Endpoint, now: datetime.datetime) -> Delivery:
    """An event that says nothing but that it came."""
    with transaction.atomic():
        event = Event.objects.create(
            organization_id=endpoint.organization_id, kind=Event.Kind.TEST, at=now, data={"endpoint": endpoint.label}
        )
        [delivery] = _send(event, now, [endpoint])
    return delivery


def _tell(
    organization_id: int, kind: str, at: datetime.datetime, data: dict[str, Any], now: datetime.datetime, **about: Any
) -> Event:
    """Write an event, and put it on its way."""
    with transaction.atomic():
        event = Event.objects.create(organization_id=organization_id, kind=kind, at=at, data=data, **about)
        _send(event, now)
    return event


def _send(event: Event, now: datetime.datetime, to: Iterable[Endpoint] | None = None) -> Sequence[Delivery]:
    """Put it on its way to those whom it concerns, and who were there when it happened."""
    if to is None:
        there = Q(created_at__lte=event.at) & (Q(resumed_at__isnull=True) | Q(resumed_at__lte=event.at))
        readers = Q() if _is_for_partners(event) else Q(audience=Endpoint.Audience.OWN)
        to = Endpoint.objects.filter(there, readers, organization=event.organization_id, paused_at__isnull=True)
    return Delivery.objects.bulk_create(
        Delivery(organization_id=event.organization_id, event=event, endpoint=endpoint, next_attempt_at=now)
        for endpoint in to
    )


def _is_for_partners(event: Event) -> bool:
    """Of a number that a published page shows, now or as another's successor; no partner knows of any other."""
    if event.kind not in Event.PUBLIC:
        return False
    about = event.state_change.hotline_id if event.state_change else event.week.hotline_id if event.week else None
    return about in visible.numbers_under(visible.pages_of(event.organization_id))


def _hotline(hotline: Hotline | None) -> dict[str, str] | None:
    if hotline is None:
        return None
    return {"id": str(hotline.uuid), "name": hotline.name, "number": hotline.number, "state": hotline.state}
