"""Events leave, signed by the Standard Webhooks specification, until the endpoint says that it has them.

At least once: who receives knows a second copy by its `webhook-id`. What an endpoint answers is never kept: it is the
status alone that counts.
"""

from __future__ import annotations

import datetime
import functools
import json
import logging
import time

import httpx
from django.db.models import F
from django.utils import timezone

from outbox import faults
from outbox.clock import shared_now
from privacy import vault
from providers import addresses

from . import signing
from .models import Delivery, Endpoint

log = logging.getLogger("paravent.partners")

#: Seconds between two attempts, as the specification proposes: ten attempts over three days and three hours.
PAUSES = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
#: Seconds for which a run goes on, and within which an endpoint must have answered.
_RUN, _TIMEOUT = 20.0, 5.0
_LONGEST_ANSWER = 64 * 1024


@functools.cache
def client() -> httpx.Client:
    """Without proxies of the environment, which would look names up for us, and without redirects."""
    return httpx.Client(
        timeout=_TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=0),
    )


def deliver_events() -> int:
    """The sweep."""
    return deliver(shared_now())


def deliver(now: datetime.datetime) -> int:
    """Attempt what is due, for as long as a run may last; returns how many events arrived."""
    arrived, until = 0, time.monotonic() + _RUN
    due = Delivery.objects.filter(next_attempt_at__lte=now, endpoint__paused_at__isnull=True)
    for delivery in due.select_related("event", "endpoint").order_by("next_attempt_at", "pk")[:200]:
        if time.monotonic() >= until:
            break
        arrived += _attempt(delivery, now)
    return arrived


def _attempt(delivery: Delivery, now: datetime.datetime) -> bool:
    """One POST. The row says before it what is to come after it, so that a process that dies repeats it later."""
    pause = PAUSES[delivery.attempts] if delivery.attempts < len(PAUSES) else None
    following = None if pause is None else now + datetime.timedelta(seconds=max(pause, 4 * _TIMEOUT))
    mine = Delivery.objects.filter(pk=delivery.pk)
    claimed = mine.filter(next_attempt_at=delivery.next_attempt_at)
    if not claimed.update(attempts=F("attempts") + 1, next_attempt_at=following or now + _LAST_WORD):
        return False
    status = _status(delivery)
    if status.isdigit() and 200 <= int(status) < 300:
        mine.update(delivered_at=timezone.now(), next_attempt_at=None, detail=status)
        return True
    again = None if pause is None else timezone.now() + datetime.timedelta(seconds=pause)
    if status == "410":
        again = None
        Endpoint.objects.filter(pk=delivery.endpoint_id, paused_at__isnull=True).update(
            paused_at=timezone.now(), paused_reason="410"
        )
    mine.filter(delivered_at__isnull=True).update(next_attempt_at=again, detail=status[:60])
    return False


#: How long the last attempt may take before another process may make it again.
_LAST_WORD = datetime.timedelta(minutes=5)


def _status(delivery: Delivery) -> str:
    """The answer's status, or the name of what went wrong."""
    event, endpoint = delivery.event, delivery.endpoint
    body = json.dumps(
        {"type": event.kind, "timestamp": event.at.isoformat(), "data": event.data}, ensure_ascii=False
    ).encode()
    at = timezone.now()
    try:
        target = addresses.resolve(endpoint.url)
        signature = signing.sign(endpoint.secret, event.message_id, at, body)
        headers = {
            "Host": target.netloc,
            "Content-Type": "application/json",
            "User-Agent": "Paravent",
            "webhook-id": event.message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }
        with client().stream(
            "POST", target.url, content=body, headers=headers, extensions={"sni_hostname": target.host}
        ) as response:
            _read(response)
            return str(response.status_code)
    except addresses.Refused:
        return "refused address"
    except (httpx.HTTPError, httpx.InvalidURL, vault.Unreadable, UnicodeError) as error:
        return type(error).__name__
    except Exception as error:  # noqa: BLE001  one endpoint must not keep all others waiting
        log.error("event for endpoint %s failed: %s", delivery.endpoint_id, faults.named(error))
        return type(error).__name__


def _read(response: httpx.Response) -> None:
    """Take the answer's body, and throw it away; not more of it than is polite, and not for longer."""
    until, taken = time.monotonic() + _TIMEOUT, 0
    try:
        for chunk in response.iter_raw():
            taken += len(chunk)
            if taken > _LONGEST_ANSWER or time.monotonic() > until:
                return
    except httpx.HTTPError:
        return


def again(delivery: Delivery) -> None:
    """Begin anew, because a person wishes it."""
    Delivery.objects.filter(pk=delivery.pk).update(
        attempts=0, delivered_at=None, next_attempt_at=timezone.now(), detail=""
    )
