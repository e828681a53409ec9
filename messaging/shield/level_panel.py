"""The level of a hotline, on its page: what it is, why, what it does, and how it went."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.timezone import localtime

from hotlines import extension
from hotlines.models import Hotline

from . import changes, sentences
from .models import HotlineLevel, LevelChange
from .words import Level

_SHOWN = 5


def level_of(_request: HttpRequest, hotline: Hotline) -> Mapping[str, Any]:
    """The box's words, in the reader's language and the organization's time."""
    zone = zoneinfo.ZoneInfo(hotline.organization.time_zone)
    row = HotlineLevel.objects.filter(hotline=hotline).first()
    level = Level(row.level) if row else Level.NORMAL
    latest = LevelChange.objects.filter(hotline=hotline).order_by("-at", "-pk")[:_SHOWN]
    return {
        "level": level.label,
        "name": level.value,
        "since": date_format(localtime(row.since, zone), "SHORT_DATETIME_FORMAT") if row else "",
        "consequence": sentences.consequence(level),
        "deferred": changes.deferred(hotline).count(),
        "changes": [
            {
                "at": date_format(localtime(change.at, zone), "SHORT_DATETIME_FORMAT"),
                "levels": str(change),
                "cause": sentences.cause(change),
            }
            for change in latest
        ],
    }


PANEL = extension.Panel("shield/level_panel.html", level_of)
