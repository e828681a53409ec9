"""Erasing one person's texts and number; counters stay, so that he is not answered anew, and so does what is held."""

from __future__ import annotations

import datetime
import logging
import zoneinfo

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from conversations import retention
from conversations.models import Conversation
from outbox import alerts, faults

from .models import ERASED_AFTER, DataRequest

log = logging.getLogger("paravent.rights")

#: How long a page that nobody proved anything on is kept, and the record of one that was answered.
_FORGOTTEN_AFTER = datetime.timedelta(days=1)
_ANSWERED_KEPT = datetime.timedelta(days=366)


def wish(asked: DataRequest, now: datetime.datetime) -> None:
    """Have it erased when the organization has had its time to keep what is evidence; asked twice, the first stands."""
    waiting = DataRequest.objects.filter(pk=asked.pk, proven_at__isnull=False, erase_at=None)
    waiting.update(erase_at=now + ERASED_AFTER)
    asked.refresh_from_db()


def erase_on_request(now: datetime.datetime | None = None) -> int:
    """Tell organizations of new wishes, and erase what is due; returns how many were erased."""
    now = now or timezone.now()
    DataRequest.objects.filter(proven_at=None, created_at__lt=now - _FORGOTTEN_AFTER).delete()
    DataRequest.objects.filter(created_at__lt=now - _ANSWERED_KEPT).delete()
    for asked in DataRequest.objects.filter(erase_at__isnull=False, told_at=None).select_related("organization"):
        _tell(asked, now)
    erased = 0
    for asked in DataRequest.objects.filter(erase_at__lte=now, erased_at=None):
        try:
            erased += _erase(asked, now)
        except faults.OF_THE_DATABASE:
            raise
        except Exception as error:  # noqa: BLE001  one request must not keep all others waiting
            log.error("data request %s could not be carried out, it is tried again: %s", asked.pk, faults.named(error))
    if erased:
        retention.empty_journal()
    return erased


def _erase(asked: DataRequest, now: datetime.datetime) -> bool:
    with transaction.atomic():
        row = DataRequest.objects.select_for_update().get(pk=asked.pk)
        if row.erased_at is not None:
            return False
        row.kept = len(row.conversations) - retention.erase_conversations(row.organization_id, row.conversations, now)
        row.erased_at = now
        row.save(update_fields=["kept", "erased_at"])
    return True


def _tell(asked: DataRequest, now: datetime.datetime) -> None:
    concerned = Conversation.objects.filter(pk__in=asked.conversations)
    zone = zoneinfo.ZoneInfo(asked.organization.time_zone)
    due = (asked.erase_at or now).astimezone(zone)
    with translation.override(settings.LANGUAGE_CODE):
        body = _(
            "Somebody who has proved that the number is theirs wants it and their texts erased. That is done by itself "
            "after %(moment)s. It concerns %(count)d conversations.\n\n"
            "Do you need them for a complaint, or are there threats in them? Then keep them as evidence before that: "
            "open the data request in the administration, and the conversations it names. What is kept as evidence is "
            "not erased. Otherwise nothing has to be done."
        ) % {
            "moment": date_format(due, "SHORT_DATETIME_FORMAT"),
            "count": concerned.count(),
        }
        mine = DataRequest.objects.filter(pk=asked.pk)
        alerts.mail_once(mine, now, asked.organization, _("Paravent: somebody asks for erasure"), body)
