"""The file that leaves: a conversation's messages, and what anybody needs to check that they were not changed."""

from __future__ import annotations

import datetime
import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from django.template.loader import render_to_string
from django.utils import timezone, translation

from conversations import senders
from conversations.models import Conversation, Message, Reply
from hotlines.models import Hotline
from privacy import vault

from . import canonical, chaining, signing
from .models import Head, Link

_VERIFY = Path(__file__).with_name("verify.py")
_LANGUAGES = ("fr", "en")
_PAGE = 2000
FORMAT = 1


def write(conversation: Conversation, file: IO[bytes]) -> str:
    """Write the export of a conversation as a zip file; returns its manifest's SHA-256, in hexadecimal.

    All links of the hotline's chain are in it, since nothing else proves that none is missing; of other senders'
    messages they tell when they came, and that is all.
    """
    hotline = Hotline.objects.select_related("account", "organization").get(pk=conversation.hotline_id)
    records = list(_records(conversation, hotline))
    files: dict[str, bytes] = {
        "records.jsonl": _lines(records),
        "replies.jsonl": _lines(_replies(conversation)),
        "verify.py": _VERIFY.read_bytes(),
    }
    chain, length, end = _chain(hotline)
    files["chain.jsonl"] = chain
    files |= {f"report-{language}.html": _report(language, conversation, hotline, records) for language in _LANGUAGES}
    manifest = {
        "format": FORMAT,
        "made_at": canonical.moment(timezone.now()),
        "hotline": str(hotline.uuid),
        "number": hotline.number,
        "organization": hotline.organization.name,
        "conversation": conversation.pseudonym,
        "records": len(records),
        "first": records[0]["received_at"] if records else None,
        "last": records[-1]["received_at"] if records else None,
        "chain_length": length,
        "chain_end": end,
        "heads": list(_heads(hotline)),
        "public_key": signing.public_key(hotline.organization_id),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
        "note": "Senders' numbers are as the network gave them; they can be forged.",
    }
    content = canonical.canonical(manifest)
    files["manifest.json"] = content
    files["manifest.sig"] = signing.sign(hotline.organization_id, content).hex().encode()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(name, data)
    return hashlib.sha256(content).hexdigest()


def _lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(canonical.canonical(row) + b"\n" for row in rows)


def _records(conversation: Conversation, hotline: Hotline) -> Iterator[dict[str, Any]]:
    """The messages that are linked, in the order of the chain; one that was erased says only that."""
    messages = Message.objects.filter(conversation=conversation).select_related("account")
    by_id, sender = {message.pk: message for message in messages}, vault.read_or_none(conversation, "sender")
    links = Link.objects.filter(hotline=hotline, message_id__in=by_id).select_related("hotline")
    for link in links.order_by("position"):
        event = chaining.event_of(by_id[link.message_id], link)
        # A text that cannot be read any more is as good as erased, and proves nothing.
        salt = None if event["text"] is None else vault.read_or_none(link, "salt")
        sender_salt = vault.read_or_none(link, "sender_salt") if salt and sender else None
        yield {
            "position": link.position,
            "received_at": canonical.moment(link.received_at),
            "commit": bytes(link.commit).hex(),
            "salt": salt,
            "sender": sender if sender_salt else None,
            "sender_salt": sender_salt,
            "threat": link.threat,
            "event": event if salt else None,
        }


def _replies(conversation: Conversation) -> Iterator[dict[str, Any]]:
    """What was answered, as told by us and not held by the chain."""
    for reply in Reply.objects.filter(conversation=conversation).order_by("decided_at"):
        yield {
            "state": reply.state,
            "sent_at": canonical.moment(reply.sent_at) if reply.sent_at else None,
            "text": vault.read_or_none(reply, "text"),
        }


def _chain(hotline: Hotline) -> tuple[bytes, int, str]:
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


def _heads(hotline: Hotline) -> Iterator[dict[str, Any]]:
    for head in Head.objects.filter(hotline=hotline).order_by("day"):
        yield {
            "hotline": str(hotline.uuid),
            "day": head.day.isoformat(),
            "position": head.position,
            "value": bytes(head.value).hex(),
            "signature": bytes(head.signature).hex(),
        }


def _report(language: str, conversation: Conversation, hotline: Hotline, records: list[dict[str, Any]]) -> bytes:
    """A page to be printed for the police."""
    sender = next((record["sender"] for record in records if record["sender"]), None)
    context = {
        "conversation": conversation,
        "hotline": hotline,
        "records": [{**record, "at": datetime.datetime.fromisoformat(record["received_at"])} for record in records],
        "sender": senders.number_of(sender or ""),
        "made_at": timezone.now(),
        "public_key": signing.public_key(hotline.organization_id),
        "threats": sum(record["threat"] for record in records),
    }
    with translation.override(language):
        return render_to_string("evidence/report.html", context).encode()
