"""What own systems are told by the clock: how many were blocked, and how many replies did not arrive. Counts alone.

Each span is told once, a minute after its end: the constraint `event_span_once` holds that whoever comes twice.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Count, Q

from conversations.models import Block, Conversation, Reply
from conversations.words import Channel, ReplyState
from hotlines.models import Hotline

from .models import Event

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
#: What is committed late is counted all the same.
_LATE = datetime.timedelta(minutes=1)
#: A reply may fail so long after its sender's last message.
_REPORTED_WITHIN = datetime.timedelta(days=2)
_MOST_CODES = 5

Counting = Callable[[int, datetime.datetime, datetime.datetime], dict[Hotline, dict[str, Any]]]


def spans(now: datetime.datetime) -> Iterable[tuple[Event.Kind, Counting, datetime.datetime, datetime.datetime]]:
    """What to count from when to when: the last span of each kind that is over."""
    for kind, counting, minutes in (
        (Event.Kind.BLOCKS, count_blocks, 10),
        (Event.Kind.FAILURES, count_failures, 60),
    ):
        length = datetime.timedelta(minutes=minutes)
        end = _EPOCH + (now - _LATE - _EPOCH) // length * length
        yield kind, counting, end - length, end


def count_blocks(organization_id: int, since: datetime.datetime, until: datetime.datetime) -> dict[Any, dict[str, Any]]:
    """New blocks by number and cause; None are those on all numbers."""
    rows = Block.objects.filter(organization=organization_id, since__gte=since, since__lt=until).order_by()
    counted = rows.values_list("conversation__hotline", "cause").annotate(count=Count("pk"))
    found: dict[Any, dict[str, Any]] = {}
    for hotline, cause, count in counted:
        found.setdefault(hotline, {"causes": {}})["causes"][cause] = count
    return _by_hotline(found)


def count_failures(
    organization_id: int, since: datetime.datetime, until: datetime.datetime
) -> dict[Any, dict[str, Any]]:
    """Replies that the provider refused, that the network did not deliver, or of which nobody knows; and why."""
    lately = Conversation.objects.filter(organization=organization_id, last_message_at__gte=since - _REPORTED_WITHIN)
    failed = Q(state__in=[ReplyState.FAILED, ReplyState.UNKNOWN_FINAL]) | Q(delivery__in=["undelivered", "failed"])
    rows = Reply.objects.filter(
        failed, conversation__in=lately, channel=Channel.SMS, finished_at__gte=since, finished_at__lt=until
    )
    counted = rows.order_by().values_list("hotline", "state", "error_code").annotate(count=Count("pk"))
    names = {ReplyState.FAILED: "refused", ReplyState.UNKNOWN_FINAL: "unknown"}
    found: dict[Any, dict[str, Any]] = {}
    codes: dict[Any, Counter[str]] = {}
    for hotline, state, code, count in counted:
        told = found.setdefault(hotline, {"refused": 0, "undelivered": 0, "unknown": 0})
        told[names.get(state, "undelivered")] += count
        if code:
            codes.setdefault(hotline, Counter())[code] += count
    for hotline, told in found.items():
        told["codes"] = dict(codes.get(hotline, Counter()).most_common(_MOST_CODES))
    return _by_hotline(found)


def _by_hotline(found: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    rows = Hotline.objects.in_bulk([pk for pk in found if pk is not None])
    return {rows.get(pk): told for pk, told in found.items()}
