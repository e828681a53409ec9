"""From a verified request to rows: the same way for one that was just received and for one that waited in the spool."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from uuid import UUID

from outbox import reports
from providers.base import Provider, SignedRequest, Unusable, Verification

from . import receive
from .hooks import Hook
from .receive import Receipt

log = logging.getLogger("paravent.webhook")


def message(
    hook: Hook,
    speaker: Provider,
    signed: SignedRequest,
    verification: Verification,
    now: datetime.datetime,
    *,
    may_wait: bool = False,
) -> Receipt:
    """Receive the message in `signed`, which arrived at `now`; one that we cannot use is kept as unreadable.

    `may_wait` allows `Receipt.LATER`.
    """
    try:
        found = speaker.parse_message(signed)
        if not receive.addressed_to(hook, found):
            raise Unusable("addressed to another number", found.id)
    except Unusable as error:
        log.warning("unreadable message on hotline %s: %s", hook.hotline_id, error)
        return receive.keep_unreadable(hook, signed.body, str(error), verification, now)
    return receive.receive(hook, dataclasses.replace(found, received_at=now), verification, may_wait=may_wait)


def report(hook: Hook, speaker: Provider, signed: SignedRequest, verification: Verification, reply: UUID) -> Receipt:
    """Take the delivery report in `signed` on the reply that its path names."""
    try:
        found = speaker.parse_report(signed)
    except Unusable as error:
        # Nobody waits for a report: it is said in the log, and 2xx ends the provider's retries.
        log.warning("unusable report on hotline %s: %s", hook.hotline_id, error)
        return Receipt.DUPLICATE
    stored = reports.take(
        hook.organization_id,
        hook.account_id,
        hook.hotline_id,
        reply,
        found,
        body=signed.body,
        nonce_hash=receive.nonce_hash(verification),
    )
    return Receipt.STORED if stored else Receipt.NONCE_REUSED
