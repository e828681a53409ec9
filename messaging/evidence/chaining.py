"""Linking what was received into each hotline's chain, and signing its end every day.

Not in the webhook: the end of a chain is one row, which all messages of a raid would queue for. A link is made within
seconds, in one transaction with those before it; what a crash leaves undone the next run does.
"""

from __future__ import annotations

import datetime
import os
import zoneinfo
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from conversations.models import Message
from conversations.models.shared import LATE_ROWS
from conversations.words import Disposition
from hotlines.models import Hotline
from organizations.models import Organization
from outbox import alerts
from privacy import datakeys, vault

from . import canonical, lexicon, signing
from .models import Chain, Head, Link

_BATCH = 500
_LEFT_OUT = (Disposition.MISSED, Disposition.INSTRUCTION)


#: Whether this process has looked at every chain from its end on; then it looks at what is new, of all at once.
_looked_everywhere = False


def link_all() -> int:
    """Link what has come since the last run; returns how many messages."""
    global _looked_everywhere  # noqa: PLW0603  the state of this process
    hotlines = Hotline.objects.order_by("pk")
    if _looked_everywhere:
        hotlines = hotlines.filter(pk__in=_with_news())
    linked = sum(_link(hotline) for hotline in hotlines)
    _looked_everywhere = True
    return linked


def _with_news() -> list[int]:
    """The hotlines that have unlinked messages among the latest ones: one look, however many hotlines there are."""
    last = Link.objects.aggregate(last=Max("message_id"))["last"] or 0
    return list(_not_linked(last).order_by().values_list("hotline_id", flat=True).distinct())


def forget() -> None:
    """Have this process look at every chain again; for tests."""
    global _looked_everywhere  # noqa: PLW0603  as above
    _looked_everywhere = False


def _link(hotline: Hotline) -> int:
    linked = 0
    Chain.objects.get_or_create(hotline=hotline, defaults={"value": canonical.genesis(hotline.uuid)})
    datakeys.for_writing(hotline.organization_id, datakeys.Purpose.TEXT, datakeys.month(timezone.now()))
    while added := _link_batch(hotline):
        linked += added
        if added < _BATCH:
            break
    return linked


def _link_batch(hotline: Hotline) -> int:
    with transaction.atomic():
        chain = Chain.objects.select_for_update().get(hotline=hotline)
        messages = list(_unlinked(chain)[:_BATCH])
        links = [_next(chain, hotline, message) for message in messages]
        Link.objects.bulk_create(links)
        if links:
            chain.save()
    return len(links)


def _unlinked(chain: Chain) -> QuerySet[Message]:
    fresh = _not_linked(chain.last_message_id).filter(hotline_id=chain.hotline_id)
    return fresh.select_related("conversation", "account").order_by("pk")


def _not_linked(last: int) -> QuerySet[Message]:
    """Messages that are not linked, from a little below the id `last` on."""
    known = Link.objects.filter(message_id=OuterRef("pk"))
    return Message.objects.filter(~Exists(known), pk__gt=last - LATE_ROWS).exclude(disposition__in=_LEFT_OUT)


def _next(chain: Chain, hotline: Hotline, message: Message) -> Link:
    """The link of `message`, and `chain` moved on to it."""
    sender, month = vault.read_or_none(message.conversation, "sender"), datakeys.month(message.received_at)
    provider = canonical.provider_hash(message.provider_id)
    link = Link(
        organization_id=message.organization_id,
        hotline=hotline,
        position=chain.position + 1,
        message_id=message.pk,
        received_at=message.received_at,
        provider_hash=provider,
    )
    if sender is not None:
        salt = os.urandom(canonical.SALT_BYTES)
        link.sender_commit = canonical.commit_sender(salt, sender)
        place = link.place("sender_salt_sealed")
        link.sender_salt_sealed = vault.seal(salt.hex(), place, datakeys.Purpose.NUMBER, month)
    salt, event = os.urandom(canonical.SALT_BYTES), event_of(message, link)
    link.commit = commit = canonical.commit(salt, event)
    link.chain = canonical.step(bytes(chain.value), commit, link.received_at, provider)
    link.threat = bool(event["text"]) and lexicon.threatens(event["text"])
    if message.text_sealed is not None:
        link.salt_sealed = vault.seal(salt.hex(), link.place("salt_sealed"), datakeys.Purpose.TEXT, month)
    chain.position, chain.value = link.position, link.chain
    chain.last_message_id = max(chain.last_message_id, message.pk)
    return link


def event_of(message: Message, link: Link) -> dict[str, Any]:
    """What the chain commits to of a message, made of what never changes; a text that cannot be read is None."""
    return canonical.event(
        hotline=link.hotline.uuid,
        message=message.uuid,
        received_at=message.received_at,
        channel=message.channel,
        provider=message.account.provider,
        provider_id=message.provider_id,
        disposition=message.disposition,
        sender_commit=None if link.sender_commit is None else bytes(link.sender_commit),
        text=vault.read_or_none(message, "text"),
    )


def erase_salts() -> int:
    """Erase the salts of texts and of numbers that are erased, or whose message is gone; returns how many."""
    messages = Message.objects.filter(pk=OuterRef("message_id"))
    erased = 0
    for column, kept in (
        ("salt_sealed", messages.filter(text_sealed__isnull=False)),
        ("sender_salt_sealed", messages.filter(conversation__sender_sealed__isnull=False)),
    ):
        erased += Link.objects.filter(~Exists(kept), **{f"{column}__isnull": False}).update(**{column: None})
    return erased


# --- heads ----------------------------------------------------------------------------------------------------------
def signed(hotline: Hotline, day: datetime.date, position: int, value: bytes) -> bytes:
    """What a head's signature is over."""
    content = {"hotline": str(hotline.uuid), "day": day.isoformat(), "position": position, "value": value.hex()}
    return canonical.canonical(content)


def sign_heads(now: datetime.datetime | None = None) -> int:
    """Sign the end of every chain that has grown, once a day, and mail it; returns how many were signed."""
    now, made = now or timezone.now(), 0
    for organization in Organization.objects.order_by("pk"):
        day = now.astimezone(zoneinfo.ZoneInfo(organization.time_zone)).date()
        chains = Chain.objects.filter(hotline__organization=organization, position__gt=0).select_related("hotline")
        made += sum(_signed_head(chain, day) for chain in chains)
        _tell(organization, now)
    return made


def _signed_head(chain: Chain, day: datetime.date) -> bool:
    last = Head.objects.filter(hotline=chain.hotline).order_by("-day").first()
    if last is not None and (last.day >= day or last.position == chain.position):
        return False
    content = signed(chain.hotline, day, chain.position, bytes(chain.value))
    head = {
        "position": chain.position,
        "value": bytes(chain.value),
        "signature": signing.sign(chain.hotline.organization_id, content),
    }
    return Head.objects.get_or_create(hotline=chain.hotline, day=day, defaults=head)[1]


def _tell(organization: Organization, now: datetime.datetime) -> None:
    """Mail what was signed: kept elsewhere, it proves that nothing before it was changed since."""
    heads = (
        Head.objects.filter(hotline__organization=organization, told_at=None).select_related("hotline").order_by("pk")
    )
    if not heads:
        return
    lines = [f"{head.hotline.name}, {head.day}: {head.position}, {bytes(head.value).hex()}" for head in heads]
    with translation.override(settings.LANGUAGE_CODE):
        body = _(
            "Keep this mail. It proves later that no message of your numbers was changed, added or left out before "
            "it.\n\n"
            "%(lines)s\n\nPublic key: %(key)s"
        ) % {"lines": "\n".join(lines), "key": signing.public_key(organization.pk)}
        alerts.mail_once(heads, now, organization, _("Paravent: the seal of the day"), body)
