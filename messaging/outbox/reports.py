"""Delivery reports: they move a reply forward only, and settle one whose call had no answer."""

from __future__ import annotations

import contextlib
import datetime
import logging
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from conversations import sql
from conversations.models import DeliveryReport
from conversations.words import ReplyState
from privacy import pseudonyms
from providers import base

log = logging.getLogger("paravent.outbox")

#: A report proves that the provider took the reply; these states say less than that.
_SETTLED_BY_REPORT = (ReplyState.RELEASED, ReplyState.CLAIMED, ReplyState.UNKNOWN, ReplyState.UNKNOWN_FINAL)


def take(
    organization_id: int,
    account_id: int,
    hotline_id: int,
    reply_uuid: UUID,
    report: base.DeliveryReport,
    *,
    body: bytes,
    nonce_hash: bytes | None,
) -> bool:
    """Apply a verified report. False, and no change, when its nonce was used for another body (SECURITY.md W2).

    A report on a reply that is not this hotline's, or was never sent, changes nothing and is True: a retry of it
    would not help.
    """
    now = timezone.now()
    fingerprint = pseudonyms.fingerprint(organization_id, body)
    with transaction.atomic():
        reply = sql.lock_reply(reply_uuid, hotline_id)
        if reply is None:
            return True
        new = sql.insert_report(
            {
                "reply_id": reply["id"],
                "account_id": account_id,
                "nonce_hash": nonce_hash,
                "body_fingerprint": fingerprint,
                "status": report.status or "",
                "sequence": report.sequence,
                "received_at": now,
            }
        )
        if not new:
            return _is_repeated(account_id, nonce_hash, reply["id"], fingerprint)
        changes = _changes(reply, report, now)
        if not changes:
            return True
        try:
            # Only the provider's id may belong to another reply. Then its nonce is kept all the same.
            with transaction.atomic() if "provider_id" in changes else contextlib.nullcontext():
                sql.update_reply(reply["id"], changes)
        except IntegrityError:
            if "provider_id" not in changes:
                raise
            log.warning("report on reply %s contradicts another one: ignored", reply["id"])
    return True


def _is_repeated(account_id: int, nonce_hash: bytes | None, reply_id: int, fingerprint: bytes) -> bool:
    """Whether a nonce that was there before came with the very same report."""
    seen = DeliveryReport.objects.get(account_id=account_id, nonce_hash=nonce_hash)
    if bytes(seen.body_fingerprint) == fingerprint and seen.reply_id == reply_id:
        return True
    log.warning("report on reply %s: nonce used twice, refused", reply_id)
    return False


def _changes(reply: sql.Values, report: base.DeliveryReport, now: datetime.datetime) -> sql.Values:
    changes: sql.Values = {}
    if reply["state"] in _SETTLED_BY_REPORT:
        changes |= {
            "state": ReplyState.SENT,
            "provider_id": report.id[:128],
            "sent_at": reply["claimed_at"] or now,
            "finished_at": now,
            "detail": "settled by report",
        }
    elif reply["provider_id"] != report.id[:128]:
        return {}
    if report.status is not None and outranks(report.status, report, reply):
        changes |= {
            "delivery": report.status.value,
            "delivery_sequence": report.sequence,
            "error_code": report.error_code,
        }
    if report.cost is not None and (reply["cost"] is None or report.cost > reply["cost"]):
        changes["cost"] = report.cost
        changes["to_settle"] = reply["reserved_at"] is not None
    return changes


def outranks(status: base.Delivery, report: base.DeliveryReport, reply: sql.Values) -> bool:
    """Whether a report says more than what is known: a total order, so that any order of arrival ends the same."""
    if not reply["delivery"]:
        return True
    known = base.Delivery(reply["delivery"])
    said = (status.rank, report.sequence, status.value, report.error_code)
    return said > (known.rank, reply["delivery_sequence"], known.value, reply["error_code"])
