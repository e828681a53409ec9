"""Numbers whose budget for what they receive is spent are taken off at the provider, and attached again afterwards.

`shield.intake` decides; this does it, as often as it takes. Each step is written before the next call, and each call
may be repeated: what the provider's own record of the number says is what counts, not that a call went well.
"""

from __future__ import annotations

import datetime
import logging
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from hotlines.models import Hotline
from privacy import vault
from providers import registry
from providers.base import Unavailable
from shield.models import Alert, Detachment

from . import faults

log = logging.getLogger("paravent.outbox")

#: Seconds until the next attempt after the first that failed; each further one waits twice as long, up to the most.
_PAUSE, _LONGEST_PAUSE = 15, 600
#: So many attempts must fail, in about two minutes, until a person is told.
_TOLD_AFTER = 4
#: An attempt makes three calls at most, each of which ends within four time-outs. Nobody else begins one before then.
_CALLS = 3 * 4


def carry_out(now: datetime.datetime) -> int:
    """Detach and attach what is due; returns how many numbers are now as they should be."""
    due = (
        Detachment.objects.filter(attached_at__isnull=True, next_attempt_at__lte=now)
        .exclude(detached_at__isnull=False, ended_at__isnull=True)
        .select_related("hotline__account")
        .order_by("next_attempt_at", "pk")
    )
    return sum(_attempt(detachment, now) for detachment in due)


def _attempt(detachment: Detachment, now: datetime.datetime) -> bool:
    mine = Detachment.objects.filter(pk=detachment.pk)
    lease = datetime.timedelta(seconds=_CALLS * settings.PROVIDER_TIMEOUT)
    claimed = mine.filter(next_attempt_at=detachment.next_attempt_at, attached_at__isnull=True)
    if not claimed.update(attempts=F("attempts") + 1, next_attempt_at=now + lease):
        return False
    detachment.refresh_from_db(fields=("attempts", "application", "detached_at", "ended_at"))
    retry_after: float | None = None
    try:
        done = _attached(detachment) if detachment.ended_at is not None else _detached(detachment)
    except faults.OF_THE_DATABASE:
        raise
    except Unavailable as error:
        detail, retry_after = str(error), error.retry_after
    except (vault.Unreadable, registry.UnknownProvider) as error:
        detail = type(error).__name__
    except Exception as error:  # noqa: BLE001  one number must not keep all others waiting
        detail = type(error).__name__
        log.error("number of hotline %s could not be moved: %s", detachment.hotline_id, faults.named(error))
    else:
        mine.update(attempts=0, detail="", next_attempt_at=timezone.now(), **done)
        return True
    pause = min(_PAUSE * 2 ** (detachment.attempts - 1), _LONGEST_PAUSE)
    wait = datetime.timedelta(seconds=max(pause, retry_after or 0))
    mine.update(detail=detail[:60], next_attempt_at=timezone.now() + wait)
    if detachment.attempts >= _TOLD_AFTER:
        _raise_alert(detachment)
    return False


def _detached(detachment: Detachment) -> dict[str, Any]:
    hotline = detachment.hotline
    provider, credentials = registry.get(hotline.account.provider), hotline.account.credentials
    if detachment.application is None:
        detachment.application = provider.application(hotline.number, credentials)
        # Committed before the number is taken off: nobody else would know where it belongs.
        Detachment.objects.filter(pk=detachment.pk).update(application=detachment.application)
    if detachment.application:
        provider.attach(hotline.number, "", credentials)
        if provider.application(hotline.number, credentials):
            raise Unavailable("still attached")
    return {"detached_at": timezone.now()}


def _attached(detachment: Detachment) -> dict[str, Any]:
    hotline = detachment.hotline
    provider, credentials = registry.get(hotline.account.provider), hotline.account.credentials
    # What a person attached it to meanwhile stays.
    if detachment.application and not provider.application(hotline.number, credentials):
        provider.attach(hotline.number, detachment.application, credentials)
        if provider.application(hotline.number, credentials) != detachment.application:
            raise Unavailable("not attached")
    return {"attached_at": timezone.now()}


def _raise_alert(detachment: Detachment) -> None:
    Alert.objects.get_or_create(
        kind=Alert.Kind.NUMBER,
        key=f"{detachment.pk}:{'detach' if detachment.ended_at is None else 'attach'}",
        defaults={
            "organization_id": detachment.organization_id,
            "hotline_id": detachment.hotline_id,
            "detachment": detachment,
            "at": timezone.now(),
        },
    )


def was_off(hotline: Hotline, since: datetime.datetime, until: datetime.datetime) -> bool:
    """Whether the number was, or was being, taken off at some moment of this time."""
    standing = Q(attached_at__isnull=True) | Q(attached_at__gte=since)
    return Detachment.objects.filter(standing, hotline=hotline, decided_at__lte=until).exists()
