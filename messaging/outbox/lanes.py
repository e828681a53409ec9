"""Who is answered next: clean first replies at once; groups, and repeats, of what they leave (SECURITY.md 3.1)."""

from __future__ import annotations

import datetime
import enum
import itertools
import random
from collections.abc import Sequence

from django.db.models import Exists, OuterRef, QuerySet

from conversations.models import Reply
from conversations.words import ReplyState
from hotlines.models import Hotline
from shield import changes, ledger, reserve

from . import pace

#: So many groups have a turn in one run.
_TURNS = 20
#: What it takes to plan a reply.
_RELATED = (
    *("conversation", "message", "hotline__organization"),
    *("hotline__account", "hotline__stand_in__account"),
)
_random = random.SystemRandom()


class Lane(enum.Enum):
    """In their order. `SUSPECT` are first replies to senders of suspicious groups."""

    CLEAN = enum.auto()
    SUSPECT = enum.auto()
    REPEAT = enum.auto()


#: A lane of a hotline for which there is no room, by the hotline's id.
Closed = set[tuple[int, Lane]]


def close(closed: Closed, hotline: int, lane: Lane) -> None:
    """No room for this lane, and so for none behind it: what is left is left for those who come before."""
    closed.add((hotline, lane))
    if lane is Lane.CLEAN:
        closed |= {(hotline, other) for other in Lane}


def hotlines(now: datetime.datetime, closed: Closed) -> list[Hotline]:
    """Those for which replies wait that are due and have been judged."""
    full = [pk for pk, lane in closed if lane is Lane.CLEAN]
    waiting = _due(now).filter(hotline=OuterRef("pk"))
    found = Hotline.objects.exclude(pk__in=full).filter(Exists(waiting)).select_related("organization", "account")
    return list(found.order_by("pk"))


def next_of(
    hotline: Hotline,
    allowance: pace.Allowance,
    limit: int,
    closed: Closed,
    firsts: reserve.Firsts,
    *,
    raided: bool,
) -> tuple[Lane, list[int]] | None:
    """The ids of up to `limit` replies of the first lane that has any, in their order; None where none may go.

    In a raid each sender gets one reply, and repeats wait for its end. Choosing a text is slow, so no more are named
    than there is room for.
    """
    for lane in Lane:
        if (hotline.pk, lane) in closed or (raided and lane is Lane.REPEAT):
            continue
        behind = lane is not Lane.CLEAN
        places = allowance.surplus if behind else allowance.left
        if not places:
            return None
        chosen = _CHOICES[lane](hotline, allowance, min(limit, places))
        if not chosen:
            continue
        room = ledger.room(hotline, allowance.now, firsts if behind else None, suspect=lane is Lane.SUSPECT)
        if room:
            return lane, chosen[:room]
        close(closed, hotline.pk, lane)
    return None


def _due(now: datetime.datetime) -> QuerySet[Reply]:
    return Reply.objects.filter(state=ReplyState.PENDING, due_at__lte=now)


def _clean(hotline: Hotline, allowance: pace.Allowance, limit: int) -> list[int]:
    """The oldest first. When more wait than now and the next hour allow, the newest: some are then answered in time."""
    firsts = _due(allowance.now).filter(hotline=hotline, slot=1, suspicion="").values_list("pk", flat=True)
    crowd = allowance.left + hotline.replies_per_hour
    oldest = list(firsts.order_by("due_at", "pk")[: min(limit, crowd + 1)])
    few = len(oldest) < limit and len(oldest) <= crowd
    if few or len(firsts.order_by()[: crowd + 1]) <= crowd:
        return oldest
    return list(firsts.order_by("-due_at", "-pk")[:limit])


def _suspect(hotline: Hotline, allowance: pace.Allowance, limit: int) -> list[int]:
    """In turns one of each group, of which nobody can choose to be the first: by the random number of his reply.

    As many turns at once as `limit` allows: to ask for each turn anew took longer than all else that releasing does.
    """
    firsts = changes.deferred(hotline).filter(due_at__lte=allowance.now)
    groups = list(firsts.order_by("suspicion").values_list("suspicion", flat=True).distinct())
    chosen = _random.sample(groups, min(len(groups), limit, _TURNS))
    turns = limit // max(len(chosen), 1)
    members = [firsts.filter(suspicion=group).order_by("uuid").values_list("pk", flat=True)[:turns] for group in chosen]
    return [pk for turn in itertools.zip_longest(*members) for pk in turn if pk is not None]


def _repeat(hotline: Hotline, allowance: pace.Allowance, limit: int) -> list[int]:
    repeats = _due(allowance.now).filter(hotline=hotline, slot__gt=1)
    return list(repeats.order_by("slot", "due_at", "pk").values_list("pk", flat=True)[:limit])


_CHOICES = {Lane.CLEAN: _clean, Lane.SUSPECT: _suspect, Lane.REPEAT: _repeat}


def in_order(ids: Sequence[int]) -> list[Reply]:
    """Their rows with all that releasing needs, in the order of `ids`."""
    replies = Reply.objects.filter(pk__in=ids)
    found = {reply.pk: reply for reply in replies.select_related(*_RELATED)}
    return [found[pk] for pk in ids if pk in found]
