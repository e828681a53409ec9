"""The box of texts on a hotline's page, and how a text is shown in lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from hotlines import choices
from hotlines.models import Hotline
from organizations.scoped_admin import access
from organizations.tenancy import EDIT

from . import choosing, helplines, lint, packs, segments
from .models import SENT, ReplyTemplate, TextVersion


def excerpt(template: ReplyTemplate) -> str:
    """The first words, isolated, because a text in Arabic would turn its neighbours around."""
    text = template.text if len(template.text) <= 80 else template.text[:79] + "…"
    return format_html('<bdi lang="{}">{}</bdi>', template.language, text)


def unread(template: ReplyTemplate) -> bool:
    """Whether it is a pack's text, unchanged, that no native speaker has read."""
    return template.hotline is not None and packs.unreviewed(template.hotline.kind, template.language, template.text)


def told(template: ReplyTemplate) -> str:
    if template.purpose not in SENT:
        return _("not sent")
    counted = segments.count(lint.normalized(template.text))
    return f"{counted.segments} ({counted.encoding.name})"


def texts_of(request: HttpRequest, hotline: Hotline) -> Mapping[str, Any]:
    """The box of texts on a hotline's page."""
    texts = ReplyTemplate.objects.filter(hotline=hotline).select_related("hotline")
    rows = list(texts.order_by("language", "purpose", "step", "arm"))
    waits = set(TextVersion.objects.filter(template__in=rows, state="waits").values_list("template", flat=True))
    today = timezone.localdate()
    today = timezone.localdate()
    answered = set(choosing.replies(hotline).values_list("language", flat=True))
    return {
        "rows": [
            {
                "template": row,
                "language": choices.language_name(row.language),
                "text": excerpt(row),
                "segments": told(row),
                "waits": row.pk in waits,
            }
            for row in rows
        ],
        "without": [tag for tag in hotline.languages if tag not in answered],
        "helplines": [(line, line.is_old(today)) for line in helplines.of(hotline.countries, hotline.kind)],
        "languages": [(tag, choices.language_name(tag)) for tag in hotline.languages],
        "unread": sorted({choices.language_name(row.language) for row in rows if unread(row)}),
        "hotline": hotline,
        "may_edit": access(request).may(hotline.organization_id, EDIT),
    }
