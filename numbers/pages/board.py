"""Which number to give away now, as it is sent to whoever asks: partners' sites, the widget, anybody.

Every visitor of every partner's site asks for it, so an answer is kept in this process for a few seconds, and caches
on the way keep it for a minute. A raid must not cost more than that: what is known is answered without the database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from . import showing
from .kept import IF_DOWN, Kept, etag
from .models import LONGEST_SLUG

#: Seconds: in this process, in caches on the way, and in those when Paravent does not answer (RFC 5861).
KEPT, FRESH = 5.0, 60
CACHE_CONTROL = f"public, max-age={FRESH}, stale-while-revalidate={FRESH}, stale-if-error={IF_DOWN}"


@dataclass(frozen=True)
class Answer:
    body: bytes
    etag: str


_answers: Kept[Answer] = Kept(KEPT, 1024)


def current(slug: str, language: str) -> Answer | None:
    """What the page of this address shows, in this language; None where none is published there.

    Raises the database's error where it does not answer and nothing is known.
    """
    if len(slug) > LONGEST_SLUG:
        return None
    return _answers.get((slug, language), lambda: _made(slug, language))


def _made(slug: str, language: str) -> Answer | None:
    page = showing.published(slug)
    if page is None or page.is_list:
        return None
    told = describe(showing.shown(page, language, timezone.now()))
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(body, etag(body))


def describe(shown: showing.Shown) -> dict[str, Any]:
    """As JSON. `number` is null while none is in service; then `suspended` says so in words."""
    page, number = shown.page, shown.number
    return {
        "slug": page.slug,
        "language": shown.language,
        "name": shown.name.text,
        "organization": page.organization.name,
        "state": "in_service" if number else "suspended",
        "number": number.e164 if number else None,
        "international": number.international if number else None,
        "national": number.national if number else None,
        "about": _words(shown.about),
        "suspended": _words(shown.suspended),
        "contact_name": page.contact_name,
        "try_number": shown.demo.e164 if shown.demo else None,
        "page": showing.url(page, shown.language),
        "contact": showing.url(page, shown.language, "contact") if number else None,
        "refresh_after": FRESH,
    }


def _words(words: showing.Words | None) -> dict[str, str] | None:
    return {"text": words.text, "language": words.language} if words else None
