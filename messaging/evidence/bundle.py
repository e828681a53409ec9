"""The file that leaves: what an export is about, and what anybody needs to check that it was not changed."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from django.template.loader import render_to_string
from django.utils import timezone, translation

from . import canonical, documents, records, signing, stamps, subjects
from .subjects import Subject

_VERIFY = Path(__file__).with_name("verify.py")
_LANGUAGES = ("fr", "en")
FORMAT = 2


def write(subject: Subject, file: IO[bytes]) -> str:
    """Write the export as a zip file; returns its manifest's SHA-256, in hexadecimal.

    All links of the hotline's chain are in it, since nothing else proves that none is missing; of other senders'
    messages they tell when they came, and that is all.
    """
    hotline, made_at = subject.hotline, timezone.now()
    messages = records.of(subject.messages, hotline)
    participants = list(subjects.lines(subject.joined, messages))
    chain, length, end = records.chain(hotline)
    heads = records.heads(hotline)
    files: dict[str, bytes] = {
        "records.jsonl": _lines(messages),
        "replies.jsonl": _lines(records.replies(subject.replies)),
        "chain.jsonl": chain,
        "verify.py": _VERIFY.read_bytes(),
    }
    if subject.is_raid:
        files["participants.jsonl"] = _lines(participants)
    for head in heads:
        if head.stamp is not None:
            name = records.stamp_name(head)
            files[name] = bytes(head.stamp)
            files[name.replace(".tsr", ".json")] = stamps.content_of(head)
    document = documents.Document(subject, messages, participants, made_at, signing.public_key(hotline.organization_id))
    for language in _LANGUAGES:
        with translation.override(language), timezone.override(hotline.organization.time_zone):
            files[f"report-{language}.html"] = documents.page(document)
            files[f"report-{language}.pdf"] = documents.pdf(document, language)
            files[f"readme-{language}.txt"] = _readme(document, stamped=any(head.stamp for head in heads))
    manifest = {
        "format": FORMAT,
        "made_at": canonical.moment(made_at),
        "hotline": str(hotline.uuid),
        "number": hotline.number,
        "organization": hotline.organization.name,
        "subject": "raid" if subject.is_raid else "conversation",
        "name": subject.name,
        "records": len(messages),
        "participants": len(participants),
        "first": messages[0]["received_at"] if messages else None,
        "last": messages[-1]["received_at"] if messages else None,
        "chain_length": length,
        "chain_end": end,
        "heads": [records.head(head) for head in heads],
        "public_key": document.public_key,
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


def _readme(document: documents.Document, *, stamped: bool) -> bytes:
    return render_to_string("evidence/readme.txt", {"document": document, "stamped": stamped}).encode()
