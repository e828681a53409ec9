"""The daily summary: the alert that the number of 2017 had, once a day instead of once a block."""

from __future__ import annotations

import datetime
import zoneinfo

from django.conf import settings
from django.db.models import Count
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations.models import Block
from conversations.words import BlockCause
from organizations.models import Organization

from . import alerts

#: Local hour from which yesterday's summary is sent.
HOUR = 8


def send_due(now: datetime.datetime) -> int:
    """Mail yesterday's new blocks to every organization whose morning it is; returns how many mails left.

    The date is written before the mail and taken back if it fails, so that no two workers send it.
    """
    sent = 0
    for organization in Organization.objects.all():
        zone = zoneinfo.ZoneInfo(organization.time_zone)
        local = now.astimezone(zone)
        today, before = local.date(), organization.summarized_on
        if local.hour < HOUR or before == today:
            continue
        claimed = Organization.objects.filter(pk=organization.pk, summarized_on=before).update(summarized_on=today)
        if not claimed:
            continue
        first = before if before is not None and before > today - datetime.timedelta(days=7) else None
        start = first or today - datetime.timedelta(days=1)
        since = datetime.datetime.combine(start, datetime.time(), tzinfo=zone)
        until = datetime.datetime.combine(today, datetime.time(), tzinfo=zone)
        lines = _lines(organization, since, until)
        if not lines:
            continue
        with translation.override(settings.LANGUAGE_CODE):
            delivered = alerts.mail(
                organization, _("Paravent: new blocks at %(name)s") % {"name": organization.name}, "\n".join(lines)
            )
        if delivered:
            sent += 1
        elif organization.alert_addresses:
            Organization.objects.filter(pk=organization.pk, summarized_on=today).update(summarized_on=before)
    return sent


def _lines(organization: Organization, since: datetime.datetime, until: datetime.datetime) -> list[str]:
    """One line per number and cause."""
    counted = (
        Block.objects.filter(organization=organization, since__gte=since, since__lt=until)
        .values("conversation__hotline__name", "cause")
        .annotate(count=Count("pk"))
        .order_by("conversation__hotline__name", "cause")
    )
    with translation.override(settings.LANGUAGE_CODE):
        return [
            ngettext(
                "%(hotline)s: %(count)d block, %(cause)s", "%(hotline)s: %(count)d blocks, %(cause)s", row["count"]
            )
            % {
                "hotline": row["conversation__hotline__name"] or _("all numbers"),
                "count": row["count"],
                "cause": BlockCause(row["cause"]).label,
            }
            for row in counted
        ]
