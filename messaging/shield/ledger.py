"""The budgets' rows: what is promised is written in the transaction that releases the reply, and settled afterwards.

Rows are locked in one order and written by whoever holds them, so that any number of workers together never pass a cap;
the table's constraints say the same once more. A crash leaves money reserved, never overspent (SECURITY.md 3.1).
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from conversations.models import Reply
from conversations.words import ReplyState
from hotlines.models import Account, Hotline
from organizations import money
from privacy import peppers

from . import reserve, spendings
from .budgets import REPORTS_COME_WITHIN, Caps, Fate, Kept, Line, Name, Scope, Window, settled
from .models import CountedRecipient, Spending

#: The share of a hotline's day that suspicious groups get together (SECURITY.md 3.5).
SUSPECTS_SHARE = 0.2
_HOURS_ARE_KEPT = datetime.timedelta(days=40)
_BATCH = 200

_FATES = {
    ReplyState.SENT: Fate.SENT,
    # It may have been sent, and nobody will ever know.
    ReplyState.UNKNOWN_FINAL: Fate.SENT,
    ReplyState.FAILED: Fate.NEVER_SENT,
    ReplyState.EXPIRED: Fate.NEVER_SENT,
    ReplyState.DROPPED: Fate.NEVER_SENT,
}
_SENT = [state for state, fate in _FATES.items() if fate is Fate.SENT]


@dataclass(frozen=True)
class Wish:
    """A reply that is about to be promised. `destination` is a digest of the day, `country` may be ""."""

    micros: int
    sender_key: bytes
    country: str
    destination: str
    repeat: bool = False
    suspect: bool = False

    @property
    def behind(self) -> bool:
        """Whether it leaves something to unsuspicious first replies."""
        return self.repeat or self.suspect


def price(account: Account, segments: int) -> int:
    """The worst that a reply of so many segments costs, in millionths; 0 for a flat tariff or one without a price."""
    if account.tariff == Account.Tariff.FLAT or account.price_out is None:
        return 0
    return money.micros(account.price_out * segments)


def worst_price(hotline: Hotline, segments: int) -> int:
    """`price` by the hotline's account or, where that is dearer, by that of the number that stands in."""
    numbers = [number for number in (hotline, hotline.stand_in) if number is not None]
    return max(price(number.account, segments) for number in numbers)


def price_of_call(account: Account, minutes: int) -> int | None:
    """The worst that a spoken call of so many minutes costs, in millionths; None where nobody has said it."""
    if account.tariff == Account.Tariff.FLAT:
        return 0
    return None if account.price_call is None else money.micros(account.price_call * minutes)


def destination(number: str, now: datetime.datetime) -> str:
    """What stands for a number today. Call it before the transaction: it may write a row that must stay."""
    return peppers.digest(number, now.astimezone(datetime.UTC).date())


class Book:
    """The budgets that replies of one hotline are counted in, locked for the transaction it is opened in."""

    def __init__(
        self, hotline: Hotline, wishes: Sequence[Wish], now: datetime.datetime, firsts: reserve.Firsts
    ) -> None:
        self._hotline, self._now, self._firsts = hotline, now, firsts
        caps = caps_of(hotline, now)
        self._common = list(caps)
        for wish in wishes:
            caps |= self._own(wish)
        self._rows = spendings.locked(caps)
        self._lines = {name: row.line for name, row in self._rows.items()}
        for name, line in self._lines.items():
            line.caps = _effective(caps[name], line)
        self._counted = self._recipients_among({wish.sender_key for wish in wishes})
        self._new: set[tuple[int, bytes]] = set()

    def refusal(self, wish: Wish) -> Name | None:
        """The first budget that this reply does not fit into, or None."""
        for name in [*self._common, *self._own(wish)]:
            line = self._lines[name]
            kept = self._firsts.kept(line, wish.micros) if wish.behind else Kept()
            if line.refuses(wish.micros, new_recipient=self._is_new(name, wish), kept=kept):
                return name
        return None

    def add(self, wish: Wish) -> None:
        """Count a reply that fits everywhere."""
        for name in [*self._common, *self._own(wish)]:
            new = self._is_new(name, wish)
            self._lines[name].add(wish.micros, new_recipient=new)
            if new:
                self._new.add((self._rows[name].pk, wish.sender_key))

    def write(self) -> None:
        """Write what was counted."""
        for name, line in self._lines.items():
            row = self._rows[name]
            row.micros += line.added_micros
            row.messages += line.added_messages
            row.recipients += line.added_recipients
            row.cap_micros, row.cap_messages, row.cap_recipients = (
                line.caps.micros,
                line.caps.messages,
                line.caps.recipients,
            )
        spendings.save(self._rows.values())
        CountedRecipient.objects.bulk_create(
            CountedRecipient(spending_id=row, sender_key=key) for row, key in sorted(self._new)
        )

    def _own(self, wish: Wish) -> dict[Name, Caps]:
        hour, day = Window.HOUR.start(self._now), Window.DAY.start(self._now)
        own = {
            Name(Scope.DESTINATION, wish.destination, Window.DAY, day): Caps(
                messages=settings.DESTINATION_REPLIES_PER_DAY
            )
        }
        if wish.suspect:
            own[suspects(self._hotline, self._now)] = caps_of_suspects(self._hotline)
        if wish.country:
            key = f"{self._hotline.organization_id}:{wish.country}"
            own[Name(Scope.COUNTRY, key, Window.HOUR, hour)] = Caps(messages=settings.COUNTRY_REPLIES_PER_HOUR)
        return own

    def _recipients_among(self, sender_keys: set[bytes]) -> set[tuple[int, bytes]]:
        """Who of them is counted already, by row."""
        rows = [self._rows[name] for name in self._common if self._lines[name].caps.recipients is not None]
        if not rows:
            return set()
        found = CountedRecipient.objects.filter(spending__in=rows, sender_key__in=sender_keys)
        return {(row, bytes(key)) for row, key in found.values_list("spending", "sender_key")}

    def _is_new(self, name: Name, wish: Wish) -> bool:
        if self._lines[name].caps.recipients is None:
            return False
        mine = (self._rows[name].pk, wish.sender_key)
        return mine not in self._counted and mine not in self._new


def caps_of(hotline: Hotline, now: datetime.datetime) -> dict[Name, Caps]:
    """The budgets of all replies of a hotline, with what its people and the operator allow now."""
    organization, account = hotline.organization, hotline.account

    def name(scope: Scope, key: object, window: Window) -> Name:
        return Name(scope, str(key), window, window.start(now))

    caps = {
        name(Scope.HOTLINE, hotline.pk, Window.DAY): _money(hotline.day_budget),
        name(Scope.HOTLINE, hotline.pk, Window.MONTH): _money(hotline.month_budget),
        name(Scope.ORGANIZATION, organization.pk, Window.DAY): _money(organization.day_budget),
        name(Scope.ORGANIZATION, organization.pk, Window.MONTH): _money(organization.month_budget),
        name(Scope.PLATFORM, "", Window.DAY): _money(settings.PLATFORM_DAY_BUDGET),
    }
    if account.tariff == Account.Tariff.FLAT:
        for window in Window:
            caps[name(Scope.ACCOUNT, account.pk, window)] = Caps(
                messages=getattr(account, f"messages_per_{window}"),
                recipients=getattr(account, f"recipients_per_{window}"),
            )
    return caps


def suspects(hotline: Hotline, now: datetime.datetime) -> Name:
    """What suspicious groups of the hotline have got today."""
    return Name(Scope.SUSPECTS, str(hotline.pk), Window.DAY, Window.DAY.start(now))


def caps_of_suspects(hotline: Hotline) -> Caps:
    """A share of the hotline's money of the day, or of its account's messages where the tariff is flat."""
    micros, messages = _money(hotline.day_budget).micros, None
    if hotline.account.tariff == Account.Tariff.FLAT and hotline.account.messages_per_day is not None:
        messages = int(hotline.account.messages_per_day * SUSPECTS_SHARE)
    return Caps(micros=None if micros is None else int(micros * SUSPECTS_SHARE), messages=messages)


def room(
    hotline: Hotline, now: datetime.datetime, firsts: reserve.Firsts | None = None, *, suspect: bool = False
) -> int:
    """How many more replies of one segment the budgets take that all such replies share; a look without a lock.

    `firsts` are still to come, and these are to leave them room; without them they are first replies themselves. To
    spare the work of choosing texts that would wait anyway. A flat tariff's account is not asked: it may be full for
    new recipients and not for others.
    """
    caps = {name: cap for name, cap in caps_of(hotline, now).items() if name.scope is not Scope.ACCOUNT}
    if suspect:
        caps[suspects(hotline, now)] = caps_of_suspects(hotline)
    least = price(hotline.account, 1)
    lines = spendings.standing(caps)
    return min(line.room(least, Kept() if firsts is None else firsts.kept(line, least)) for line in lines.values())


def _booked_in(reply: Reply) -> list[Name]:
    """The budgets that all replies of its hotline were counted in when it was released, and that of suspects."""
    assert reply.reserved_at is not None  # noqa: S101  a constraint holds it
    names = list(caps_of(reply.hotline, reply.reserved_at))
    return [*names, suspects(reply.hotline, reply.reserved_at)] if reply.suspicion else names


def _money(budget: decimal.Decimal | None) -> Caps:
    return Caps(micros=None if budget is None else money.micros(budget))


def _effective(wanted: Caps, line: Line) -> Caps:
    """What a row may say: no cap below what is counted already, which a constraint would refuse."""

    def at_least(cap: int | None, used: int) -> int | None:
        return None if cap is None else max(cap, used)

    return Caps(
        at_least(wanted.micros, line.micros),
        at_least(wanted.messages, line.messages),
        at_least(wanted.recipients, line.recipients),
    )


# --- afterwards -------------------------------------------------------------------------------------------------------
def settle() -> int:
    """Give back what was reserved for replies that never left, and put the provider's price in place of ours."""
    done = 0
    while batch := _settle_some(timezone.now()):
        done += batch
        if batch < _BATCH:
            break
    return done


def _settle_some(now: datetime.datetime) -> int:
    with transaction.atomic():
        replies = (
            Reply.objects.filter(to_settle=True, finished_at__isnull=False, state__in=_FATES)
            .filter(Q(cost__isnull=False) | Q(finished_at__lte=now - REPORTS_COME_WITHIN) | ~Q(state__in=_SENT))
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("hotline__account", "sent_by__account")
            .order_by("finished_at")
        )
        chosen = list(replies[:_BATCH])
        changes: dict[Name, tuple[int, int]] = {}
        for reply in chosen:
            _settle_one(reply, now, changes)
        spendings.change(changes)
        Reply.objects.bulk_update(chosen, ("reserved_micros", "to_settle"))
    return len(chosen)


def _settle_one(reply: Reply, now: datetime.datetime, changes: dict[Name, tuple[int, int]]) -> None:
    assert reply.reserved_micros is not None and reply.reserved_at is not None and reply.finished_at is not None  # noqa: S101, PT018  a constraint holds it
    account = reply.sender.account
    billed = None if reply.cost is None else money.micros(reply.cost * account.billing_rate)
    fate = _FATES[ReplyState(reply.state)]
    costs = settled(fate, reply.reserved_micros, billed, now - reply.finished_at)
    if costs is None:
        return
    delta = (costs - reply.reserved_micros, -1 if fate is Fate.NEVER_SENT else 0)
    for name in _booked_in(reply):
        micros, messages = changes.get(name, (0, 0))
        changes[name] = (micros + delta[0], messages + delta[1])
    reply.reserved_micros, reply.to_settle = costs, False


def give_back(reply: Reply) -> None:
    """Undo the reservation of a reply that is to be released anew. Within a transaction that holds its row."""
    if reply.reserved_micros is None or reply.reserved_at is None:
        return
    changes = dict.fromkeys(_booked_in(reply), (-reply.reserved_micros, -1))
    spendings.change(changes)


def clean_up() -> int:
    """Delete what counted numbers and hours that are long over; days and months stay, as the accounts of an NGO."""
    now = timezone.now()
    today = Window.DAY.start(now)
    gone, _ = Spending.objects.filter(scope=Scope.DESTINATION, starts_at__lt=today).delete()
    hours, _ = Spending.objects.filter(window=Window.HOUR, starts_at__lt=now - _HOURS_ARE_KEPT).delete()
    counted, _ = CountedRecipient.objects.filter(spending__starts_at__lt=now - _HOURS_ARE_KEPT).delete()
    return gone + hours + counted + peppers.forget(today.date())
