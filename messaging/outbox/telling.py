"""Alerts by mail: what was raised since the last one, in one mail, and no more than six in an hour."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hotlines.models import Account
from organizations import money
from organizations.models import Organization
from shield import sentences
from shield.budgets import Scope, Window
from shield.models import Alert, Detachment, Spending
from shield.words import Level

from . import alerts

MOST_PER_HOUR = 6
_HOUR = datetime.timedelta(hours=1)


def tell(now: datetime.datetime) -> int:
    """Mail what was not told yet to whom it concerns; returns how many alerts were told.

    What comes in an hour that has had its mails waits, and is told with the rest. The rows are marked before the mail
    leaves and taken back where it does not.
    """
    waiting = Alert.objects.filter(told_at__isnull=True).order_by().values_list("organization", flat=True).distinct()
    return sum(_tell(organization, now) for organization in sorted(waiting, key=lambda found: found or 0))


def _tell(organization_id: int | None, now: datetime.datetime) -> int:
    mine = Alert.objects.filter(organization=organization_id)
    lately = mine.filter(told_at__gt=now - _HOUR).order_by().values("told_at").distinct().count()
    # The last mail of an hour is kept for a raid, which must reach somebody within minutes.
    raided = mine.filter(told_at__isnull=True, change__after=Level.RAID).exists()
    if lately >= MOST_PER_HOUR - (not raided):
        return 0
    with transaction.atomic():
        rows = (
            mine.filter(told_at__isnull=True)
            .select_related("hotline", "spending", "organization", "change", "detachment")
            .order_by("at", "pk")
        )
        chosen = list(rows.select_for_update(skip_locked=True, of=("self",)))
        mine.filter(pk__in=[alert.pk for alert in chosen]).update(told_at=now)
    if not chosen:
        return 0
    delivered = False
    try:
        with translation.override(settings.LANGUAGE_CODE):
            delivered = _mail(chosen)
    finally:
        if not delivered:
            mine.filter(pk__in=[alert.pk for alert in chosen]).update(told_at=None)
    return len(chosen) if delivered else 0


def _mail(chosen: Sequence[Alert]) -> bool:
    """Whether it left, or there is nobody to get it."""
    organization = chosen[0].organization
    lines = [sentence(alert) for alert in chosen]
    raids = [alert for alert in chosen if alert.change is not None and alert.change.after == Level.RAID]
    told = raids or chosen
    subject = _headline(told[0]) if len(told) == 1 else _subject(len(lines), organization)
    body = "\n\n".join(lines)
    if organization is not None:
        return alerts.mail(organization, f"Paravent: {subject}", body) or not organization.alert_addresses
    return alerts.mail_operators(subject, body)


def _subject(count: int, organization: Organization | None) -> str:
    said = ngettext("%(count)d alert at %(name)s", "%(count)d alerts at %(name)s", count)
    return said % {"count": count, "name": organization.name if organization else "Paravent"}


def _headline(alert: Alert) -> str:
    """A mail's subject: what a telephone shows of it must tell the worst."""
    if alert.spending is not None:
        return _used(alert, alert.spending)
    if alert.change is not None:
        news: object = Level(alert.change.after).label
    elif alert.detachment is not None:
        off = alert.key.endswith(":detach")
        news = _("the provider does not disconnect it") if off else _("the provider does not connect it again")
    else:
        news = _("a machine seems to answer")
    return _("%(hotline)s: %(news)s") % {"hotline": alert.hotline, "news": news}


def sentence(alert: Alert) -> str:
    """What an alert says, in the active language."""
    if alert.change is not None:
        said = f"{sentences.cause(alert.change)} {sentences.consequence(alert.change.after)}"
        return _("%(hotline)s: %(news)s") % {"hotline": alert.hotline, "news": said}
    if alert.detachment is not None:
        return _of_number(alert, alert.detachment)
    if alert.kind == Alert.Kind.LOOP or alert.spending is None:
        return _(
            "%(hotline)s: a machine seems to answer our replies. After three such answers it gets no more until its "
            "next episode. Nothing has to be done."
        ) % {"hotline": alert.hotline}
    row, said = alert.spending, _used(alert, alert.spending)
    if alert.share == 100:
        end = Window(row.window).end(row.starts_at).astimezone(_zone(alert))
        follows = (
            _(
                "The number is disconnected at the provider until %(moment)s, or until somebody raises the budget. "
                "Until then nothing arrives, nobody is answered, and nothing more is charged."
            )
            if row.scope == Scope.INBOUND
            else _(
                "Replies wait until %(moment)s, a day at most, or until somebody raises the budget. Messages are "
                "received and kept."
            )
        )
        said += " " + follows % {"moment": date_format(end, "SHORT_DATETIME_FORMAT")}
    return said


def _used(alert: Alert, row: Spending) -> str:
    said = _("%(budget)s: %(share)d %% used (%(used)s of %(limit)s).")
    return said % {"budget": _budget(row, alert), "share": row.share, **_figures(row)}


def _of_number(alert: Alert, detachment: Detachment) -> str:
    """That the provider does not do what the budget asks for: a person may have to."""
    said = (
        _(
            "%(hotline)s: the budget for messages received is spent, and the provider did not let Paravent disconnect "
            "the number (%(detail)s). It goes on charging. Disconnect the number on the provider's page, or raise the "
            "budget. Paravent goes on trying."
        )
        if alert.key.endswith(":detach")
        else _(
            "%(hotline)s: the number is still disconnected at the provider (%(detail)s), so nothing arrives. Connect "
            "it again on the provider's page. Paravent goes on trying."
        )
    )
    return said % {"hotline": alert.hotline, "detail": detachment.detail or _("no answer")}


def _zone(alert: Alert) -> datetime.tzinfo:
    return zoneinfo.ZoneInfo(alert.organization.time_zone) if alert.organization else datetime.UTC


def _budget(row: Spending, alert: Alert) -> str:
    name: object = alert.organization or _("Platform")
    if row.scope == Scope.INBOUND:
        return _("%(name)s, budget of the day for messages received") % {"name": alert.hotline}
    if row.scope == Scope.HOTLINE:
        name = alert.hotline
    elif row.scope == Scope.ACCOUNT:
        name = Account.objects.filter(pk=row.key).first() or name
    said = _("%(name)s, budget of the day") if row.window == Window.DAY else _("%(name)s, budget of the month")
    return said % {"name": name}


def _figures(row: Spending) -> dict[str, str]:
    """Of the tightest limit, what is used of it."""
    if row.cap_micros is not None:
        return {"used": money.spoken(row.micros), "limit": money.spoken(row.cap_micros)}
    used, limit = row.limits[0]
    return {"used": str(used), "limit": str(limit)}
