"""Which number of a campaign is given away now: in turn, among those that are well.

Apps above this one add what they know of a number that is not well in their `ready()`: `shield` knows the raids,
`outbox` the accounts that cannot send. Senders who have a number keep it: only who asks today gets another.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from .models import Campaign, Hotline

#: Says in words, by id, why numbers should not be given away now; nothing of those that are well.
Doubt = Callable[[Sequence[Hotline], datetime.datetime], Mapping[int, str]]
_doubts: list[Doubt] = []
_DAYS = {Campaign.Turn.DAY: 1, Campaign.Turn.WEEK: 7}
#: A Monday, so that weeks begin with one.
_FIRST = datetime.date(2024, 1, 1)


def add_doubt(doubt: Doubt) -> None:
    _doubts.append(doubt)


@dataclass(frozen=True)
class Member:
    """One number of a campaign; `doubt` is "" where it may be given away."""

    hotline: Hotline
    doubt: str


@dataclass(frozen=True)
class Standing:
    """`shown` is the number to give away; None where none is well."""

    members: Sequence[Member]
    shown: Hotline | None


def standing(campaign: Campaign, now: datetime.datetime) -> Standing:
    return standings([campaign], now)[campaign.pk]


def standings(campaigns: Sequence[Campaign], now: datetime.datetime) -> dict[int, Standing]:
    """By campaign; a few statements, however many there are. Their organizations should be loaded."""
    found = Hotline.objects.filter(campaign__in=campaigns).select_related("account", "organization")
    rows = list(found.order_by("pk"))
    hotlines: dict[int | None, list[Hotline]] = {}
    for hotline in rows:
        hotlines.setdefault(hotline.campaign_id, []).append(hotline)
    doubts: dict[int, str] = {}
    for doubt in (_of_state, *_doubts):
        doubts = {**doubt(rows, now), **doubts}
    return {its.pk: _standing(its, hotlines.get(its.pk, []), doubts, now) for its in campaigns}


def _standing(
    campaign: Campaign, hotlines: Sequence[Hotline], doubts: Mapping[int, str], now: datetime.datetime
) -> Standing:
    members = [Member(hotline, doubts.get(hotline.pk, "")) for hotline in hotlines]
    today = now.astimezone(zoneinfo.ZoneInfo(campaign.organization.time_zone)).date()
    well = [member.hotline for member in members if not member.doubt]
    return Standing(members, well[turn(campaign.turn, len(well), today)] if well else None)


def turn(kind: str, numbers: int, day: datetime.date) -> int:
    """Whose turn it is among so many, counted from 0. Pure."""
    days = _DAYS.get(Campaign.Turn(kind))
    return (day - _FIRST).days // days % numbers if days else 0


def _of_state(hotlines: Sequence[Hotline], _now: datetime.datetime) -> Mapping[int, str]:
    return {
        hotline.pk: _("It is not active (%(state)s).") % {"state": hotline.get_state_display()}
        for hotline in hotlines
        if hotline.state != Hotline.State.ACTIVE
    }
