"""Reading an account's log at its provider: within the provider's rate, which all processes share, and never by halves.

Nothing here decides. `outbox.settle` and `inbox.reconcile` ask, and treat `Unavailable` as "not known now".
"""

from __future__ import annotations

import datetime
import hashlib
import json
import time
from collections.abc import Iterable, Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q
from django.utils import timezone

from hotlines.models import Account
from privacy import vault

from . import registry
from .base import Credentials, LogEntry, LogPage, LogQuery, LogTerms, Provider, Unavailable
from .models import LogReading

#: Seconds one listing may take: the embedded engine has one thread, and replies wait for it.
_LONGEST_READ = 30.0
_MINUTE = datetime.timedelta(seconds=60)
#: How long before we first look something may have been lost that we still want to know of.
_FIRST_LOOK = datetime.timedelta(hours=24)


def terms(account: Account) -> LogTerms | None:
    """What the log of the account's provider is good for; None where there is none."""
    try:
        return registry.get(account.provider).log
    except registry.UnknownProvider:
        return None


def reading_of(account: Account, now: datetime.datetime) -> LogReading:
    """The account's row, made at the first look; one that is about other credentials starts anew.

    Raises `Unavailable` where the credentials cannot be read.
    """
    identity = _identity(account, _credentials(account))
    since = max(account.created_at, now - _FIRST_LOOK)
    fresh = {"identity": identity, "inbound_until": since}
    reading, _created = LogReading.objects.get_or_create(account=account, defaults=fresh)
    if bytes(reading.identity) != identity:
        LogReading.objects.filter(pk=reading.pk, identity=reading.identity).update(
            **fresh, covers_from=None, inbound_window_until=None, inbound_cursor=""
        )
        reading.refresh_from_db()
    return reading


def page(account: Account, reading: LogReading, query: LogQuery, cursor: str = "", *, share: float = 1.0) -> LogPage:
    """One page, which costs one request; `share` of the provider's rate is what the caller may use.

    Raises `Unavailable`.
    """
    provider, log = _provider(account)
    if query.since < timezone.now() - datetime.timedelta(days=log.days):
        raise Unavailable("older than the provider keeps")
    allowed = settings.LOG_REQUESTS_PER_MINUTE or log.requests_per_minute
    _take_request(reading, max(1, int(allowed * share)))
    try:
        return provider.read_log(query, _credentials(account), cursor)
    except Unavailable as error:
        if error.retry_after is not None:
            until = timezone.now() + datetime.timedelta(seconds=error.retry_after)
            LogReading.objects.filter(pk=reading.pk).update(resume_at=until)
        raise


def pages(account: Account, reading: LogReading, query: LogQuery) -> Iterator[LogPage]:
    """All pages of a listing. Raises `Unavailable` if they cannot all be had now, or the list moved meanwhile."""
    cursor: str | None = ""
    seen: set[str] = set()
    ends = time.monotonic() + _LONGEST_READ
    while cursor is not None:
        if time.monotonic() > ends:
            raise Unavailable("too slow")
        one = page(account, reading, query, cursor)
        ids = [entry.id for entry in one.entries]
        if len(set(ids)) < len(ids) or not seen.isdisjoint(ids):
            raise Unavailable("the list moved while it was read")
        seen.update(ids)
        yield one
        cursor = one.next


def listing(account: Account, reading: LogReading, query: LogQuery) -> list[LogEntry]:
    """A whole listing. Raises `Unavailable`."""
    return [entry for one in pages(account, reading, query) for entry in one.entries]


def note_known(reading: LogReading, known: Iterable[LogEntry]) -> None:
    """Remember the earliest of these entries, which we knew already: from then on the log shows what is ours."""
    first = min((entry.at for entry in known), default=None)
    if first is None or (reading.covers_from is not None and reading.covers_from <= first):
        return
    later = Q(covers_from__isnull=True) | Q(covers_from__gt=first)
    if LogReading.objects.filter(later, pk=reading.pk, identity=reading.identity).update(covers_from=first):
        reading.covers_from = first


def _provider(account: Account) -> tuple[Provider, LogTerms]:
    try:
        provider = registry.get(account.provider)
    except registry.UnknownProvider as error:
        raise Unavailable("provider not offered here") from error
    if provider.log is None:
        raise Unavailable("a provider without a log")
    return provider, provider.log


def _credentials(account: Account) -> Credentials:
    try:
        credentials = account.credentials
    except (vault.Unreadable, ImproperlyConfigured, ValueError) as error:
        raise Unavailable("credentials unreadable") from error
    if not credentials:
        raise Unavailable("no credentials")
    return credentials


def _identity(account: Account, credentials: Credentials) -> bytes:
    """A fingerprint of the provider's name and of the credentials that are no secrets."""
    provider, _log = _provider(account)
    fields = [field.name for field in provider.credential_fields if not field.secret]
    named = json.dumps([account.provider, *(credentials.get(name, "") for name in fields)])
    return hashlib.sha256(named.encode()).digest()[:16]


def _take_request(reading: LogReading, allowed: int) -> None:
    """Count one request in the row that all processes share. Raises `Unavailable` when the minute is spent.

    The count ends only with a whole minute without a request, so that no minute ever holds more than is allowed.
    """
    for _attempt in range(10):  # others count at the same moment
        reading.refresh_from_db(fields=["requests", "requested_at", "resume_at"])
        now = timezone.now()
        if reading.resume_at is not None and reading.resume_at > now:
            raise Unavailable("the provider asked to wait")
        recent = reading.requested_at is not None and now - reading.requested_at < _MINUTE
        used = reading.requests if recent else 0
        if used >= allowed:
            break
        mine = LogReading.objects.filter(pk=reading.pk, requests=reading.requests, requested_at=reading.requested_at)
        if mine.update(requests=used + 1, requested_at=now):
            return
    raise Unavailable("as many requests as the provider allows a minute")
