"""The circuit breaker of an account: a provider that does not answer is left alone, and then asked by one reply.

Its state is columns of the account, written by conditional statements only and dated by the database's clock, so that
all workers on all hosts share it. Closed, `next_attempt_at` is null. Open, it says when one claim may try; that claim
moves it by a lease, so that no other tries, and a worker that dies in its attempt delays the next one by no more.
"""

from __future__ import annotations

import datetime
import logging
import uuid

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from hotlines.models import Account
from providers.base import Knowledge, Outcome

from . import alerts
from .moments import Moment

log = logging.getLogger("paravent.outbox")

#: Calls in a row without a definite answer that open it.
FAILURES = 5
#: Seconds that it stays open first, and at most; each attempt that fails doubles them.
FIRST_WAIT, LONGEST_WAIT = 30, 600
#: How long the provider has been silent when the organization is told.
TELL_AFTER = datetime.timedelta(minutes=5)
_SECOND = datetime.timedelta(seconds=1)
_JUMP = 5 * _SECOND
#: The columns of an account whose provider answers.
CLOSED: dict[str, object] = {
    "unanswered": 0,
    "unanswered_since": None,
    "next_attempt_at": None,
    "attempt_wait": 0,
    "attempt": None,
    "unanswered_told_at": None,
}


def lets_through(now: datetime.datetime | Moment, account: str = "hotline__account__") -> Q:
    """The replies whose `account` may send at `now`, or try. A moment too far away is of a clock that was set back."""
    name = f"{account}next_attempt_at"
    return Q(**{f"{name}__isnull": True}) | _may_try(name, now)


def is_open(account: Account, now: datetime.datetime) -> bool:
    """Whether nothing of `account` may be sent or tried at `now`: what `lets_through` says of its row."""
    until = account.next_attempt_at
    return until is not None and now < until <= now + LONGEST_WAIT * _SECOND + _JUMP


def _may_try(name: str, now: datetime.datetime | Moment) -> Q:
    """Of an open breaker, whose moment is called `name`."""
    furthest = now + LONGEST_WAIT * _SECOND + _JUMP
    return Q(**{f"{name}__lte": now}) | Q(**{f"{name}__gt": furthest})


def admit(account: Account, claim: uuid.UUID, now: datetime.datetime) -> bool:
    """Whether the reply claimed as `claim` may call. Where the breaker is open it is the attempt, unless another is.

    `account` was read after its reply was chosen, and may name the moment that another worker's attempt has moved.
    """
    if account.next_attempt_at is None:
        return True
    mine = Account.objects.filter(_may_try("next_attempt_at", now), pk=account.pk)
    return bool(mine.update(next_attempt_at=now + settings.CLAIM_LEASE * _SECOND, attempt=claim))


def learn(account: Account, claim: uuid.UUID | None, outcome: Outcome, now: datetime.datetime) -> None:
    """Count a call that was not answered, or forget those before one that was. `account` is as it was when claimed."""
    if not _unanswered(outcome):
        silent = Account.objects.filter(Q(unanswered__gt=0) | Q(next_attempt_at__isnull=False), pk=account.pk)
        # Asked first, because on SQLite even an update of nothing waits for all other writers.
        if silent.exists():
            silent.update(**CLOSED)
        return
    mine = Account.objects.filter(pk=account.pk)
    longer = min(max(2 * account.attempt_wait, FIRST_WAIT), LONGEST_WAIT)
    if claim is not None and mine.filter(attempt=claim).update(
        unanswered=F("unanswered") + 1,
        next_attempt_at=now + longer * _SECOND,
        attempt_wait=longer,
        attempt=None,
    ):
        return
    mine.update(unanswered=F("unanswered") + 1, unanswered_since=Coalesce("unanswered_since", now))
    opened = mine.filter(unanswered__gte=FAILURES, next_attempt_at__isnull=True).update(
        next_attempt_at=now + FIRST_WAIT * _SECOND, attempt_wait=FIRST_WAIT
    )
    if opened:
        log.warning("the provider of account %s does not answer: nothing is sent for %s s", account.pk, FIRST_WAIT)


def _unanswered(outcome: Outcome) -> bool:
    """Whether the provider was silent or failed: not a "no", and not a request to slow down (429)."""
    refused_without_a_word = outcome.knowledge is Knowledge.REFUSED_FOR_NOW and outcome.retry_after is None
    return refused_without_a_word or outcome.knowledge is Knowledge.UNKNOWN


def give_back(account: Account, claim: uuid.UUID | None, now: datetime.datetime) -> None:
    """The attempt ended before the provider was asked: let the next reply be it."""
    if claim is not None:
        Account.objects.filter(pk=account.pk, attempt=claim).update(next_attempt_at=now, attempt=None)


def tell(now: datetime.datetime) -> int:
    """Mail the organizations whose provider has been silent for a while, once for each silence; returns how many."""
    silent = Account.objects.filter(
        next_attempt_at__isnull=False, unanswered_since__lte=now - TELL_AFTER, unanswered_told_at__isnull=True
    ).select_related("organization")
    told = 0
    for account in silent:
        mine = Account.objects.filter(pk=account.pk, unanswered_since=account.unanswered_since)
        if mine.filter(unanswered_told_at__isnull=True).update(unanswered_told_at=now):
            delivered = alerts.provider_silent(account)
            told += delivered
            if not delivered and account.organization.alert_addresses:
                mine.filter(unanswered_told_at=now).update(unanswered_told_at=None)
    return told
