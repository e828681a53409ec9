"""Replies that may be sent at noon, and what their rows say afterwards."""

from __future__ import annotations

import datetime

from tests.outbox.carrier import written
from tests.world import Tenant

from conversations.models import Reply
from hotlines.models import Account
from outbox import release

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
HOUR = datetime.timedelta(hours=1)


def released(tenant: Tenant, sender: str = "33639980101", at: datetime.datetime = NOON) -> Reply:
    """A reply that may be sent at `at`."""
    reply = written(tenant.hotline, sender, at=at)
    assert reply is not None
    assert release.release_due(at) == 1
    return reply


def row(reply: Reply) -> Reply:
    return Reply.objects.get(pk=reply.pk)


def said(reply: Reply) -> tuple[str, str]:
    found = row(reply)
    return found.state, found.detail


def account(tenant: Tenant) -> Account:
    return Account.objects.get(pk=tenant.account.pk)
