"""Long messages that a provider delivers part by part: kept until all are there, then received as one.

Each step is a transaction of its own, and the rows say which one comes next: part stored, message named, message
received, content erased. Whoever finds them goes on, as often and as many at once as they like.
"""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Mapping
from itertools import groupby

from django.db import Error, IntegrityError, transaction
from django.db.models import QuerySet

from outbox import faults
from outbox.clock import shared_now
from privacy import datakeys, pseudonyms, vault
from providers.base import InboundMessage, Part, Verification

from . import hooks, receive, rows
from .hooks import Hook
from .models import MessagePart
from .receipts import Receipt

log = logging.getLogger("paravent.inbox")
security_log = logging.getLogger("paravent.security")

#: How long the other parts may take. Networks and providers bring them within seconds, or after a fault.
PATIENCE = datetime.timedelta(minutes=3)
#: How long a part that comes again is known: a provider tries for a day.
REMEMBERED = datetime.timedelta(days=3)
#: Stands for parts that did not come.
GAP = "[…]"
_BATCH = 100


def take(hook: Hook, message: InboundMessage, part: Part, verification: Verification) -> Receipt:
    """Store one part, and receive the message if no part of it is lacking any more.

    Raises database errors: the caller must not acknowledge what was not stored.
    """
    row = _row(hook, message, part, verification)
    while (receipt := _stored(row)) is None:
        # He uses the reference again: what is there of the message before is all that will come.
        _join(hook, row)
    if receipt is not Receipt.NONCE_REUSED and _open(row).count() == part.total:
        _join(hook, row)
    return receipt


def join_late_parts() -> int:
    """Receive the messages whose other parts did not come in time, and those that a dead process left half received;
    forget parts that will not come again. Returns how many messages it received.
    """
    now = shared_now()
    late = MessagePart.objects.filter(content_sealed__isnull=False, stored_at__lte=now - PATIENCE)
    groups = {
        (part.hotline_id, bytes(part.group), part.joined_as): part for part in late.order_by("stored_at")[:_BATCH]
    }
    for part in groups.values():
        hook = hooks.of_hotline(part.hotline_id)
        if hook is None:
            continue
        try:
            _receive(hook, part.joined_as) if part.joined_as else _join(hook, part)
        except Error as error:
            log.error("parts on hotline %s are kept, and tried again: %s", part.hotline_id, faults.named(error))
    MessagePart.objects.filter(content_sealed__isnull=True, stored_at__lte=now - REMEMBERED).delete()
    return len(groups)


def _row(hook: Hook, message: InboundMessage, part: Part, verification: Verification) -> MessagePart:
    sender = rows.sender_of(hook, message)
    common = "\x00".join(("part", str(hook.hotline_id), sender, part.reference, str(part.total)))
    row = MessagePart(
        organization_id=hook.organization_id,
        hotline_id=hook.hotline_id,
        account_id=hook.account_id,
        group=pseudonyms.fingerprint(hook.organization_id, common.encode()),
        number=part.number,
        total=part.total,
        provider_id=rows.stored_id(message.id),
        nonce_hash=rows.nonce_hash(verification),
        received_at=message.received_at,
        stored_at=shared_now(),
    )
    content = json.dumps(
        {
            "sender": message.sender,
            "recipient": message.recipient,
            "national": message.national,
            "text": message.text,
            "scheme": verification.scheme,
        }
    )
    row.content_sealed = vault.seal(content, row.place, datakeys.Purpose.TEXT, datakeys.month(message.received_at))
    return row


def _stored(row: MessagePart) -> Receipt | None:
    """Store it, unless it is known, or its nonce is; None where another part has its place."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        if MessagePart.objects.filter(hotline_id=row.hotline_id, provider_id=row.provider_id).exists():
            return Receipt.DUPLICATE
        if row.nonce_hash and MessagePart.objects.filter(account_id=row.account_id, nonce_hash=row.nonce_hash).exists():
            security_log.warning("nonce used twice on hotline %s: refused", row.hotline_id)
            return Receipt.NONCE_REUSED
        if not _open(row).filter(number=row.number).exists():
            raise
        return None
    return Receipt.STORED


def _open(part: MessagePart) -> QuerySet[MessagePart]:
    """The parts of its message that are there."""
    return MessagePart.objects.filter(hotline_id=part.hotline_id, group=part.group, joined_as="")


def _join(hook: Hook, part: MessagePart) -> None:
    """Name the message, so that no other part belongs to it any more, and receive it."""
    with transaction.atomic():
        found = list(_open(part).select_for_update().order_by("number"))
        if not found:
            return  # another process was faster
        name = found[0].provider_id
        MessagePart.objects.filter(pk__in=[one.pk for one in found]).update(joined_as=name)
    _receive(hook, name)


def _receive(hook: Hook, name: str) -> None:
    """Receive the message `name`; again changes nothing. Then its parts need their content no more."""
    parts = MessagePart.objects.filter(hotline_id=hook.hotline_id, joined_as=name, content_sealed__isnull=False)
    found = list(parts.order_by("number"))
    try:
        contents = {part.number: json.loads(part.content) for part in found}
    except vault.Unreadable:
        log.error("parts on hotline %s cannot be read, their key is gone: they are dropped", hook.hotline_id)
        contents = {}
    if contents:
        first = contents[found[0].number]
        texts = {number: content["text"] for number, content in contents.items()}
        message = InboundMessage(
            id=name,
            sender=first["sender"],
            recipient=first["recipient"],
            national=first["national"],
            text=joined(texts, found[0].total),
            received_at=max(part.received_at for part in found),
            units=len(found),
        )
        receive.receive(hook, message, Verification(first["scheme"]))
    parts.update(content_sealed=None)


def joined(texts: Mapping[int, str], total: int) -> str:
    """The text of `total` parts, of which those in `texts` are there. Pure."""
    said = [texts.get(number) for number in range(1, total + 1)]
    return "".join(
        GAP if missing else "".join(filter(None, run)) for missing, run in groupby(said, lambda one: one is None)
    )
