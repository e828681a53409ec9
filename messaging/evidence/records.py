"""What an export tells, row by row: the messages with what proves them, the replies, the chain and its seals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from conversations.models import Message, Reply
from hotlines.models import Hotline
from privacy import vault

from . import canonical, chaining, stamps
from .models import Head, Link

_PAGE = 2000


def of(messages: QuerySet[Message], hotline: Hotline) -> list[dict[str, Any]]:
    """The messages that are linked, in the order of the chain; one that was erased says only that."""
    found: list[tuple[int, dict[str, Any]]] = []
    senders: dict[int, str | None] = {}
    pks = list(messages.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(pks), _PAGE):
        page = pks[start : start + _PAGE]
        rows = Message.objects.select_related("account", "conversation").in_bulk(page)
        links = Link.objects.filter(hotline=hotline, message_id__in=page).select_related("hotline")
        found += [(link.position, _record(link, rows[link.message_id], senders)) for link in links]
    return [record for _position, record in sorted(found, key=lambda pair: pair[0])]


def _record(link: Link, message: Message, senders: dict[int, str | None]) -> dict[str, Any]:
    event = chaining.event_of(message, link)
    conversation = message.conversation
    if conversation is not None and conversation.pk not in senders:
        senders[conversation.pk] = vault.read_or_none(conversation, "sender")
    sender = None if conversation is None else senders[conversation.pk]
    # A text that cannot be read any more is as good as erased, and proves nothing.
    salt = None if event["text"] is None else vault.read_or_none(link, "salt")
    sender_salt = vault.read_or_none(link, "sender_salt") if salt and sender else None
    return {
        "position": link.position,
        "received_at": canonical.moment(link.received_at),
        "commit": bytes(link.commit).hex(),
        "conversation": None if conversation is None else str(conversation.uuid),
        "salt": salt,
        "sender": sender if sender_salt else None,
        "sender_salt": sender_salt,
        "threat": link.threat,
        "event": event if salt else None,
    }


def replies(rows: QuerySet[Reply]) -> Iterator[dict[str, Any]]:
    """What was answered, as told by us and not held by the chain."""
    for reply in rows.select_related("conversation").order_by("decided_at"):
        yield {
            "conversation": str(reply.conversation.uuid),
            "state": reply.state,
            "sent_at": canonical.moment(reply.sent_at) if reply.sent_at else None,
            "text": vault.read_or_none(reply, "text"),
        }


def chain(hotline: Hotline) -> tuple[bytes, int, str]:
    """All links as lines, how many they are, and the last chain value."""
    lines, length, end, last = [], 0, canonical.genesis(hotline.uuid).hex(), 0
    columns = ("position", "received_at", "provider_hash", "commit", "chain")
    rows = Link.objects.filter(hotline=hotline).order_by("position")
    while page := list(rows.filter(position__gt=last).values_list(*columns)[:_PAGE]):
        for position, received_at, provider, commit, chain in page:
            length, end = length + 1, bytes(chain).hex()
            lines.append(
                json.dumps(
                    {
                        "position": position,
                        "received_at": canonical.moment(received_at),
                        "provider_hash": bytes(provider).hex(),
                        "commit": bytes(commit).hex(),
                        "chain": end,
                    }
                )
            )
        last = page[-1][0]
    return "".join(f"{line}\n" for line in lines).encode(), length, end


def heads(hotline: Hotline) -> list[Head]:
    """The seals, by day."""
    return list(Head.objects.filter(hotline=hotline).select_related("hotline").order_by("day"))


def head(sealed: Head) -> dict[str, Any]:
    """A seal, and what the time stamp of it is called in the file and says."""
    stamp = None if sealed.stamp is None else bytes(sealed.stamp)
    return {
        "hotline": str(sealed.hotline.uuid),
        "day": sealed.day.isoformat(),
        "position": sealed.position,
        "value": bytes(sealed.value).hex(),
        "signature": bytes(sealed.signature).hex(),
        "stamp": None if stamp is None else stamp_name(sealed),
        "stamped_at": None if stamp is None else canonical.moment(stamps.time_of(stamp)),
    }


def stamp_name(sealed: Head) -> str:
    """The file of its time stamp; what was stamped is beside it, as `.json`."""
    return f"stamps/{sealed.day.isoformat()}.tsr"
