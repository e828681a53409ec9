"""Releasing: what is due gets its language and text now and its price booked, or is dropped or waits for a budget."""

from __future__ import annotations

import datetime
import functools
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from conversations import blocks
from conversations.models import Conversation, Reply
from conversations.senders import number_of
from conversations.words import BlockCause, ReplyState
from hotlines.models import Hotline
from privacy import datakeys, vault
from replies import choosing, languages, segments
from replies.models import ReplyTemplate
from shield import changes, judge, ledger, loops, reserve, watch
from shield.budgets import Name, Scope, Window

from . import faults, lanes, pace
from .lanes import Closed, Lane

log = logging.getLogger("paravent.outbox")

#: How long a reply that we cannot handle is left alone, so that it stands in no other's way.
_SET_ASIDE = datetime.timedelta(minutes=5)


def release_due(now: datetime.datetime, limit: int = 100, closed: Closed | None = None) -> int:
    """Judge whom nobody has judged; then release, drop, expire or put off up to `limit` replies; returns how many.

    `closed` are lanes whose budgets have no room; those found on the way are added, and their replies wait as they are.
    Each hotline has its part of `limit`. Choosing a text is slow, so it holds no lock; then one transaction for the
    replies of each hotline books their price and writes them, each by a conditional statement that writes nothing
    where another was faster.
    """
    closed = set() if closed is None else closed
    _judge(now)
    hotlines = lanes.hotlines(now, closed)
    raided = changes.raided({hotline.pk for hotline in hotlines})
    each = max(limit // max(len(hotlines), 1), 1)
    return sum(_release_some(hotline, now, each, closed, raided=hotline.pk in raided) for hotline in hotlines)


def _judge(now: datetime.datetime) -> None:
    """A fault of ours in judging must silence nobody: all are answered in their order."""
    try:
        judge.look(now)
    except faults.OF_THE_DATABASE:
        raise
    except Exception as error:  # noqa: BLE001  see above
        log.error("new senders are not judged, and answered all the same: %s", faults.named(error))
        judge.wave_through()


def _release_some(hotline: Hotline, now: datetime.datetime, limit: int, closed: Closed, *, raided: bool) -> int:
    """Up to `limit` of its replies, lane after lane."""
    texts = functools.cache(lambda: choosing.texts_of(hotline))
    firsts, done = reserve.Firsts(hotline, now), 0
    while limit > 0:
        allowance = pace.look(hotline, now)
        if not allowance.left:
            lanes.close(closed, hotline.pk, Lane.CLEAN)
            break
        found = lanes.next_of(hotline, allowance, limit, closed, firsts, raided=raided)
        if found is None:
            break
        lane, chosen = found
        limit -= len(chosen)
        planned = (_planned(reply, now, texts(), shortest=raided) for reply in lanes.in_order(chosen))
        plans = [plan for plan in planned if plan is not None]
        done += _written(plans, now, lane, closed, firsts)
    return done


@dataclass(frozen=True)
class _Plan:
    """What a reply's row shall say, and what budgets must have room for: nothing where it is given up."""

    reply: Reply
    changes: dict[str, object]
    language_seen: str = ""
    wish: ledger.Wish | None = None


def _planned(reply: Reply, now: datetime.datetime, texts: Sequence[ReplyTemplate], *, shortest: bool) -> _Plan | None:
    """A fault of ours is logged, and the reply tried again later: it must not keep all others waiting."""
    try:
        return _plan(reply, now, texts, shortest=shortest)
    except faults.OF_THE_DATABASE:  # it is the database that fails, and not this row
        raise
    except Exception as error:  # noqa: BLE001  see above
        set_aside(reply, error, now)
        return None


def _plan(reply: Reply, now: datetime.datetime, texts: Sequence[ReplyTemplate], *, shortest: bool) -> _Plan:
    reason = must_not_be_sent(reply, now)
    if reason:
        return _Plan(reply, given_up(reason, now))
    if not reply.by_hand and _in_a_loop(reply):
        watch.loop(reply, now)
        return _Plan(reply, given_up(_LOOP, now))
    written, sender = _known_of(reply)
    choice = _by_hand(reply) if reply.by_hand else _choose(reply, written, sender, texts, shortest=shortest)
    if choice is None:
        return _Plan(reply, {"state": ReplyState.FAILED, "detail": "no text", "finished_at": now})
    size = segments.count(choice.text).segments
    wish = ledger.Wish(
        micros=ledger.worst_price(reply.hotline, size),
        sender_key=bytes(reply.conversation.sender_key),
        country=languages.region_of(number_of(sender)),
        # One that can no longer be read is a number of its own; it is not sent, but it is another's no more.
        destination=ledger.destination(sender or str(reply.conversation.uuid), now),
        repeat=reply.slot > 1,
        suspect=bool(reply.suspicion),
    )
    wanted = {
        "state": ReplyState.RELEASED,
        "language": choice.language,
        "arm": choice.template.arm if choice.compared and choice.template is not None else "",
        "text_sealed": vault.seal(choice.text, reply.place, datakeys.Purpose.TEXT, datakeys.month(now)),
        "segments": size,
        "detail": "",
        "reserved_micros": wish.micros,
        "reserved_at": now,
        "to_settle": True,
        # As it is booked, should another process have thought better of it since.
        "suspicion": reply.suspicion,
    }
    return _Plan(reply, wanted, choice.language_seen, wish)


def _in_a_loop(reply: Reply) -> bool:
    """Whether a machine answers, now or before in this episode.

    Asked only where its turns can be enough, which costs ordinary senders nothing.
    """
    if reply.slot <= loops.TURNS:
        return False
    replies = Reply.objects.filter(conversation=reply.conversation_id, episode=reply.episode, slot__lte=reply.slot)
    turns, before = [], None
    for one in replies.select_related("message").order_by("slot"):
        if before is not None and before.detail == _LOOP:
            return True
        known = before is not None and before.sent_at is not None
        turns.append(
            loops.Turn(
                text=(vault.read_or_none(one.message, "text") or ""),
                received_at=one.message.received_at,
                reply=(vault.read_or_none(before, "text") or "") if before is not None and known else "",
                sent_at=before.sent_at if before is not None else None,
            )
        )
        before = one
    return loops.is_loop(turns)


def _known_of(reply: Reply) -> tuple[str, str]:
    """The message and the canonical sender; both "" where they can no longer be read."""
    try:
        return reply.message.text or "", reply.conversation.sender or ""
    except vault.Unreadable:
        return "", ""


def coin(conversation: Conversation) -> bool:
    """Which of two texts that are compared a sender gets: by chance, and the same in every episode."""
    return bool(hashlib.blake2b(conversation.uuid.bytes, digest_size=1, person=b"text arm").digest()[0] & 1)


def _by_hand(reply: Reply) -> choosing.Choice | None:
    """What a person wrote; None where its key is gone."""
    text = vault.read_or_none(reply, "text")
    return choosing.Choice(text, reply.language) if text else None


def _choose(
    reply: Reply, written: str, sender: str, texts: Sequence[ReplyTemplate], *, shortest: bool
) -> choosing.Choice | None:
    return choosing.choose(
        reply.hotline,
        purpose=reply.purpose,
        step=reply.slot,
        written=written,
        remembered=reply.conversation.language,
        number=number_of(sender),
        texts=texts,
        shortest=shortest,
        coin=coin(reply.conversation),
    )


def _written(plans: Sequence[_Plan], now: datetime.datetime, lane: Lane, closed: Closed, firsts: reserve.Firsts) -> int:
    """Write the plans of one hotline's replies together; one by one where a row fails."""
    if not plans:
        return 0
    try:
        with transaction.atomic():
            written = _write(plans, now, lane, closed, firsts)
    except faults.OF_THE_DATABASE:
        raise
    except Exception as error:  # noqa: BLE001  one reply must not keep all others waiting
        if len(plans) == 1:
            set_aside(plans[0].reply, error, now)
            return 0
        return sum(_written([plan], now, lane, closed, firsts) for plan in plans)
    # Afterwards, because whoever receives holds the conversation and may wait for its reply.
    for plan in written:
        if plan.language_seen:
            Conversation.objects.filter(pk=plan.reply.conversation_id).update(language=plan.language_seen)
    return len(written)


def _write(
    plans: Sequence[_Plan], now: datetime.datetime, lane: Lane, closed: Closed, firsts: reserve.Firsts
) -> list[_Plan]:
    """Those of the plans that were written.

    Replies that somebody else holds are passed over: with a hundred of them in one transaction, to wait for one would
    be to wait in a ring sooner or later. Budgets are locked after them, and whoever holds a budget waits for no reply.
    """
    hotline = plans[0].reply.hotline
    free = Reply.objects.filter(pk__in=[plan.reply.pk for plan in plans], state=ReplyState.PENDING)
    held = set(free.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True))
    plans = [plan for plan in plans if plan.reply.pk in held]
    allowance = pace.allowance(hotline, now)
    book = ledger.Book(hotline, [plan.wish for plan in plans if plan.wish], now, firsts)
    written = []
    for plan in plans:
        refused = book.refusal(plan.wish) if plan.wish else None
        if plan.wish is None:
            _change(plan.reply, plan.changes)
        elif refused is not None and refused.scope in _OF_ONE_SENDER:
            _change(plan.reply, _put_off(plan.reply, refused, now))
        elif refused is not None or not allowance.left or (lane is not Lane.CLEAN and not allowance.surplus):
            lanes.close(closed, hotline.pk, lane)
            continue
        else:
            _change(plan.reply, plan.changes)
            book.add(plan.wish)
            allowance.take()
        written.append(plan)
    book.write()
    allowance.write()
    return written


_LOOP = "loop"
#: Budgets that are full for some senders of a hotline, and not for all.
_OF_ONE_SENDER = (Scope.DESTINATION, Scope.COUNTRY, Scope.ACCOUNT)


def _change(reply: Reply, changes: dict[str, object]) -> None:
    """Write to a reply that is locked, or on SQLite whose database is."""
    Reply.objects.filter(pk=reply.pk).update(**changes)


def _put_off(reply: Reply, full: Name, now: datetime.datetime) -> dict[str, object]:
    """What the row of a reply says that a sender's, a country's or an account's budget has no room for."""
    if full.scope is Scope.DESTINATION:
        return given_up("one number a day", now)
    # Within the hour, also for a day's budget: what it keeps for others shrinks, and its people may raise it.
    return {"due_at": min(Window.HOUR.end(now), reply.expires_at), "detail": f"{full.scope} limit"}


def given_up(reason: str, now: datetime.datetime) -> dict[str, object]:
    """What the row of a reply says that `must_not_be_sent` gave a reason for."""
    state = ReplyState.EXPIRED if reason == "expired" else ReplyState.DROPPED
    return {"state": state, "detail": reason, "finished_at": now}


def set_aside(reply: Reply, error: Exception, now: datetime.datetime) -> None:
    """Leave a reply that raised `error` as it is, for a while; if that never ends, it expires."""
    log.error("reply %s is set aside: %s", reply.pk, faults.named(error))
    Reply.objects.filter(pk=reply.pk, state__in=Reply.WAITING).update(
        due_at=now + _SET_ASIDE, detail=type(error).__name__[:60]
    )


def must_not_be_sent(reply: Reply, now: datetime.datetime) -> str:
    """Why a waiting reply is given up, or "". The block that the limit itself sets is no reason."""
    if now >= reply.expires_at:
        return "expired"
    return silence(reply.conversation, reply.hotline, now, by_hand=reply.by_hand)


def silence(conversation: Conversation, hotline: Hotline, now: datetime.datetime, *, by_hand: bool) -> str:
    """Why nothing is sent to a sender at all, or ""; the words of `must_not_be_sent`."""
    if conversation.opted_out_at is not None:
        return "stop"
    if (
        conversation.block_cause == BlockCause.PERSON
        and conversation.blocked_until
        and now < conversation.blocked_until
    ):
        return "blocked by a person"
    if blocks.everywhere(conversation, now).exists():
        return "blocked by a person"
    return "" if may_send(hotline, tried=by_hand and conversation.tester) else f"number is {hotline.state}"


def may_send(hotline: Hotline, *, tried: bool) -> bool:
    """A number that is not active yet, or not now, sends a tester what a person writes: then it is `tried`."""
    return hotline.state == Hotline.State.ACTIVE or (
        tried and hotline.state in {Hotline.State.DRAFT, Hotline.State.SILENT}
    )


def expire(now: datetime.datetime) -> int:
    """Give up what was not sent in time, whatever kept it: a paused account, a provider that is down."""
    return Reply.objects.filter(state__in=Reply.WAITING, expires_at__lte=now).update(
        state=ReplyState.EXPIRED, finished_at=now, detail="expired"
    )
