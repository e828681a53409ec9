"""How well a number is heard, on its hotline's page: what providers took, what arrived, and why the rest did not."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hotlines import extension
from hotlines.models import Hotline

from .models import Message, Reply
from .words import Channel, Disposition, ReplyState

_WEEK = datetime.timedelta(days=7)
_DAY = datetime.timedelta(days=1)
_CODES = 3
#: Fewer reports say nothing about a number: one phone that is switched off would be a tenth.
_ENOUGH = 10
#: A number that operators filter falls far below what phones that are switched off explain.
_POOR = 0.8


@dataclass(frozen=True)
class Figures:
    """Replies by SMS that came to an end in a time: `taken` by the provider, of which the network reported
    `delivered` and `undelivered`; `refused` by the provider; and those of which nobody knows (`unknown`).
    """

    taken: int = 0
    delivered: int = 0
    undelivered: int = 0
    refused: int = 0
    unknown: int = 0

    @property
    def reported(self) -> int:
        """How many the network has said the last word on."""
        return self.delivered + self.undelivered

    @property
    def rate(self) -> float | None:
        """The share that arrived of those that were reported, 0 to 1; None where none was."""
        return self.delivered / self.reported if self.reported else None


def advice(figures: Figures, *, answers: bool) -> str:
    """What a person should do about `figures` of a week; "" where nothing. `answers`: the hotline is active."""
    ended = figures.taken + figures.refused
    if ended >= _ENOUGH and figures.refused > ended / 2:
        return _(
            "The provider refuses most replies. Open the account and test the connection; the codes below say why."
        )
    if figures.reported >= _ENOUGH and figures.rate is not None and figures.rate < _POOR:
        return _(
            "Many replies do not arrive. Operators may filter this number: ask the provider with the codes below, and "
            "keep a spare number ready."
        )
    if answers and figures.taken >= _ENOUGH and not figures.reported:
        return _(
            "The provider takes replies and reports on none of them. Test the connection: the address for delivery "
            "reports may be missing there."
        )
    return ""


def figures_of(hotline: Hotline, now: datetime.datetime) -> tuple[Figures, Figures]:
    """Those of the last 24 hours and of the last seven days."""
    recent, ended = Q(finished_at__gt=now - _DAY), _ended(hotline, now)
    counts = {
        "taken": Q(state=ReplyState.SENT),
        "delivered": Q(state=ReplyState.SENT, delivery="delivered"),
        "undelivered": Q(state=ReplyState.SENT, delivery__in=["undelivered", "failed"]),
        "refused": Q(state=ReplyState.FAILED),
        "unknown": Q(state=ReplyState.UNKNOWN_FINAL),
    }
    found = ended.aggregate(
        **{f"week_{name}": Count("pk", filter=which) for name, which in counts.items()},
        **{f"day_{name}": Count("pk", filter=which & recent) for name, which in counts.items()},
    )
    day, week = ({name: found[f"{span}_{name}"] for name in counts} for span in ("day", "week"))
    return Figures(**day), Figures(**week)


def codes_of(hotline: Hotline, now: datetime.datetime) -> list[tuple[str, int]]:
    """The provider's most frequent error codes of the last seven days, and how often."""
    with_code = _ended(hotline, now).exclude(error_code="").order_by().values("error_code")
    found = with_code.annotate(times=Count("pk")).order_by("-times", "error_code")[:_CODES]
    return [(row["error_code"], row["times"]) for row in found]


def _ended(hotline: Hotline, now: datetime.datetime) -> Any:
    return Reply.objects.filter(hotline=hotline, channel=Channel.SMS, finished_at__gt=now - _WEEK)


def health_of(_request: HttpRequest, hotline: Hotline) -> Mapping[str, Any] | None:
    """The box's words in the reader's language and the organization's time; None for a number nothing came to."""
    now = timezone.now()
    received = Message.objects.filter(hotline=hotline).exclude(disposition=Disposition.MISSED)
    last_in = received.aggregate(at=Max("received_at"))["at"]
    if last_in is None:
        return None
    last_out = Reply.objects.filter(hotline=hotline).aggregate(at=Max("sent_at"))["at"]
    day, week = figures_of(hotline, now)
    zone = zoneinfo.ZoneInfo(hotline.organization.time_zone)
    return {
        "last_in": _moment(last_in, zone),
        "last_out": _moment(last_out, zone) if last_out else "",
        "advice": advice(week, answers=hotline.state == Hotline.State.ACTIVE),
        "rows": [
            (_("Taken by the provider"), _count(day.taken), _count(week.taken)),
            (_("Reported as delivered"), _count(day.delivered), _count(week.delivered)),
            (_("Reported as not delivered"), _count(day.undelivered), _count(week.undelivered)),
            (_("Share that arrived, of those reported"), _percent(day.rate), _percent(week.rate)),
            (_("Refused by the provider"), _count(day.refused), _count(week.refused)),
            (_("Outcome unknown"), _count(day.unknown), _count(week.unknown)),
        ],
        "codes": [
            ngettext("%(code)s (once)", "%(code)s (%(times)s times)", times) % {"code": code, "times": _count(times)}
            for code, times in codes_of(hotline, now)
        ],
    }


def _moment(at: datetime.datetime, zone: zoneinfo.ZoneInfo) -> str:
    return date_format(localtime(at, zone), "SHORT_DATETIME_FORMAT")


def _count(number: int) -> str:
    return number_format(number, force_grouping=True)


def _percent(rate: float | None) -> str:
    """Rounded down, so that nothing short of all is a hundred; a dash where there is none."""
    return "–" if rate is None else _("%(number)s%%") % {"number": int(rate * 100)}


PANEL = extension.Panel("conversations/health_panel.html", health_of)
