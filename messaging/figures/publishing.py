"""Writing down what may be told of the weeks that are over: a day later at the soonest, and not during a raid."""

from __future__ import annotations

import datetime
import zoneinfo
from collections import Counter
from collections.abc import Mapping

from django.utils import timezone

from conversations.models import Conversation, Message
from conversations.words import Disposition
from hotlines.models import Hotline
from shield.models import HotlineLevel
from shield.words import Level

from . import anonymous
from .models import WeekFigures

_WEEK = datetime.timedelta(days=7)
#: A week is told so long after its end: what waited on disk is stored by then.
DELAY = datetime.timedelta(days=1)
#: Weeks further back are not told any more; a number that was silent or raided for so long has missed them.
_MOST_WEEKS = 8
_NO_MESSAGES = (Disposition.MISSED, Disposition.INSTRUCTION, Disposition.UNREADABLE)


def publish_weeks(now: datetime.datetime | None = None) -> int:
    """Tell every week that is over and was not told; returns how many. What was told is never told anew."""
    now, told = now or timezone.now(), 0
    raided = {*HotlineLevel.objects.exclude(level=Level.NORMAL).values_list("hotline_id", flat=True)}
    for hotline in Hotline.objects.select_related("organization").exclude(state=Hotline.State.DRAFT):
        if hotline.pk not in raided:  # who floods a number must not read his score
            told += sum(_publish(hotline, monday, now) for monday in _open_weeks(hotline, now))
    return told


def _zone(hotline: Hotline) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(hotline.organization.time_zone)


def _open_weeks(hotline: Hotline, now: datetime.datetime) -> list[datetime.date]:
    """The Mondays of weeks that may be told and were not, oldest first; none before the number was there."""
    last = (now - DELAY).astimezone(_zone(hotline)).date()
    this = last - datetime.timedelta(days=last.weekday())
    known = {*WeekFigures.objects.filter(hotline=hotline).values_list("monday", flat=True)}
    mondays = [this - weeks * _WEEK for weeks in range(_MOST_WEEKS, 0, -1)]
    begun = hotline.created_at.astimezone(_zone(hotline)).date() - _WEEK
    return [monday for monday in mondays if monday not in known and monday > begun]


def _publish(hotline: Hotline, monday: datetime.date, now: datetime.datetime) -> bool:
    told = anonymous.tell(*_week(hotline, monday))
    return WeekFigures.objects.get_or_create(
        hotline=hotline,
        monday=monday,
        defaults={
            "senders": told.senders,
            "messages": told.messages,
            "languages": dict(told.languages),
            "published_at": now,
        },
    )[1]


def _week(hotline: Hotline, monday: datetime.date) -> tuple[Mapping[int, int], Mapping[int, str]]:
    """How many messages each sender wrote in that week, and in which language he wrote last; tests left out."""
    begin = datetime.datetime.combine(monday, datetime.time(), _zone(hotline))
    end = datetime.datetime.combine(monday + _WEEK, datetime.time(), _zone(hotline))
    rows = Message.objects.filter(
        hotline=hotline, received_at__gte=begin, received_at__lt=end, conversation__tester=False
    )
    senders = rows.exclude(disposition__in=_NO_MESSAGES).values_list("conversation_id", flat=True)
    counts: Counter[int] = Counter(senders.iterator())
    languages: dict[int, str] = {}
    ids = [*counts]
    for first in range(0, len(ids), 500):
        page = Conversation.objects.filter(pk__in=ids[first : first + 500])
        languages |= dict(page.values_list("pk", "language"))
    return counts, languages
