"""What an export is about: the messages of one conversation, or those of everybody who took part in a raid."""

from __future__ import annotations

import datetime
import itertools
import zoneinfo
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from conversations.models import Conversation, Message, Reply
from conversations.senders import number_of
from hotlines.models import Hotline
from shield.detector import WINDOW
from shield.likeness import ALIKE, Shape, agreement, shape
from shield.models import LevelChange
from shield.words import Level

from . import canonical

#: A raid that is silent for so long and goes on has another wave.
SILENCE = datetime.timedelta(hours=1)
#: How the name of a group of texts begins (`shield.judge`); others are of blocks of numbers.
_OF_TEXTS = "t"


@dataclass(frozen=True)
class Joined:
    """That a conversation became part of a raid: when its first reply was decided, and in which group of likes."""

    conversation: str
    name: str
    at: datetime.datetime
    cluster: str


@dataclass(frozen=True)
class Subject:
    """`joined` is for a raid, in the order of time."""

    name: str
    hotline: Hotline
    conversations: QuerySet[Conversation]
    messages: QuerySet[Message]
    replies: QuerySet[Reply]
    is_raid: bool = False
    joined: tuple[Joined, ...] = ()


def of_conversation(conversation: Conversation) -> Subject:
    """Everything that is kept of it."""
    return Subject(
        name=conversation.pseudonym,
        hotline=_hotline(conversation.hotline_id),
        conversations=Conversation.objects.filter(pk=conversation.pk),
        messages=Message.objects.filter(conversation=conversation),
        replies=Reply.objects.filter(conversation=conversation),
    )


def of_raid(change: LevelChange) -> Subject:
    """What those wrote whom the shield found to be of a group, from an hour before `change` until the level was normal.

    Senders who wrote in the same hours and were of no group are not in it: they took part in nothing.
    """
    first, end = period(change)
    at = change.at.astimezone(zoneinfo.ZoneInfo(change.organization.time_zone))
    suspected = Reply.objects.filter(
        hotline=change.hotline_id, slot=1, suspicion__gt="", decided_at__gte=first, decided_at__lte=end
    )
    conversations = Conversation.objects.filter(pk__in=suspected.order_by().values("conversation"))
    replies = suspected.select_related("conversation").order_by("decided_at", "pk")
    return Subject(
        name=f"{at:%Y-%m-%d %H:%M}",
        hotline=_hotline(change.hotline_id),
        conversations=conversations,
        messages=Message.objects.filter(conversation__in=conversations, received_at__gte=first, received_at__lte=end),
        replies=Reply.objects.filter(conversation__in=conversations, decided_at__gte=first, decided_at__lte=end),
        is_raid=True,
        joined=tuple(
            Joined(str(reply.conversation.uuid), reply.conversation.pseudonym, reply.decided_at, reply.suspicion or "")
            for reply in replies
        ),
    )


def period(change: LevelChange) -> tuple[datetime.datetime, datetime.datetime]:
    """From when to when a raid went; until now if it goes on."""
    later = LevelChange.objects.filter(hotline=change.hotline_id, at__gte=change.at, after=Level.NORMAL)
    over = later.exclude(pk=change.pk).order_by("at", "pk").values_list("at", flat=True).first()
    return change.at - WINDOW, over or timezone.now()


def _hotline(pk: int) -> Hotline:
    return Hotline.objects.select_related("account", "organization").get(pk=pk)


def waves(moments: Iterable[datetime.datetime]) -> Iterator[int]:
    """The number of the wave of each moment, from 1. The moments come in their order."""
    wave, before = 1, None
    for moment in moments:
        if before is not None and moment - before >= SILENCE:
            wave += 1
        before = moment
        yield wave


def lines(joined: Iterable[Joined], records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A line for each participant: his wave and his cluster, his number while it is known, and what he sent.

    Clusters are numbered in the order in which they appear. Detection forgets a text after an hour, so groups of alike
    texts in several waves are one here. One whose messages were erased before still counts.
    """
    by_name = {name: [*rows] for name, rows in _grouped(records)}
    joined = list(joined)
    numbers = _numbers(joined, by_name)
    for one, wave in zip(joined, waves(one.at for one in joined), strict=True):
        rows = by_name.get(one.conversation, [])
        sender = next((row["sender"] for row in rows if row["sender"]), None)
        yield {
            "wave": wave,
            "cluster": numbers[one.cluster],
            "conversation": one.conversation,
            "name": one.name,
            "number": number_of(sender or "") or None,
            "joined_at": canonical.moment(one.at),
            "messages": len(rows),
            "threats": sum(row["threat"] for row in rows),
            "positions": [row["position"] for row in rows],
        }


def _grouped(records: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    named = sorted((row for row in records if row["conversation"]), key=lambda row: row["conversation"])
    return itertools.groupby(named, key=lambda row: row["conversation"])


def _numbers(joined: Iterable[Joined], rows: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    """The number of each cluster. One of texts is told by the first of them that can still be read."""
    numbers: dict[str, int] = {}
    shapes: dict[str, Shape] = {}
    for one in joined:
        if one.cluster in shapes or (one.cluster in numbers and not one.cluster.startswith(_OF_TEXTS)):
            continue
        numbers.setdefault(one.cluster, len(set(numbers.values())) + 1)
        text = next((row["event"]["text"] for row in rows.get(one.conversation, []) if row["event"]), None)
        if text is None or not one.cluster.startswith(_OF_TEXTS):
            continue
        looks = shape(text)
        alike = (other for other, its in shapes.items() if agreement(looks, its) >= ALIKE)
        numbers[one.cluster] = numbers[next(alike, one.cluster)]
        shapes[one.cluster] = looks
    return numbers
