"""What needs the application itself: seeding, counting rows, and a profile of one webhook."""

from __future__ import annotations

import sys

from django.db.models import Count
from tests.bench.target import BLOCKED_SENDERS, REPLY_LIMIT, Target
from tests.world import build_tenant

from conversations.models import Message, Reply
from pages import board
from pages.models import Page

from . import steps


def seed() -> Target:
    """An organization with one active hotline that answers at once."""
    tenant = build_tenant("Bench", "+33937000010")
    path = f"/hooks/{tenant.account.provider}/{tenant.hotline.hook_token}/message/"
    Page.objects.create(
        organization=tenant.organization, hotline=tenant.hotline, slug="bench", name="Bench", published=True
    )
    shown = board.current("bench", "fr")
    if shown is None:
        raise RuntimeError("the page of the number is not shown")
    current = "/api/v1/hotlines/bench/current/?language=fr"
    return Target(path, tenant.hotline.number, tenant.token, current, shown.etag)


def check_rows(decided: int, blocked: int) -> None:
    """What was answered 200 is in the database, and became what its case says. Raises `RuntimeError`."""
    decided += BLOCKED_SENDERS * REPLY_LIMIT
    stored = dict(Message.objects.values_list("disposition").annotate(Count("pk")))
    replies = Reply.objects.count()
    if stored != {"answered": decided, "blocked": blocked} or replies != decided:
        raise RuntimeError(f"rows {stored}, {replies} replies; expected {decided} answered, {blocked} blocked")


def profile(target: Target) -> int:
    """Print where the time of one webhook goes."""
    sys.stdout.write(steps.breakdown(target))
    return 0
