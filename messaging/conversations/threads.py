"""A conversation as people read it: its messages and their replies in order, a page at a time."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from organizations import keyset
from privacy import vault

from .models import Conversation, Message, Reply
from .visible import visible
from .words import Channel

PER_PAGE = 50

#: The short words that rows carry, as people read them. A provider's codes stay as they are.
WORDS: dict[str, Any] = {
    "calls are rejected": _("this number rejects calls"),
    "own number": _("one of the platform's own numbers"),
    "not a number": _("not a number that can be answered"),
    "not a possible number": _("not a possible number"),
    "satellite or global network": _("a satellite or global network"),
    "country not allowed": _("a country that this number does not answer"),
    "expired": _("too late to be of use"),
    "stop": _("the sender wrote STOP"),
    "blocked by a person": _("blocked by a person"),
    "no text": _("this number has no text for it"),
    "settled by report": _("settled by the provider's report"),
    "claim expired": _("the sending process stopped"),
    "found in the log": _("found in the provider's log"),
    "not in the log": _("not in the provider's log, so it is sent again"),
    "provider id used twice": _("the provider's answer named another reply"),
    "queued": _("accepted by the provider"),
    "sent": _("handed to the network"),
    "delivered": _("delivered to the phone"),
    "undelivered": _("not delivered"),
    "failed": _("failed"),
}


@dataclass(frozen=True)
class Written:
    """A text to show: `text` is safe HTML, or None where there is none; `lost` when its key is gone."""

    text: SafeString | None
    lost: bool = False


@dataclass
class Entry:
    """One message and its reply, or a run of messages of which only the count was kept (`count` > 1)."""

    message: Message
    written: Written
    reply: Reply | None = None
    reply_written: Written | None = None
    count: int = 1
    last_at: datetime.datetime | None = None

    @property
    def reason(self) -> Any:
        """Why the sender is never answered."""
        return WORDS.get(self.message.reason, self.message.reason)

    @property
    def called(self) -> bool:
        return bool(self.message.channel == Channel.CALL)

    @property
    def outcome(self) -> str:
        """What became of the reply beyond its state: how far it was brought, and why it was not."""
        if self.reply is None or self.reply.channel == Channel.CALL:
            return ""
        said = [str(WORDS.get(word, word)) for word in (self.reply.delivery, self.reply.detail) if word]
        return " · ".join([*dict.fromkeys(said), *([self.reply.error_code] if self.reply.error_code else [])])


@dataclass(frozen=True)
class Thread:
    entries: list[Entry]
    page: keyset.Page


def read(conversation: Conversation, place: keyset.Place | None = None) -> Thread:
    """The messages at `place`, the latest where None, oldest first. Three queries."""
    messages = Message.objects.filter(conversation=conversation).select_related("reply__sent_by").defer("nonce_hash")
    page = keyset.page(messages, "received_at", place, PER_PAGE)
    entries: list[Entry] = []
    for message in reversed(page.rows):
        reply = getattr(message, "reply", None)
        if reply is None and message.text_sealed is None and _continues(entries, message):
            entries[-1].count += 1
            entries[-1].last_at = message.received_at
            continue
        entries.append(Entry(message, _written(message), reply, _written(reply) if reply else None))
    return Thread(entries, page)


def _continues(entries: list[Entry], message: Message) -> bool:
    """Whether the last entry is a run that this message without content belongs to."""
    last = entries[-1] if entries else None
    return (
        last is not None
        and last.reply is None
        and last.message.text_sealed is None
        and last.message.disposition == message.disposition
        and last.message.channel == message.channel
    )


def _written(row: Message | Reply) -> Written:
    try:
        text = row.text
    except vault.Unreadable:
        return Written(None, lost=True)
    return Written(visible(text) if text is not None else None)
