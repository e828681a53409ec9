"""Looking at each new sender once, before his reply is released: is he one of a suspicious group?

What a process knows of the last hour is in its memory and comes from the rows, so a restart loses nothing, and any
number of processes may judge. What they find is written to the replies, which is all that releasing asks for.
"""

from __future__ import annotations

import datetime
import logging
import threading
from collections.abc import Iterable

from django.db.models import QuerySet

from conversations.models import Reply
from conversations.senders import number_of
from conversations.words import Channel, ReplyState
from hotlines.models import Hotline
from privacy import peppers, vault

from .changes import Watched
from .detector import WINDOW, Arrival, Group, block_of
from .likeness import Shape, shape

log = logging.getLogger("paravent.shield")

#: So many replies are judged together.
BATCH = 500
#: After so long without a look, what came before the window is passed over.
_LONG = WINDOW / 6
#: So many replies back begins the search for one before the window.
_FIRST_STEP = 1000


class _Desk:
    """What this process knows. `seen` is the youngest reply that it has looked at, None before the first."""

    def __init__(self) -> None:
        self.seen: int | None = None
        self.looked_at: datetime.datetime | None = None
        self.watched: dict[int, Watched] = {}


_desk = _Desk()
_lock = threading.Lock()


def forget() -> None:
    """Begin anew, as a process that has just started."""
    global _desk  # noqa: PLW0603
    with _lock:
        _desk = _Desk()


def watched(hotline_id: int) -> Watched | None:
    """What this process knows of a hotline."""
    return _desk.watched.get(hotline_id)


def look(now: datetime.datetime) -> int:
    """Judge the first replies that nobody has judged, and move the levels of their hotlines; returns how many."""
    judged = 0
    with _lock:
        while True:
            batch = _fresh(now)
            waiting = _judge(batch, now)
            judged += waiting
            if len(batch) < BATCH:
                return judged


def wave_through() -> int:
    """Call all who wait to be judged unsuspicious; returns how many. For a fault of ours: it must silence nobody."""
    return _unjudged(Reply.objects.all()).update(suspicion="")


def weigh_all(now: datetime.datetime) -> int:
    """Move the levels of all hotlines that may answer, also of those to which nobody writes; returns how many."""
    look(now)
    with _lock:
        hotlines = Hotline.objects.exclude(state=Hotline.State.RETIRED).select_related("organization", "account")
        found = list(hotlines.order_by("pk"))
        for hotline in found:
            _watched(hotline, now).weigh(now)
        return len(found)


def _watched(hotline: Hotline, now: datetime.datetime) -> Watched:
    known = _desk.watched.get(hotline.pk)
    if known is None:
        known = _desk.watched[hotline.pk] = Watched(hotline, now)
    known.renew(hotline)
    return known


def _fresh(now: datetime.datetime) -> list[Reply]:
    """First replies that this process has not looked at, by their order.

    Asked every second and mostly in vain, so the ids come first, of which the database and Django make little work.
    """
    if _desk.seen is None or _desk.looked_at is None or now - _desk.looked_at > _LONG:
        _desk.seen = max(_desk.seen or 0, _before_the_window(now))
    _desk.looked_at = now
    everywhere = Hotline.objects.order_by().values("pk")
    missed = _unjudged(Reply.objects.filter(hotline__in=everywhere, pk__lte=_desk.seen))
    later = Reply.objects.filter(slot=1, pk__gt=_desk.seen)
    ids = [pk for some in (missed, later) for pk in some.order_by("pk").values_list("pk", flat=True)[:BATCH]]
    if not ids:
        return []
    rows = Reply.objects.filter(pk__in=ids).order_by("pk")
    return list(rows.select_related("message", "conversation", "hotline__organization", "hotline__account"))


def _unjudged(replies: QuerySet[Reply]) -> QuerySet[Reply]:
    return replies.filter(state=ReplyState.PENDING, slot=1, suspicion__isnull=True)


def _before_the_window(now: datetime.datetime) -> int:
    """A reply that was decided before the last hour, or 0: what came after it makes up the window."""
    newest = Reply.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    step = _FIRST_STEP
    while newest > 0:
        newest -= step
        older = Reply.objects.filter(pk__lte=newest).order_by("-pk").values_list("decided_at", flat=True).first()
        if older is None or older < now - WINDOW:
            break
        step *= 2
    return max(newest, 0)


def _judge(batch: Iterable[Reply], now: datetime.datetime) -> int:
    by_hotline: dict[int, list[Reply]] = {}
    for reply in batch:
        by_hotline.setdefault(reply.hotline_id, []).append(reply)
        _desk.seen = max(_desk.seen or 0, reply.pk)
    waiting = 0
    for replies in by_hotline.values():
        mine = _watched(replies[0].hotline, now)
        mine.catch_up(now)
        groups = mine.detector.add(_arrival(reply) for reply in replies if reply.decided_at > now - WINDOW)
        unjudged = {reply.pk for reply in replies if reply.state == ReplyState.PENDING and reply.suspicion is None}
        _write(mine, groups, unjudged, now)
        mine.weigh(now)
        waiting += len(unjudged)
    return waiting


def _arrival(reply: Reply) -> Arrival:
    """What cannot be read, and a call, is like nothing else: its sender is answered like anybody."""
    if reply.message.channel == Channel.CALL:
        return Arrival(reply.pk, reply.decided_at, _block(reply), Shape(f"call {reply.pk}"))
    try:
        looks = shape(reply.message.text or "")
        block = _block(reply)
    except vault.Unreadable:
        looks, block = Shape(f"unreadable {reply.pk}"), block_of(None)
    except Exception as error:  # noqa: BLE001  one message must not keep all others waiting
        log.error("reply %s is judged without its text: %s", reply.pk, type(error).__name__)
        looks, block = Shape(f"unreadable {reply.pk}"), block_of(None)
    return Arrival(reply.pk, reply.decided_at, block, looks)


def _block(reply: Reply) -> str:
    try:
        return block_of(number_of(reply.conversation.sender or ""))
    except vault.Unreadable:
        return block_of(None)


def _write(mine: Watched, groups: dict[int, Group | None], unjudged: set[int], now: datetime.datetime) -> None:
    """What was found about replies that still wait, a statement for each group. What is too old to tell is in none."""
    by_name: dict[str, list[int]] = {}
    for key in sorted(unjudged | groups.keys()):
        by_name.setdefault(_name(mine.hotline, groups.get(key), now), []).append(key)
    for name, keys in by_name.items():
        for start in range(0, len(keys), BATCH):
            waiting = Reply.objects.filter(pk__in=keys[start : start + BATCH], state=ReplyState.PENDING)
            waiting.update(suspicion=name)


def _name(hotline: Hotline, group: Group | None, now: datetime.datetime) -> str:
    """What a row says of a group. A block's digits are part of a number: a digest stands for them, for a day."""
    if group is None:
        return ""
    kind, key = group
    if kind == "text":
        return f"t{key}"
    return "b" + peppers.digest(f"block|{hotline.pk}|{key}", now.astimezone(datetime.UTC).date())[:16]
