"""Simulated phones: their numbers, what they remember, and how a hotline stands to them."""

from __future__ import annotations

import datetime
import re
import uuid
from dataclasses import dataclass
from typing import Any

import phonenumbers
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from conversations import blocks, senders
from conversations.models import Conversation
from conversations.words import BlockCause
from hotlines.models import Hotline
from privacy import datakeys, pseudonyms, vault
from shield.decide import Standing, episode_ends

from .models import PhoneText

PROVIDER = "simulator"
LONGEST_TEXT = 1600
#: Texts of a conversation that a phone's page shows.
REMEMBERED = 60
_NUMBER = re.compile(r"[0-9]{3,15}", re.ASCII)


@dataclass(frozen=True)
class Example:
    """A number to choose on the page. `number` is digits only, as carriers write it; `shown` is how people do."""

    number: str
    shown: str
    place: Any


#: Where a country reserves mobile numbers for fiction, one of these (ARCEP 2018-0881, Ofcom, NANPA).
EXAMPLES = (
    Example("33639980123", "+33 6 39 98 01 23", gettext_lazy("France")),
    Example("33639984567", "+33 6 39 98 45 67", gettext_lazy("France")),
    Example("32460000123", "+32 460 00 01 23", gettext_lazy("Belgium")),
    Example("447700900123", "+44 7700 900123", gettext_lazy("United Kingdom")),
    Example("34600000123", "+34 600 00 01 23", gettext_lazy("Spain")),
    Example("12025550123", "+1 202 555 0123", gettext_lazy("United States, never answered")),
)


def digits(written: str) -> str | None:
    """A typed number as a carrier writes it in `From`, or None: `+33 6 39…`, `0033 6…`, a short code like `38055`."""
    bare = re.sub(r"[\s.()/-]", "", written)
    bare = bare.removeprefix("+").removeprefix("00")
    return bare if _NUMBER.fullmatch(bare) else None


def spaced(number: str) -> str:
    """A hotline's number with the spaces people write: `+33 1 99 00 12 17`."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def hotlines() -> QuerySet[Hotline]:
    """The hotlines that a simulated phone can reach: those of the simulator's accounts, and no others."""
    return Hotline.objects.filter(account__provider=PROVIDER).select_related("account", "organization")


def key(hotline: Hotline, phone: str) -> bytes:
    """What stands for the number `phone` (digits) in this app's table."""
    return pseudonyms.fingerprint(hotline.organization_id, b"phone|" + senders.canonical(phone).encode())


def remember(hotline: Hotline, phone: str, text: str, *, reply_uuid: uuid.UUID | None = None) -> PhoneText:
    """Keep a text that was written on `phone`, or one that arrived there as a reply."""
    row = PhoneText(hotline=hotline, phone_key=key(hotline, phone), reply_uuid=reply_uuid)
    row.text_sealed = vault.seal(text, row.place, datakeys.Purpose.TEXT, datakeys.month(timezone.now()))
    row.save(force_insert=True)
    return row


def history(hotline: Hotline, phone: str) -> list[PhoneText]:
    """The last texts between `phone` and `hotline`, oldest first."""
    rows = PhoneText.objects.filter(hotline=hotline, phone_key=key(hotline, phone)).order_by("-pk")[:REMEMBERED]
    texts = list(reversed(rows))
    for text in texts:
        text.hotline = hotline
    return texts


@dataclass(frozen=True)
class Footing:
    """How a hotline stands to a phone now. `until` is None for a block without an end; `words` says it to a reader."""

    slots_used: int
    reply_limit: int
    cause: str = ""
    until: datetime.datetime | None = None
    words: str = ""


def footing(hotline: Hotline, phone: str, now: datetime.datetime) -> Footing:
    """What the hotline's page would say of this sender: replies used, and the block with its cause."""
    limit = hotline.reply_limit
    conversation = _conversation(hotline, phone, now)
    if conversation is None:
        return Footing(0, limit)
    everywhere = blocks.everywhere(conversation, now).first()
    used = conversation.slots_used if now < episode_ends(hotline.policy, _standing(conversation)) else 0
    if conversation.opted_out_at is not None:
        return Footing(used, limit, BlockCause.STOP, None, _("You wrote STOP: this number never answers you again."))
    if everywhere is not None:
        return Footing(used, limit, everywhere.cause, everywhere.until, _("Somebody of the association blocked you."))
    if conversation.blocked_until is None or now >= conversation.blocked_until:
        return Footing(used, limit)
    if conversation.block_cause == BlockCause.LIMIT:
        words = _(
            "Blocked: you have had all %(count)d replies. Further texts are counted, and nothing of them is kept."
        )
        words %= {"count": used}
    else:
        words = _("Somebody of the association blocked you.")
    return Footing(used, limit, conversation.block_cause, conversation.blocked_until, words)


def _conversation(hotline: Hotline, phone: str, now: datetime.datetime) -> Conversation | None:
    sender = senders.canonical(phone)
    keys = pseudonyms.keys_of(hotline.organization_id, sender, now)
    return Conversation.objects.filter(hotline=hotline, sender_key__in=keys).order_by("-last_message_at").first()


def _standing(conversation: Conversation) -> Standing:
    return Standing(
        episode=conversation.episode,
        episode_started_at=conversation.episode_started_at,
        blocked_until=conversation.blocked_until,
    )
