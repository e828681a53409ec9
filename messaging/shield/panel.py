"""What a hotline has spent and may still spend, on its page: in money, or in messages where the tariff is flat."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations.models import Message
from conversations.words import Disposition
from hotlines import extension
from hotlines.models import Account, Hotline
from organizations import money

from . import budgets, intake, ledger, spendings
from .budgets import Scope, Window
from .models import Detachment


@dataclass(frozen=True)
class Clock:
    """When it is asked, and what the organization's clock shows."""

    now: datetime.datetime
    zone: datetime.tzinfo


_UNANSWERED = (Disposition.BLOCKED, Disposition.LIMIT, Disposition.STOPPED)


def budgets_of(_request: HttpRequest, hotline: Hotline) -> Mapping[str, Any]:
    """The rows of the box, and what can still be answered today, in the reader's words."""
    now = timezone.now()
    clock = Clock(now, zoneinfo.ZoneInfo(hotline.organization.time_zone))
    flat = hotline.account.tariff == Account.Tariff.FLAT
    lines = spendings.standing(ledger.caps_of(hotline, now))
    rows = [
        row
        for line in lines.values()
        if line.name.scope is not Scope.PLATFORM
        for row in rows_of(line, clock, in_money=not flat)
    ]
    return {
        "rows": [*rows, *_inbound(hotline, clock)],
        "off": _off(hotline, clock),
        "sentences": [*_left(hotline, lines.values()), *_saved(hotline, now)],
    }


def _inbound(hotline: Hotline, clock: Clock) -> list[dict[str, Any]]:
    """What its messages have cost today; nothing where they are free."""
    name = intake.name_of(hotline.pk, clock.now)
    line = spendings.standing({name: intake.cap_of(hotline)})[name]
    charges = hotline.account.tariff != Account.Tariff.FLAT
    return rows_of(line, clock, in_money=True) if charges or line.micros else []


def _off(hotline: Hotline, clock: Clock) -> str:
    """That the number is disconnected at the provider, or about to be, or to be connected again; "" where it is not."""
    standing = Detachment.objects.filter(hotline=hotline, attached_at__isnull=True).first()
    if standing is None:
        return ""
    if standing.ended_at is not None:
        said = _("The number is being connected again at the provider.")
    elif standing.detached_at is None:
        said = _("The budget for messages received is spent. The number is being disconnected at the provider.")
    else:
        said = _(
            "The budget for messages received is spent: since %(since)s the number is disconnected at the provider. "
            "Nothing arrives until %(until)s, or until somebody raises the budget."
        )
    if standing.detail:
        said += " " + _("The provider did not do it yet (%(detail)s). Paravent goes on trying.")
    since, until = standing.detached_at or clock.now, Window.DAY.end(clock.now)
    return said % {
        "since": date_format(localtime(since, clock.zone), "SHORT_DATETIME_FORMAT"),
        "until": date_format(localtime(until, clock.zone), "SHORT_DATETIME_FORMAT"),
        "detail": standing.detail,
    }


def rows_of(line: budgets.Line, clock: Clock, *, in_money: bool) -> list[dict[str, Any]]:
    """One row for each of the window's limits; for one without a limit, what was spent."""
    name, cap = line.name, line.caps
    label = _LABELS[name.scope, name.window]()
    if name.scope is Scope.ACCOUNT:
        counted = ((_("messages"), line.messages, cap.messages), (_("recipients"), line.recipients, cap.recipients))
        return [
            _row(f"{label}: {what}", str(used), used, limit, limit, name, clock)
            for what, used, limit in counted
            if limit is not None
        ]
    if not in_money:
        return []
    limit = None if cap.micros is None else money.spoken(cap.micros)
    return [_row(label, money.spoken(line.micros), line.micros, cap.micros, limit, name, clock)]


def _row(
    label: str,
    spoken: str,
    used: int,
    cap: int | None,
    limit: object,
    name: budgets.Name,
    clock: Clock,
) -> dict[str, Any]:
    return {
        "label": label,
        "used": spoken,
        "limit": "" if limit is None else str(limit),
        "share": None if cap is None else min(100 * used // cap, 100) if cap else 100,
        "forecast": "" if cap is None else _forecast(used, cap, name, clock),
    }


def _forecast(used: int, cap: int, name: budgets.Name, clock: Clock) -> str:
    end = name.window.end(clock.now)
    at = budgets.spent_at(used, cap, name, clock.now)
    if at is None or at >= end:
        return _("lasts at this pace")
    used_up = at <= clock.now
    said = _("used up until %(moment)s") if used_up else _("used up on %(moment)s at this pace")
    moment = localtime(end if used_up else at, clock.zone)
    return said % {"moment": date_format(moment, "SHORT_DATETIME_FORMAT")}


def _left(hotline: Hotline, lines: Iterable[budgets.Line]) -> list[str]:
    """How many more senders can be answered before a budget is used up: nobody can promise more (SECURITY.md 3.6)."""
    price = ledger.price(hotline.account, 1)
    rooms = []
    for line in lines:
        limits = (
            (line.micros, line.caps.micros, price),
            (line.messages, line.caps.messages, 1),
            (line.recipients, line.caps.recipients, 1),
        )
        rooms += [max(limit - used, 0) // each for used, limit, each in limits if limit is not None and each]
    if not rooms:
        return []
    count = min(rooms)
    said = ngettext(
        "What is left answers %(count)s more sender, with one reply of one segment.",
        "What is left answers %(count)s more senders, with one reply of one segment each.",
        count,
    )
    return [said % {"count": count}]


def _saved(hotline: Hotline, now: datetime.datetime) -> list[str]:
    """What the month's messages of blocked senders would have cost, had each been answered with one segment."""
    start = Window.MONTH.start(now)
    unanswered = Message.objects.filter(
        conversation__hotline=hotline, conversation__last_message_at__gte=start, received_at__gte=start
    ).filter(disposition__in=_UNANSWERED)
    count = unanswered.count()
    if not count:
        return []
    price = ledger.price(hotline.account, 1)
    if not price:
        said = ngettext(
            "Blocking spared %(count)s reply this month.", "Blocking spared %(count)s replies this month.", count
        )
        return [said % {"count": count}]
    said = ngettext(
        "Blocking spared %(count)s reply this month, which is %(money)s.",
        "Blocking spared %(count)s replies this month, which is %(money)s.",
        count,
    )
    return [said % {"count": count, "money": money.spoken(count * price)}]


_LABELS = {
    (Scope.HOTLINE, Window.DAY): lambda: _("This number, today"),
    (Scope.HOTLINE, Window.MONTH): lambda: _("This number, this month"),
    (Scope.INBOUND, Window.DAY): lambda: _("Messages received, today"),
    (Scope.ORGANIZATION, Window.DAY): lambda: _("All numbers, today"),
    (Scope.ORGANIZATION, Window.MONTH): lambda: _("All numbers, this month"),
    (Scope.ACCOUNT, Window.HOUR): lambda: _("Account, this hour"),
    (Scope.ACCOUNT, Window.DAY): lambda: _("Account, today"),
    (Scope.ACCOUNT, Window.MONTH): lambda: _("Account, this month"),
}

PANEL = extension.Panel("shield/budgets_panel.html", budgets_of)
