"""From a proven request to rows: the same way for one that was just received and for one that waited in the spool."""

from __future__ import annotations

import dataclasses
import logging
from uuid import UUID

from hotlines.models import EndpointPin
from outbox import gateways, reports
from providers import registry
from providers.base import DeliveryReport, Provider, SignOfLife, Unusable

from . import calls, parts, receive, rows, unreadable
from .arrival import Arrival
from .hooks import Hook
from .receipts import Receipt
from .receive import Later

log = logging.getLogger("paravent.webhook")


def accept(hook: Hook, arrival: Arrival, *, may_wait: bool = False) -> Receipt | Later:
    """Store what `arrival` brings; `may_wait` allows `Later`. Raises `UnknownProvider`, and database errors."""
    speaker = registry.get(arrival.provider)
    if arrival.endpoint == EndpointPin.Endpoint.REPORT:
        return _report(hook, speaker, arrival)
    if arrival.endpoint == EndpointPin.Endpoint.CALL:
        return calls.accept(hook, arrival, live=False)[0]
    return _message(hook, speaker, arrival, may_wait=may_wait)


def _message(hook: Hook, speaker: Provider, arrival: Arrival, *, may_wait: bool) -> Receipt | Later:
    """Receive the message; one that we cannot use is kept as unreadable."""
    try:
        found = speaker.parse_message(arrival.signed)
        if isinstance(found, SignOfLife):
            gateways.note(hook.account_id, found, arrival.received_at)
            return Receipt.STORED
        if isinstance(found, DeliveryReport):
            return _take(hook, arrival, found, found.reply)
        if not rows.addressed_to(hook, found):
            raise Unusable("addressed to another number", found.id)
    except Unusable as error:
        log.warning("unreadable message on hotline %s: %s", hook.hotline_id, error)
        return unreadable.keep(hook, arrival.signed.body, str(error), arrival.verification, arrival.received_at)
    message = dataclasses.replace(found, received_at=arrival.received_at)
    if message.part is not None:
        return parts.take(hook, message, message.part, arrival.verification)
    return receive.receive(hook, message, arrival.verification, may_wait=may_wait)


def _report(hook: Hook, speaker: Provider, arrival: Arrival) -> Receipt:
    """Take the delivery report on the reply that its path names."""
    try:
        found = speaker.parse_report(arrival.signed)
    except Unusable as error:
        # Nobody waits for a report: it is said in the log, and 2xx ends the provider's retries.
        log.warning("unusable report on hotline %s: %s", hook.hotline_id, error)
        return Receipt.DUPLICATE
    return _take(hook, arrival, found, arrival.reply)


def _take(hook: Hook, arrival: Arrival, found: DeliveryReport, reply: UUID | None) -> Receipt:
    """Without a reply that it is about, a report tells nothing."""
    if reply is None:
        return Receipt.DUPLICATE
    stored = reports.take(
        hook.organization_id,
        hook.account_id,
        hook.hotline_id,
        reply,
        found,
        body=arrival.signed.body,
        nonce_hash=rows.nonce_hash(arrival.verification),
    )
    return Receipt.STORED if stored else Receipt.NONCE_REUSED
