"""Sending: claim, commit, one call, write what it taught. At most once, and never repeated blindly.

The order is the whole point (SECURITY.md 2.2, design D6): the claim is committed before the first byte leaves, so a
worker that dies leaves a claim that expires into `unknown`, and never a reply that looks unsent.
"""

from __future__ import annotations

import datetime
import logging
import re
import secrets
import time
import uuid

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from conversations.models import Reply
from conversations.senders import number_of
from conversations.words import ReplyState
from hotlines.models import Account
from privacy import vault
from providers import registry
from providers.base import Credentials, Knowledge, Outcome, OutgoingReply
from shield import ledger, timing
from shield.budgets import Window

from . import alerts, breaker, faults, pace, ready, restored, routing
from .clock import Stopwatch
from .release import given_up, must_not_be_sent, set_aside

log = logging.getLogger("paravent.outbox")

_RECIPIENT = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
_FIRST_BACKOFF = 5.0
_MOST_DOUBLINGS = 6
#: How many replies one call of `claim` looks at; whatever is wrong with a row, the search for another one ends.
_MOST_LOOKS = 200
#: Seconds after which an outcome that could not be written is tried again.
_RECORD_AGAIN = 0.5
_NO_TIME = datetime.timedelta(0)


class Unasked(Outcome):
    """What came of an attempt that ended before the provider was asked: it teaches nothing about the provider."""


class _Taken(Exception):
    """Another worker took the last place of this number, or is the attempt of this account."""


def send_one(now: datetime.datetime, clock_ahead: datetime.timedelta = _NO_TIME) -> bool:
    """Claim and send the most urgent released reply that may leave now. False when there is none."""
    watch = Stopwatch()
    reply = claim(now, clock_ahead)
    if reply is None:
        return False
    restored.remember(reply)
    _keep_recording(reply, _call(reply, watch), clock_ahead)
    return True


def _keep_recording(reply: Reply, outcome: Outcome, clock_ahead: datetime.timedelta) -> None:
    """`record`, again and again while the database fails: what the call taught stands nowhere else.

    Not for longer than half a lease: then the claim expires into `unknown`, which is true, and others settle it.
    """
    until = time.monotonic() + settings.CLAIM_LEASE / 2
    while True:
        try:
            return record(reply, outcome, clock_ahead)
        except faults.OF_THE_DATABASE as error:
            if time.monotonic() >= until:
                raise
            log.warning("the outcome of reply %s is not written yet: %s", reply.pk, faults.named(error))
            if not connection.in_atomic_block:
                connection.close()
            time.sleep(_RECORD_AGAIN)


def claim(now: datetime.datetime, clock_ahead: datetime.timedelta = _NO_TIME) -> Reply | None:
    """Take one reply for this worker, committed on return; what must not leave now is given up or moved on the way.

    Everything is judged and dated by the database's clock (`clock_ahead` of ours): other hosts judge the claim's lease,
    its number's pace and its account's breaker.
    """
    now += clock_ahead
    beaten: set[int] = set()
    for _ in range(_MOST_LOOKS):
        reply = None
        try:
            with transaction.atomic():
                reply = ready.first(now)
                if reply is None:
                    return None
                if _may_leave(reply, now):
                    return _claimed(reply, now)
        except _Taken:
            continue  # undone, and its `due_at` untouched: the next look passes over what cannot leave now
        except IntegrityError as error:
            # Another worker put a reply of this conversation in flight between our look and our claim. Once.
            if reply is not None and reply.pk not in beaten:
                beaten.add(reply.pk)
            else:
                _leave(reply, error, now)
        except faults.OF_THE_DATABASE:  # it is the database that fails, and not this row
            raise
        except Exception as error:  # noqa: BLE001  one reply must not keep all others waiting
            _leave(reply, error, now)
    return None


def _leave(reply: Reply | None, error: Exception, now: datetime.datetime) -> None:
    """Set the reply aside that raised `error`; without one, there is nothing to go on with."""
    if reply is None:
        raise error
    set_aside(reply, error, now)


def _may_leave(reply: Reply, now: datetime.datetime) -> bool:
    """Whether it may be sent at `now`. One that may not is given up, or moved out of quiet hours.

    It was due before them, and a pause, a refusal or a standstill of ours kept it.
    """
    reason = must_not_be_sent(reply, now)
    if reason:
        Reply.objects.filter(pk=reply.pk).update(**given_up(reason, now))
        return False
    if _booked_elsewhen(reply, now):
        ledger.give_back(reply)
        Reply.objects.filter(pk=reply.pk).update(
            state=ReplyState.PENDING, reserved_micros=None, reserved_at=None, to_settle=False
        )
        return False
    policy = reply.hotline.policy
    if timing.is_quiet(policy, now):
        due = timing.outside_quiet_hours(policy, now, secrets.randbelow(1 << 32) / (1 << 32))
        Reply.objects.filter(pk=reply.pk).update(due_at=due)
        return False
    return True


def _booked_elsewhen(reply: Reply, now: datetime.datetime) -> bool:
    """Whether its price is booked on another day than it would leave on: it is released anew, on today's budget."""
    return reply.reserved_at is not None and Window.DAY.start(reply.reserved_at) != Window.DAY.start(now)


def _claimed(reply: Reply, now: datetime.datetime) -> Reply:
    """Raises `_Taken`, and the transaction is undone, where the account or the number lets nothing through now.

    The number's place comes last: its row is the one that all workers share, and locked until the commit.
    """
    token, sender = uuid.uuid4(), routing.sender_of(reply.hotline, now)
    if sender is None:
        raise _Taken
    reply.sent_by = None if sender == reply.hotline else sender
    Reply.objects.filter(pk=reply.pk).update(
        state=ReplyState.CLAIMED,
        claimed_at=now,
        claim_token=token,
        attempts=F("attempts") + 1,
        sent_by=reply.sent_by,
    )
    if not breaker.admit(sender.account, token, now) or not pace.take_of_number(sender, now):
        raise _Taken
    reply.state, reply.claimed_at, reply.claim_token = ReplyState.CLAIMED, now, token
    reply.attempts += 1  # locked since it was read
    return reply


def _call(reply: Reply, watch: Stopwatch | None = None) -> Outcome:
    """One attempt. What fails before the provider is asked is known not to be sent; what fails in its file is not.

    `watch` runs since before the claim: a worker that was frozen meanwhile must not send what others gave up.
    """
    account = reply.sender.account
    try:
        provider = registry.get(account.provider)
    except registry.UnknownProvider:
        return Unasked(Knowledge.ACCOUNT_REFUSED, detail="provider not offered here")
    credentials = _credentials(account)
    if not credentials:
        return Unasked(Knowledge.ACCOUNT_REFUSED, detail="no readable credentials")
    try:
        outgoing = OutgoingReply(
            uuid=reply.uuid,
            source=reply.sender.number.removeprefix("+"),
            recipient=_recipient(reply),
            text=reply.text or "",
            report_url=report_url(reply),
        )
    except (vault.Unreadable, ValueError) as error:
        return Unasked(Knowledge.REFUSED, detail=type(error).__name__)
    except Exception as error:  # noqa: BLE001  a fault of ours: nothing was sent, and it may be mended within the day
        log.error("reply %s could not be prepared: %s", reply.pk, faults.named(error))
        return Unasked(Knowledge.REFUSED_FOR_NOW, detail=type(error).__name__)
    if watch is not None and watch.seconds() > settings.CLAIM_LEASE - 5 * settings.PROVIDER_TIMEOUT:
        log.warning("reply %s: this worker stood still since its claim, and does not send", reply.pk)
        return Unasked(Knowledge.REFUSED_FOR_NOW, detail="claim too old")
    try:
        return provider.send(outgoing, credentials)
    except Exception as error:  # noqa: BLE001  a fault of the provider's file: it may have sent
        log.error("sending reply %s failed: %s", reply.pk, faults.named(error))
        return Outcome(Knowledge.UNKNOWN, detail=type(error).__name__)


def _credentials(account: Account) -> Credentials:
    """Empty where they cannot be read: then no reply of the account can be sent, and none is to be failed for it."""
    try:
        return account.credentials
    except (vault.Unreadable, ImproperlyConfigured, ValueError) as error:
        log.error("the credentials of account %s cannot be read: %s", account.pk, faults.named(error))
        return {}


def _recipient(reply: Reply) -> str:
    """Digits and nothing else: no byte of a sender's writing reaches a provider's `dst` (SECURITY.md T7)."""
    digits = (number_of(reply.conversation.sender or "") or "").removeprefix("+")
    if not _RECIPIENT.fullmatch(digits):
        raise ValueError("not a number that can be answered")
    return digits


def report_url(reply: Reply) -> str:
    """Where the provider reports on this reply; the path is what its signature covers."""
    path = reverse(
        "hook-report",
        kwargs={
            "provider": reply.sender.account.provider,
            "token": reply.sender.hook_token,
            "reply": reply.uuid,
        },
    )
    return f"{settings.PUBLIC_URL}{path}"


def record(reply: Reply, outcome: Outcome, clock_ahead: datetime.timedelta = _NO_TIME) -> None:
    """Write what the call taught, if this worker still holds the claim (SECURITY.md 2.5).

    A claim that was lost meanwhile (lease over, settled by a report) says more than we know: it stays. What the call
    taught about the account holds anyhow.
    """
    now = timezone.now() + clock_ahead
    mine = Reply.objects.filter(pk=reply.pk, state=ReplyState.CLAIMED, claim_token=reply.claim_token)
    match outcome.knowledge:
        case Knowledge.ACCEPTED:
            changes: dict[str, object] = {
                "state": ReplyState.SENT,
                "provider_id": outcome.provider_id,
                "sent_at": now,
                "finished_at": now,
            }
        case Knowledge.REFUSED:
            changes = {"state": ReplyState.FAILED, "finished_at": now}
        case Knowledge.UNKNOWN:
            changes = {"state": ReplyState.UNKNOWN}
        case Knowledge.REFUSED_FOR_NOW | Knowledge.ACCOUNT_REFUSED:
            changes = {"state": ReplyState.RELEASED, "due_at": now + backoff(reply.attempts, outcome)}
    try:
        with transaction.atomic():
            # What an earlier attempt said is over once the reply is taken, and "202" tells nobody anything.
            detail = "" if outcome.knowledge is Knowledge.ACCEPTED else outcome.detail[:60]
            mine.update(detail=detail, **changes)
    except IntegrityError:
        # The provider gave an id it gave before, or none: it took this one, under a name that proves nothing.
        mine.update(state=ReplyState.UNKNOWN, detail="provider id used twice")
    if isinstance(outcome, Unasked):
        breaker.give_back(reply.sender.account, reply.claim_token, now)
    else:
        breaker.learn(reply.sender.account, reply.claim_token, outcome, now)
    if outcome.knowledge is Knowledge.ACCOUNT_REFUSED:
        pause(reply.sender.account, outcome.detail, now)
    elif outcome.retry_after is not None:
        slow_down(reply.sender.account, now + datetime.timedelta(seconds=outcome.retry_after))


def backoff(attempts: int, outcome: Outcome) -> datetime.timedelta:
    """5 s doubled with each attempt, six times at most, plus up to half of it by chance; or what the provider named."""
    if outcome.retry_after is not None:
        return datetime.timedelta(seconds=outcome.retry_after)
    seconds = _FIRST_BACKOFF * 2 ** min(max(attempts - 1, 0), _MOST_DOUBLINGS)
    return datetime.timedelta(seconds=seconds * (1 + secrets.randbelow(1000) / 2000))


def slow_down(account: Account, until: datetime.datetime) -> None:
    """Send nothing of this account before `until`; of several workers' answers the latest moment counts."""
    sooner = Q(resume_sending_at__isnull=True) | Q(resume_sending_at__lt=until)
    Account.objects.filter(sooner, pk=account.pk).update(resume_sending_at=until)


def pause(account: Account, reason: str, now: datetime.datetime) -> None:
    """Stop sending for an account that is out of credit or refused, and tell its people once; nothing is failed."""
    paused = Account.objects.filter(pk=account.pk, sending_paused_at__isnull=True).update(
        sending_paused_at=now, sending_paused_reason=reason[:200] or "refused"
    )
    if paused:
        alerts.account_paused(account, reason)


def expire_leases(now: datetime.datetime) -> int:
    """A claim without an outcome becomes `unknown`, never released again: its owner may have sent it.

    `now` is the database's time, as in `claim`.
    """
    lost = Reply.objects.filter(
        state=ReplyState.CLAIMED, claimed_at__lt=now - datetime.timedelta(seconds=settings.CLAIM_LEASE)
    )
    return lost.update(state=ReplyState.UNKNOWN, detail="claim expired")


def finish_unknown(now: datetime.datetime) -> int:
    """Unknown for a day is unknown for good, and stands in nobody's way. `now` is the database's time."""
    old = Reply.objects.filter(
        state=ReplyState.UNKNOWN, claimed_at__lt=now - datetime.timedelta(hours=settings.REPLY_EXPIRY_HOURS)
    )
    return old.update(state=ReplyState.UNKNOWN_FINAL, finished_at=now)
