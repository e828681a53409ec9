"""Which text answers, in which language. Called by the outbox, never in the webhook."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from hotlines.models import Hotline

from . import languages
from .models import Purpose, ReplyTemplate


@dataclass(frozen=True)
class Choice:
    """`language_seen` is the language the message itself showed, or "" where it showed none."""

    text: str
    language: str
    language_seen: str = ""


def choose(
    hotline: Hotline, *, purpose: str, step: int, written: str, remembered: str, number: str | None
) -> Choice | None:
    """The text for slot `step` in the sender's language, or None where the hotline has no text at all."""
    seen = languages.seen_in(written, hotline.languages)
    ladder = languages.ladder(
        seen=seen, remembered=remembered, number=number, offered=hotline.languages, default=hotline.default_language
    )
    templates = list(
        ReplyTemplate.objects.filter(Q(hotline=hotline) | Q(hotline__isnull=True), organization=hotline.organization_id)
    )
    for wanted in (purpose, Purpose.REPLY) if purpose != Purpose.REPLY else (Purpose.REPLY,):
        for language in ladder:
            found = _best(templates, wanted, step, language)
            if found is not None:
                return Choice(found.text, language, seen or "")
    return None


def _best(templates: list[ReplyTemplate], purpose: str, step: int, language: str) -> ReplyTemplate | None:
    """The hotline's own text before the organization's; the step's own before the nearest step below it."""
    fitting = [
        template
        for template in templates
        if template.purpose == purpose
        and template.language == language
        and (purpose != Purpose.REPLY or template.step <= step)
    ]
    return max(fitting, key=lambda template: (template.hotline_id is not None, template.step), default=None)
