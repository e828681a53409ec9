"""Inbound messages that the provider gave up on: found in its list, and counted (SECURITY.md 2.6).

Plivo tries for seven minutes. What no webhook of ours acknowledged by then exists only in its log, without its text
and often without its sender. It is counted as missed, once, and said to the organization's people; nobody is answered.
"""

from __future__ import annotations

import datetime
import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations import sql
from conversations.models import Message
from conversations.words import Disposition
from hotlines.models import Account, Hotline
from organizations.models import Organization
from outbox import alerts, detaching, faults
from privacy import vault
from providers import masks, reading
from providers.base import LogEntry, LogQuery, LogTerms, Unavailable
from providers.models import LogReading

from .rows import stored_id

log = logging.getLogger("paravent.inbox")

#: How often the list is asked for.
EVERY = datetime.timedelta(minutes=10)
#: The provider tries for seven minutes, and its log may be late: younger messages are not missed yet.
SETTLED_AFTER = datetime.timedelta(minutes=20)
#: How far each listing reaches back into the last one, for entries that came late to the log.
OVERLAP = datetime.timedelta(hours=1)
#: How much of the provider's rate it may use, so that a long list leaves some for the replies of unknown outcome.
_SHARE = 0.5
#: Numbers in these states are not given away: what is texted to them is not lost.
_NOT_IN_USE = (Hotline.State.DRAFT, Hotline.State.RETIRED)


def reconcile_inbound() -> int:
    """Count what the providers' lists have and we do not; returns how many were new. One mail to each organization."""
    missed: Counter[Hotline] = Counter()
    try:
        _reconcile_all(missed)
    finally:
        _tell(missed)
    return missed.total()


def _reconcile_all(missed: Counter[Hotline]) -> None:
    for account in Account.objects.filter(hotlines__isnull=False).distinct().order_by("pk"):
        try:
            terms = reading.terms(account)
            if terms is not None:
                _reconcile(account, terms, timezone.now(), missed)
        except Unavailable as error:
            log.warning("the list of account %s cannot be read now: %s", account.pk, error)
        except faults.OF_THE_DATABASE:  # it is the database that fails, and not this account
            raise
        except Exception as error:  # noqa: BLE001  one account must not keep all others waiting
            log.error("messages of account %s could not be reconciled: %s", account.pk, faults.named(error))


def _reconcile(account: Account, terms: LogTerms, now: datetime.datetime, missed: Counter[Hotline]) -> None:
    """Read on where the last run ended, one page after the other, and end the window after its last page."""
    read = reading.reading_of(account, now)
    until = read.inbound_window_until
    if until is None:
        until = now - SETTLED_AFTER
        if until < read.inbound_until + EVERY:
            return
        LogReading.objects.filter(pk=read.pk, inbound_window_until=None).update(inbound_window_until=until)
    hotlines = list(Hotline.objects.filter(account=account).exclude(state__in=_NOT_IN_USE))
    kept_since = now - datetime.timedelta(days=terms.days) + OVERLAP
    query = LogQuery(max(read.inbound_until - OVERLAP, kept_since), until, inbound=True)
    mine = LogReading.objects.filter(pk=read.pk, identity=read.identity, inbound_window_until=until)
    cursor: str | None = read.inbound_cursor
    while cursor is not None:
        page = reading.page(account, read, query, cursor, share=_SHARE)
        missed.update(_count(account, read, hotlines, page.entries))
        cursor = page.next
        mine.update(inbound_cursor=cursor or "")
    mine.update(inbound_until=until, inbound_window_until=None, inbound_cursor="")


def _count(
    account: Account, read: LogReading, hotlines: Sequence[Hotline], entries: Sequence[LogEntry]
) -> Counter[Hotline]:
    """Store those of `entries` that are unknown to us as missed, each by itself; the new ones by hotline."""
    named = {stored_id(entry.id): entry for entry in entries}
    stored = Message.objects.filter(hotline__in=hotlines, provider_id__in=named)
    known = dict(stored.values_list("provider_id", "disposition"))
    reading.note_known(read, [named[name] for name, became in known.items() if became != Disposition.MISSED])
    counted: Counter[Hotline] = Counter()
    for name in named.keys() - known.keys():
        entry = named[name]
        hotline = _hotline_of(entry, hotlines)
        if hotline is None or _kept_unreadable(entry, hotline) or not _store(account, hotline, entry, name):
            continue
        # Nobody is alarmed by what did not come because the number was taken off: that was told when it was decided.
        if not detaching.was_off(hotline, entry.at - SETTLED_AFTER, entry.at):
            counted[hotline] += 1
    return counted


def _hotline_of(entry: LogEntry, hotlines: Iterable[Hotline]) -> Hotline | None:
    """Whose number it was sent to, if that is certain, and the hotline was there already."""
    found = [hotline for hotline in hotlines if masks.could_be(entry.recipient, hotline.number)]
    if len(found) > 1:
        log.warning(
            "a missed message may be for %d numbers of account %s: counted for none", len(found), found[0].account_id
        )
    return found[0] if len(found) == 1 and found[0].created_at <= entry.at else None


def _kept_unreadable(entry: LogEntry, hotline: Hotline) -> bool:
    """Whether it came, and is kept as unreadable: such a row bears no id of the provider, only the request's body."""
    rows = Message.objects.filter(
        hotline=hotline,
        disposition=Disposition.UNREADABLE,
        received_at__range=(entry.at - OVERLAP, entry.at + OVERLAP),
    )
    return any(entry.id in (vault.read_or_none(row, "text") or "") for row in rows)


def _store(account: Account, hotline: Hotline, entry: LogEntry, name: str) -> bool:
    """Whether it was new: the same constraint that keeps a message from being stored twice holds this."""
    values = {
        "uuid": uuid.uuid4(),
        "organization_id": hotline.organization_id,
        "hotline_id": hotline.pk,
        "account_id": account.pk,
        "conversation_id": None,
        "provider_id": name,
        "nonce_hash": None,
        "disposition": Disposition.MISSED.value,
        "reason": "",
        "text_sealed": None,
        "units": entry.units or 1,
        "cost": entry.cost,
        "received_at": entry.at,
    }
    return sql.insert_message(values) is not None


def _tell(missed: Counter[Hotline]) -> None:
    """One mail to each organization that lost messages: how many, and on which of its numbers."""
    by_organization: dict[int, list[Hotline]] = {}
    for hotline in sorted(missed, key=lambda hotline: (hotline.name, hotline.pk)):
        by_organization.setdefault(hotline.organization_id, []).append(hotline)
    for organization in Organization.objects.filter(pk__in=by_organization):
        hotlines = by_organization[organization.pk]
        total = sum(missed[hotline] for hotline in hotlines)
        with translation.override(settings.LANGUAGE_CODE):
            lines = [f"{hotline.name}: {missed[hotline]}" for hotline in hotlines]
            body = _(
                "The provider received messages for your numbers and could not deliver them to Paravent, most likely "
                "because it was unreachable. They are counted. Their texts are lost, and nobody was answered."
            )
            subject = ngettext(
                "Paravent: %(count)d message was lost at the provider",
                "Paravent: %(count)d messages were lost at the provider",
                total,
            )
            alerts.mail(organization, subject % {"count": total}, "\n".join([body, "", *lines]))
