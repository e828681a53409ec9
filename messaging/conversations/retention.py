"""Erasing what is over: texts, senders' numbers, bodies that nobody could read, and rows of which nothing is left.

Each step may be stopped at any moment and run again: a row tells itself whether it is due. What stands under a hold is
passed over. How long each number keeps what: `hotlines.keeping`.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet

from hotlines import keeping
from hotlines.models import Hotline

from . import holds
from .models import Block, Conversation, FirstKept, Hold, Message, Reply
from .models.shared import LATE_ROWS
from .words import Disposition

_BATCH = 500
_OPEN = (*Reply.WAITING, *Reply.IN_FLIGHT)
_UNREADABLE = Q(disposition=Disposition.UNREADABLE)


@dataclass(frozen=True)
class Erased:
    """How many of each are gone."""

    texts: int = 0
    numbers: int = 0
    rows: int = 0

    @property
    def total(self) -> int:
        return self.texts + self.numbers + self.rows


def erase_due(now: datetime.datetime) -> Erased:
    """Erase everything whose time was over at `now`."""
    holds.end_the_longest(now)
    texts = _erase_texts(Message, _messages_over(now)) + _erase_texts(Reply, _replies_over(now))
    numbers = _blank(_numbers_over(now), "sender_sealed") + _blank(_blocks_over(now), "sender_sealed")
    erased = Erased(texts, numbers, _delete_rows(now - datetime.timedelta(days=keeping.ROW_DAYS)))
    if erased.total:
        empty_journal()
    return erased


def empty_journal() -> None:
    """Have SQLite write its journal into its file and empty it: until then it holds what pages held before.

    Does nothing in a transaction, while another one reads an older state, or on PostgreSQL, whose VACUUM and recycled
    journal do it in their own time.
    """
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def erase_conversations(organization_id: int, ids: Sequence[int], now: datetime.datetime) -> int:
    """Erase texts and numbers of these conversations at once; returns how many there were that no hold keeps.

    What was not sent yet is given up. Counts, times, pseudonyms and blocks stay. In a transaction of the caller.
    """
    rows = Conversation.objects.filter(organization_id=organization_id, pk__in=ids)
    free = [row.pk for row in rows.select_for_update().filter(~holds.standing("pk")).order_by("pk")]
    Reply.objects.filter(conversation_id__in=free, state__in=Reply.WAITING).update(
        state=Reply.State.DROPPED, detail="erased", finished_at=now, text_sealed=None
    )
    Message.objects.filter(conversation_id__in=free).update(text_sealed=None)
    Reply.objects.filter(conversation_id__in=free).exclude(state__in=_OPEN).update(text_sealed=None)
    keys = list(rows.filter(pk__in=free).values_list("sender_key", flat=True))
    Block.objects.filter(organization_id=organization_id, conversation=None, sender_key__in=keys).update(
        sender_sealed=None
    )
    rows.filter(pk__in=free).update(sender_sealed=None, language="")
    return len(free)


def oldest_beyond(now: datetime.datetime) -> datetime.timedelta:
    """By how much the oldest text or number has outlived its time; nothing where all is erased that should be."""
    late = [
        now - due
        for rows, column, days in (
            (_texts(Message).filter(~_UNREADABLE, pk__gte=_mark(Message)), "received_at", "hotline__text_days"),
            (_numbers(), "last_message_at", "hotline__number_days"),
        )
        for due in _due(rows, column, days)
    ]
    return max([datetime.timedelta(0), *late])


def _due(rows: QuerySet[Any], column: str, days: str) -> Iterator[datetime.datetime]:
    """When the oldest of each length of time was due."""
    for kept, oldest in rows.order_by().values(days).annotate(oldest=Min(column)).values_list(days, "oldest"):
        yield oldest + datetime.timedelta(days=kept)


# --- what is over ---------------------------------------------------------------------------------------------------
def _over(now: datetime.datetime, moment: str, days: str) -> Q:
    """Whether a row's `moment` is longer ago than its hotline keeps such rows."""
    hotlines = defaultdict(list)
    for hotline_id, kept in Hotline.objects.values_list("pk", days):
        hotlines[kept].append(hotline_id)
    over = Q(pk__in=[])
    for kept, ids in hotlines.items():
        over |= Q(hotline_id__in=ids, **{f"{moment}__lt": now - datetime.timedelta(days=kept)})
    return over


def _texts(model: type[Message | Reply]) -> QuerySet[Any]:
    """Rows with a text, or a body that could not be read, that no hold keeps."""
    return model.objects.filter(~holds.standing(), text_sealed__isnull=False)


def _messages_over(now: datetime.datetime) -> QuerySet[Any]:
    readable = ~_UNREADABLE & _over(now, "received_at", "text_days")
    return _texts(Message).filter(readable | (_UNREADABLE & _over(now, "received_at", "body_days")))


def _replies_over(now: datetime.datetime) -> QuerySet[Any]:
    return _texts(Reply).filter(_over(now, "due_at", "text_days")).exclude(state__in=_OPEN)


def _numbers() -> QuerySet[Any]:
    """Senders' numbers that no hold keeps, and no reply needs."""
    open_replies = Reply.objects.filter(conversation_id=OuterRef("pk"), state__in=_OPEN)
    return Conversation.objects.filter(~holds.standing("pk"), ~Exists(open_replies), sender_sealed__isnull=False)


def _numbers_over(now: datetime.datetime) -> QuerySet[Any]:
    return _numbers().filter(_over(now, "last_message_at", "number_days"))


def _blocks_over(now: datetime.datetime) -> QuerySet[Any]:
    """Blocks on all numbers that are lifted or over. One that stands needs the number, to outlive the half-year."""
    before = now - datetime.timedelta(days=keeping.NUMBER_DAYS)
    return Block.objects.filter(Q(lifted_at__lt=before) | Q(until__lt=before), sender_sealed__isnull=False)


# --- erasing --------------------------------------------------------------------------------------------------------
def _pages(rows: QuerySet[Any], first: int = 0) -> Iterator[list[int]]:
    last = first - 1
    while ids := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:_BATCH]):
        yield ids
        last = ids[-1]


def _blank(rows: QuerySet[Any], column: str, first: int = 0) -> int:
    """Empty a column of these rows, as far as they are still due at that moment."""
    return sum(rows.filter(pk__in=ids).update(**{column: None}) for ids in _pages(rows, first))


def _mark(model: type[Message | Reply]) -> int:
    """Before this row no text is left that is to be erased."""
    mark = FirstKept.objects.filter(table=model._meta.db_table).first()
    return mark.row if mark else 0


def _erase_texts(model: type[Message | Reply], rows: QuerySet[Any]) -> int:
    """Empty the texts of these rows; the search begins where the last one saw the first that was left."""
    table = model._meta.db_table
    mark = _mark(model)
    erased = _blank(rows, "text_sealed", mark)
    found = _texts(model).filter(pk__gte=mark).aggregate(first=Min("pk"))["first"]
    end = model.objects.aggregate(last=Max("pk"))["last"] or 0
    first = max(0, min(end, end if found is None else found) - LATE_ROWS)
    FirstKept.objects.update_or_create(table=table, defaults={"row": first})
    return erased


def _delete_rows(before: datetime.datetime) -> int:
    """Delete messages of before, with their replies, and conversations of which nothing else is left."""
    old = Message.objects.filter(~holds.standing(), received_at__lt=before)
    deleted = 0
    first = Message.objects.filter(~holds.standing()).order_by("pk").first()
    if first is not None and first.received_at < before:
        for ids in _pages(old):
            Reply.objects.filter(message_id__in=ids).exclude(state__in=_OPEN).delete()
            deleted += _delete(old.filter(pk__in=ids, reply__isnull=True))
    Hold.objects.filter(lifted_at__lt=before).delete()
    silent = Conversation.objects.filter(
        ~holds.standing("pk"), last_message_at__lt=before, messages__isnull=True, replies__isnull=True
    )
    for ids in _pages(silent):
        Block.objects.filter(conversation_id__in=ids).delete()
        deleted += _delete(silent.filter(pk__in=ids, holds__isnull=True))
    return deleted


def _delete(rows: QuerySet[Any]) -> int:
    ids = list(rows.values_list("pk", flat=True))
    by_model: dict[str, int] = rows.model.objects.filter(pk__in=ids).delete()[1]
    return by_model.get(rows.model._meta.label, 0)
