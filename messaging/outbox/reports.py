"""Delivery reports: they move a reply forward only, and settle one whose call had no answer."""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from conversations.models import DeliveryReport, Reply
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
        reply = (
            Reply.objects.select_for_update(of=("self",))
            .filter(uuid=reply_uuid, hotline_id=hotline_id, attempts__gt=0)
            .first()
        )
        if reply is None:
            return True
        seen = DeliveryReport.objects.filter(account_id=account_id, nonce_hash=nonce_hash).first()
        if nonce_hash is not None and seen is not None:
            if bytes(seen.body_fingerprint) != fingerprint or seen.reply_id != reply.pk:
                log.warning("report on reply %s: nonce used twice, refused", reply.pk)
                return False
            return True
        try:
            with transaction.atomic():
                DeliveryReport.objects.create(
                    reply=reply,
                    account_id=account_id,
                    nonce_hash=nonce_hash,
                    body_fingerprint=fingerprint,
                    status=report.status or "",
                    sequence=report.sequence,
                    received_at=now,
                )
        except IntegrityError:
            return True  # the same delivery, at the same moment, by another process
        try:
            with transaction.atomic():
                changes = _changes(reply, report)
                if changes:
                    Reply.objects.filter(pk=reply.pk).update(**changes)
        except IntegrityError:
            # The provider's id belongs to another reply. Its nonce is kept all the same.
            log.warning("report on reply %s contradicts another one: ignored", reply.pk)
    return True


def _changes(reply: Reply, report: base.DeliveryReport) -> dict[str, object]:
    changes: dict[str, object] = {}
    if reply.state in _SETTLED_BY_REPORT:
        changes |= {
            "state": ReplyState.SENT,
            "provider_id": report.id[:128],
            "sent_at": reply.claimed_at or timezone.now(),
            "finished_at": timezone.now(),
            "detail": "settled by report",
        }
    elif reply.provider_id != report.id[:128]:
        return {}
    if report.status is not None and outranks(report.status, report, reply):
        changes |= {
            "delivery": report.status.value,
            "delivery_sequence": report.sequence,
            "error_code": report.error_code,
        }
    if report.cost is not None and (reply.cost is None or report.cost > reply.cost):
        changes["cost"] = report.cost
    return changes


def outranks(status: base.Delivery, report: base.DeliveryReport, reply: Reply) -> bool:
    """Whether a report says more than what is known: a total order, so that any order of arrival ends the same."""
    if not reply.delivery:
        return True
    known = base.Delivery(reply.delivery)
    said = (status.rank, report.sequence, status.value, report.error_code)
    return said > (known.rank, reply.delivery_sequence, known.value, reply.error_code)
