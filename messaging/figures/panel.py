"""The box of public figures on a hotline's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from hotlines import extension
from hotlines.choices import language_name
from hotlines.models import Hotline

from .models import WeekFigures

_WEEKS = 8


def weeks_of(_request: HttpRequest, hotline: Hotline) -> Mapping[str, Any] | None:
    """The last weeks that were told; None before the first."""
    rows = list(WeekFigures.objects.filter(hotline=hotline)[:_WEEKS])
    weeks = [
        {"row": row, "languages": [(language_name(code), count) for code, count in sorted(row.languages.items())]}
        for row in rows
    ]
    return {"weeks": weeks} if weeks else None


def connect() -> None:
    """Have the page show it."""
    extension.add_panel(extension.Panel("figures/panel.html", weeks_of))
