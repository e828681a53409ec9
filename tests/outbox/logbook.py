"""A provider's log in memory: what is in it, and when it shows."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.utils import timezone
from tests.world import SENDER, Tenant

from conversations.models import Reply
from providers import reading
from providers.base import (
    CredentialField,
    Credentials,
    LogEntry,
    LogPage,
    LogQuery,
    LogTerms,
    Unavailable,
)
from providers.models import LogReading

TERMS = LogTerms(lag=900, requests_per_minute=20, days=90)


@dataclass
class Logbook:
    """A provider as `providers.reading` sees it. An entry shows `lag` seconds after its time.

    `fails` maps an account's Auth ID to what its log says instead.
    """

    credential_fields: ClassVar = (CredentialField("auth_id", "Auth ID", secret=False),)
    entries: list[LogEntry] = field(default_factory=list)
    lag: float = 0.0
    page: int = 20
    log: LogTerms | None = TERMS
    fails: dict[str, Unavailable] = field(default_factory=dict)
    asked: list[tuple[LogQuery, str]] = field(default_factory=list)

    def read_log(self, query: LogQuery, credentials: Credentials, cursor: str = "") -> LogPage:
        self.asked.append((query, cursor))
        if credentials["auth_id"] in self.fails:
            raise self.fails[credentials["auth_id"]]
        shown = timezone.now() - datetime.timedelta(seconds=self.lag)
        rows = [
            entry
            for entry in sorted(self.entries, key=lambda entry: entry.at, reverse=True)
            if entry.inbound is query.inbound and query.since <= entry.at <= query.until and entry.at <= shown
        ]
        start = int(cursor or 0)
        part = rows[start : start + self.page]
        more = start + len(part) < len(rows)
        return LogPage(tuple(part), str(start + len(part)) if more else None)

    def sent(
        self, tenant: Tenant, recipient: str = SENDER, at: datetime.datetime | None = None, name: str = "", **more: Any
    ) -> LogEntry:
        """Write down a reply that the provider took."""
        source = tenant.hotline.number.removeprefix("+")
        return self._add(
            LogEntry(name or f"log-{uuid.uuid4()}", False, source, recipient, at or timezone.now(), **more)
        )

    def received(
        self, tenant: Tenant, name: str = "", at: datetime.datetime | None = None, sender: str = SENDER, **more: Any
    ) -> LogEntry:
        """Write down a message that reached the provider."""
        recipient = more.pop("recipient", tenant.hotline.number.removeprefix("+"))
        return self._add(LogEntry(name or f"in-{uuid.uuid4()}", True, sender, recipient, at or timezone.now(), **more))

    def _add(self, entry: LogEntry) -> LogEntry:
        self.entries.append(entry)
        return entry


def masked(number: str) -> str:
    return number[:-3] + "XXX"


def is_ours_since(tenant: Tenant, moment: datetime.datetime) -> LogReading:
    """The account's log has shown us something of ours at `moment`."""
    row = reading.reading_of(tenant.account, timezone.now())
    row.covers_from = moment
    row.save()
    return row


def made_unknown(replies: Sequence[Reply], claimed_at: datetime.datetime) -> None:
    """Claimed at that moment, by a call that had no answer."""
    for reply in replies:
        Reply.objects.filter(pk=reply.pk).update(
            state="unknown", claimed_at=claimed_at, claim_token=uuid.uuid4(), attempts=1, text_sealed=b"sealed"
        )
        reply.refresh_from_db()
