"""Mails to an organization's people. They hold no number, no text, no pseudonym: a mailbox is not ours to protect."""

from __future__ import annotations

import datetime
import logging
import zoneinfo
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, mail_admins
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from hotlines.models import Account
from organizations.models import Organization
from providers.models import GatewayLife

log = logging.getLogger("paravent.alerts")


def mail(organization: Organization, subject: str, body: str) -> bool:
    """Send to the organization's address for alerts. False, and a line in the log, where that is not possible."""
    recipients = organization.alert_addresses
    if not recipients:
        log.warning("organization %s has no address for alerts", organization.pk)
        return False
    try:
        # A name may hold a line break, which no subject may.
        EmailMessage(" ".join(subject.splitlines()), body, settings.DEFAULT_FROM_EMAIL, recipients).send()
    except (OSError, ValueError) as error:  # smtplib's errors are OSErrors, those of an address ValueErrors
        log.error("mail to organization %s failed: %s", organization.pk, type(error).__name__)
        return False
    return True


def mail_once(rows: QuerySet[Any], now: datetime.datetime, organization: Organization, subject: str, body: str) -> None:
    """Mail about rows whose `told_at` is empty: the rows are marked before it leaves, and taken back if it does not.

    So nobody is told twice, however many workers there are, and what failed is tried again. An organization without an
    address counts as told.
    """
    untold = [row.pk for row in rows]
    same = rows.model._base_manager.filter(pk__in=untold)  # noqa: SLF001  a documented name
    if not same.filter(told_at=None).update(told_at=now):
        return
    if not mail(organization, subject, body) and organization.alert_addresses:
        same.update(told_at=None)


def mail_operators(subject: str, body: str) -> bool:
    """Send to the platform's operators, of whom there may be none. False, and a line in the log, where that fails."""
    try:
        mail_admins(subject, body)
    except (OSError, ValueError) as error:  # as in `mail`
        log.error("mail to the operators failed: %s", type(error).__name__)
        return False
    return True


def provider_silent(account: Account) -> bool:
    """Once for each silence: the provider does not answer, so replies wait. Whether the mail left."""
    with translation.override(settings.LANGUAGE_CODE):
        return mail(
            account.organization,
            _("Paravent: the provider of %(account)s does not answer") % {"account": account.label},
            _(
                "The provider of the account “%(account)s” has not answered since %(since)s. Its replies wait, "
                "for a day at most, and Paravent goes on trying: when the provider answers again they leave by "
                "themselves, at each number's pace.\n\n"
                "Nothing has to be done here. The provider's status page may say more."
            )
            % {"account": account.label, "since": _local(account.unanswered_since or timezone.now(), account)},
        )


def gateway_silent(life: GatewayLife) -> bool:
    """Once for each silence: a gateway that used to ping does so no more. Whether the mail left."""
    account = life.account
    with translation.override(settings.LANGUAGE_CODE):
        return mail(
            account.organization,
            _("Paravent: the gateway of %(account)s is silent") % {"account": account.label},
            _(
                "The gateway of the account “%(account)s” was last heard of on %(since)s. Probably it is off, or has "
                "no network: look at the phone. What people write waits there, and replies wait here for a day at most."
            )
            % {"account": account.label, "since": _local(life.seen_at, account)},
        )


def battery_low(life: GatewayLife) -> bool:
    """Once, until it is charged. Whether the mail left."""
    account = life.account
    with translation.override(settings.LANGUAGE_CODE):
        return mail(
            account.organization,
            _("Paravent: the battery of %(account)s is low") % {"account": account.label},
            _("The phone of the account “%(account)s” has %(battery)d %% left. Is its charger in?")
            % {"account": account.label, "battery": life.battery},
        )


def _local(moment: datetime.datetime, account: Account) -> str:
    zone = zoneinfo.ZoneInfo(account.organization.time_zone)
    return date_format(moment.astimezone(zone), "SHORT_DATETIME_FORMAT")


def account_paused(account: Account, reason: str) -> None:
    """Once per pause: the provider refuses the account, so nothing is sent until a person acts."""
    with translation.override(settings.LANGUAGE_CODE):
        mail(
            account.organization,
            _("Paravent: sending is paused on %(account)s") % {"account": account.label},
            _(
                "The provider refuses the account “%(account)s” (%(reason)s). Its numbers still receive, and replies "
                "are kept for a day, but nothing is sent.\n\n"
                "Check the credit and the credentials with the provider, then choose “Resume sending” on the account's "
                "page."
            )
            % {"account": account.label, "reason": reason},
        )


def sending_stopped() -> bool:
    """Once, to the platform's operators: the database seems to be a restored one. Whether the mail left."""
    with translation.override(settings.LANGUAGE_CODE):
        return mail_operators(
            _("Nothing is sent: the database may have been restored"),
            _(
                "The database is not the one that was used last, or it has forgotten what was sent. If it comes "
                "from a backup, it holds replies that were sent since, and people would get them twice. So nothing "
                "is sent on the whole platform. Messages are received and stored.\n\n"
                "On the server, `manage.py restored` shows what waits, and says how to go on."
            ),
        )
