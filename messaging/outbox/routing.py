"""By which number a reply leaves: its hotline's own or, while that one's account cannot send, the one that stands in.

An account cannot send while its provider refuses it (no credit, wrong credentials) or does not answer. A pause of
seconds that a provider asked for is no such thing. What was called once is never called again by the other.
"""

from __future__ import annotations

import datetime

from django.db.models import Q
from django.db.models.functions import Coalesce

from hotlines.models import Account, Hotline

from . import breaker, pace
from .moments import Moment

_OWN, _OTHER = "hotline__account__", "hotline__stand_in__account__"
#: The account by which a reply has left, or would.
ACCOUNT = Coalesce("sent_by__account", "hotline__account")


def may_leave(now: datetime.datetime | Moment) -> Q:
    """The replies of `could_leave` that their number has a place for at `now`."""
    busy = pace.busy_numbers(now).values("hotline")
    return (_by_own(now) & ~Q(hotline__in=busy)) | (_by_stand_in(now) & ~Q(hotline__stand_in__in=busy))


def could_leave(now: datetime.datetime | Moment) -> Q:
    """The replies for which there is an account that may send or try at `now`."""
    return _by_own(now) | _by_stand_in(now)


def _by_own(now: datetime.datetime | Moment) -> Q:
    return _waits_no_more(_OWN, now) & _can_send(_OWN, now)


def _by_stand_in(now: datetime.datetime | Moment) -> Q:
    there = Q(hotline__stand_in__state__in=Hotline.STANDS_IN)
    return ~_can_send(_OWN, now) & there & _waits_no_more(_OTHER, now) & _can_send(_OTHER, now)


def sender_of(hotline: Hotline, now: datetime.datetime) -> Hotline | None:
    """The number by which a reply of `hotline` leaves at `now`, or None where none can; as `may_leave` has it."""
    other = hotline.stand_in
    if _can(hotline.account, now):
        return hotline
    return other if other is not None and other.state in Hotline.STANDS_IN and _can(other.account, now) else None


def _can_send(account: str, now: datetime.datetime | Moment) -> Q:
    return Q(**{f"{account}sending_paused_at__isnull": True}) & breaker.lets_through(now, account)


def _can(account: Account, now: datetime.datetime) -> bool:
    return account.sending_paused_at is None and not breaker.is_open(account, now)


def _waits_no_more(account: str, now: datetime.datetime | Moment) -> Q:
    """Whether the pause is over that the provider asked for."""
    name = f"{account}resume_sending_at"
    return Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__lte": now})
