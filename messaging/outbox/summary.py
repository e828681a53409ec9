"""The daily summary: the alert that the number of 2017 had, once a day instead of once a block."""

from __future__ import annotations

import datetime
import logging
import zoneinfo

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Max
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations.models import Block
from conversations.words import BlockCause
from organizations.models import Organization

from . import alerts, faults
from .models import Summary

log = logging.getLogger("paravent.outbox")

#: Local hour from which yesterday's summary is sent.
HOUR = 8
_LONGEST_GAP = datetime.timedelta(days=7)


def send_due(now: datetime.datetime) -> int:
    """Mail yesterday's new blocks to every organization whose morning it is; returns how many mails left.

    The day's row is written before the mail and taken back if that fails: its constraint lets one worker send it,
    however many there are and however long the mail takes.
    """
    sent = 0
    for organization in Organization.objects.order_by("pk"):
        try:
            sent += _send(organization, now)
        except faults.OF_THE_DATABASE:  # it is the database that fails, and not this organization
            raise
        except Exception as error:  # noqa: BLE001  one organization must not keep all others waiting
            log.error("summary of organization %s failed: %s", organization.pk, faults.named(error))
    return sent


def _send(organization: Organization, now: datetime.datetime) -> bool:
    zone = zoneinfo.ZoneInfo(organization.time_zone)
    local = now.astimezone(zone)
    today = local.date()
    days = Summary.objects.filter(organization=organization)
    before = days.aggregate(last=Max("day"))["last"]
    if local.hour < HOUR or (before is not None and before >= today):
        return False
    try:
        with transaction.atomic():
            row = Summary.objects.create(organization=organization, day=today)
    except IntegrityError:
        return False
    first = before if before is not None and today - before <= _LONGEST_GAP else today - datetime.timedelta(days=1)
    done = delivered = False
    try:
        with translation.override(settings.LANGUAGE_CODE):
            lines = _lines(organization, _midnight(first, zone), _midnight(today, zone))
            subject = _("Paravent: new blocks at %(name)s") % {"name": organization.name}
            delivered = bool(lines) and alerts.mail(organization, subject, "\n".join(lines))
        done = delivered or not lines or not organization.alert_addresses
    finally:
        if done:
            days.filter(day__lt=today).delete()
        else:
            row.delete()
    return delivered


def _midnight(day: datetime.date, zone: zoneinfo.ZoneInfo) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(), tzinfo=zone)


def _lines(organization: Organization, since: datetime.datetime, until: datetime.datetime) -> list[str]:
    """One line for each number and cause, in the active language."""
    counted = (
        Block.objects.filter(organization=organization, since__gte=since, since__lt=until)
        .values("conversation__hotline", "conversation__hotline__name", "cause")
        .annotate(count=Count("pk"))
        .order_by("conversation__hotline__name", "conversation__hotline", "cause")
    )
    return [
        ngettext("%(hotline)s: %(count)d block, %(cause)s", "%(hotline)s: %(count)d blocks, %(cause)s", row["count"])
        % {
            "hotline": row["conversation__hotline__name"] or _("all numbers"),
            "count": row["count"],
            "cause": BlockCause(row["cause"]).label,
        }
        for row in counted
    ]
