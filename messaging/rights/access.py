"""What is stored about one person, as a page shows it and as JSON (GDPR 15 and 20)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q

from conversations import senders
from conversations.models import Block, Conversation, Message, Reply
from hotlines.choices import language_name
from privacy import vault

#: Of the longest conversations only so many messages are spelt out; all are counted.
MOST_MESSAGES = 2000


def stored(organization_id: int, conversation_ids: Iterable[int], *, masked: bool = False) -> list[dict[str, Any]]:
    """One entry for each conversation, oldest first: what is kept, in words and numbers, with texts in plain.

    `masked` leaves two digits of the number, for staff. A text is None where none was kept, or it was erased.
    """
    rows = Conversation.objects.filter(organization_id=organization_id, pk__in=list(conversation_ids))
    return [_conversation(row, masked=masked) for row in rows.select_related("hotline").order_by("first_message_at")]


def _conversation(row: Conversation, *, masked: bool) -> dict[str, Any]:
    messages = Message.objects.filter(conversation=row).order_by("received_at")[:MOST_MESSAGES]
    replies = {reply.message_id: reply for reply in Reply.objects.filter(conversation=row)}
    return {
        "hotline": row.hotline.name,
        "number_of_the_hotline": row.hotline.number,
        "your_number": row.masked_sender if masked else senders.number_of(vault.read_or_none(row, "sender") or ""),
        "pseudonym": row.pseudonym,
        "language": language_name(row.language) if row.language else None,
        "first_message_at": row.first_message_at,
        "last_message_at": row.last_message_at,
        "messages_received": row.messages_received,
        "stopped_at": row.opted_out_at,
        "blocked_until": row.blocked_until,
        "blocks": [_block(block) for block in _blocks(row)],
        "messages": [_message(message, replies.get(message.pk)) for message in messages],
    }


def _blocks(row: Conversation) -> Iterable[Block]:
    everywhere = Q(conversation=None, organization=row.organization_id, sender_key=bytes(row.sender_key))
    return Block.objects.filter(Q(conversation=row) | everywhere).order_by("since")


def _block(block: Block) -> dict[str, Any]:
    return {
        "cause": block.cause,
        "since": block.since,
        "until": block.until,
        "lifted_at": block.lifted_at,
    }


def _message(message: Message, reply: Reply | None) -> dict[str, Any]:
    answer = None
    if reply is not None:
        answer = {"state": reply.state, "sent_at": reply.sent_at, "text": vault.read_or_none(reply, "text")}
    return {
        "received_at": message.received_at,
        "came_as": message.channel,
        "what_became_of_it": message.disposition,
        "text": vault.read_or_none(message, "text"),
        "reply": answer,
    }
