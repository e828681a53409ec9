"""What is received costs money too: it is counted by hotline and day, and ends where its budget is spent.

The webhook has no part in it: a row that all messages of a raid change would be the slowest of all. A sweep adds up
what was stored since its last look. Silence does not stop what a provider charges, so a number whose budget is spent
is to be taken off at the provider (SECURITY.md 3.1, rule 7); `outbox.detaching` does what is decided here.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import TruncDay

from conversations.models import Message
from hotlines.models import Account, Hotline
from organizations import money

from . import spendings
from .budgets import Caps, Name, Scope, Window
from .models import Detachment, Intake

#: A message gets its id before it is committed. None takes so long to write, so what has a lower id than the highest
#: that was seen so long ago is committed, or never will be.
_COMMITTED_AFTER = datetime.timedelta(seconds=10)
#: Numbers in these states are given away: what they receive is worth its price.
_IN_USE = (Hotline.State.ACTIVE, Hotline.State.SILENT, Hotline.State.SUSPENDED)


def name_of(hotline_id: int, moment: datetime.datetime) -> Name:
    """The budget of a day for what a hotline receives."""
    return Name(Scope.INBOUND, str(hotline_id), Window.DAY, Window.DAY.start(moment))


def cap_of(hotline: Hotline) -> Caps:
    """In money, whatever the tariff: where messages received cost nothing, it is never spent."""
    return Caps(micros=None if hotline.inbound_budget is None else money.micros(hotline.inbound_budget))


# --- counting ---------------------------------------------------------------------------------------------------------
def count(now: datetime.datetime) -> int:
    """Add up what was stored before the last look; returns how many messages that were.

    A message is counted within two looks. A look within 10 s of the last one does nothing.
    """
    with transaction.atomic():
        Intake.objects.get_or_create(pk=1)
        intake = Intake.objects.select_for_update().get(pk=1)
        if intake.seen_at is not None and now - intake.seen_at < _COMMITTED_AFTER:
            return 0
        counted = _add(intake.counted_to, intake.seen_to) if intake.seen_to > intake.counted_to else 0
        intake.counted_to = intake.seen_to
        intake.seen_to = max(intake.seen_to, Message.objects.aggregate(last=Max("pk"))["last"] or 0)
        intake.seen_at = now
        intake.save()
    return counted


def _add(after: int, until: int) -> int:
    days = (
        Message.objects.filter(pk__gt=after, pk__lte=until)
        .order_by()
        .values("hotline", "account", day=TruncDay("received_at", tzinfo=datetime.UTC))
        .annotate(billed=Sum("cost"), unpriced=Sum("units", filter=Q(cost__isnull=True)), messages=Count("pk"))
    )
    found = list(days)
    accounts = Account.objects.in_bulk({row["account"] for row in found})
    caps = {hotline.pk: cap_of(hotline) for hotline in Hotline.objects.filter(pk__in={row["hotline"] for row in found})}
    micros: Counter[Name] = Counter()
    messages: Counter[Name] = Counter()
    for row in found:
        account, name = accounts[row["account"]], name_of(row["hotline"], row["day"])
        spent = (row["billed"] or 0) * account.billing_rate + (row["unpriced"] or 0) * (account.price_in or 0)
        micros[name] += money.micros(spent)
        messages[name] += row["messages"]
    rows = spendings.locked(messages)
    for name, spending in rows.items():
        spending.micros += micros[name]
        spending.messages += messages[name]
        spending.cap_micros = caps[int(name.key)].micros
    spendings.save(rows.values())
    return messages.total()


# --- deciding ---------------------------------------------------------------------------------------------------------
def decide(now: datetime.datetime) -> int:
    """Begin and end detachments as the budgets of today say; returns how many.

    One ends by itself at midnight UTC, and at once when a person raises the budget or takes it away.
    """
    open_ones = {found.hotline_id: found for found in Detachment.objects.filter(attached_at__isnull=True)}
    hotlines = list(Hotline.objects.filter(Q(state__in=_IN_USE) | Q(pk__in=open_ones)).order_by("pk"))
    spent = _spent(hotlines, now)
    return sum(_decide(hotline, open_ones.get(hotline.pk), hotline.pk in spent, now) for hotline in hotlines)


def _spent(hotlines: Iterable[Hotline], now: datetime.datetime) -> set[int]:
    """Those whose budget of today is spent. One of nothing is spent by the first message that costs something."""
    capped = {name_of(hotline.pk, now): cap_of(hotline) for hotline in hotlines if hotline.inbound_budget is not None}
    lines = spendings.standing(capped)
    return {int(name.key) for name, line in lines.items() if line.micros > 0 and line.refuses(1)}


def _decide(hotline: Hotline, standing: Detachment | None, spent: bool, now: datetime.datetime) -> bool:  # noqa: FBT001
    if standing is None:
        return spent and _begin(hotline, now)
    if standing.ended_at is None and not spent:
        mine = Detachment.objects.filter(pk=standing.pk, ended_at__isnull=True)
        return bool(mine.update(ended_at=now, attempts=0, next_attempt_at=now, detail=""))
    return False


def _begin(hotline: Hotline, now: datetime.datetime) -> bool:
    try:
        with transaction.atomic():
            Detachment.objects.create(
                organization_id=hotline.organization_id, hotline=hotline, decided_at=now, next_attempt_at=now
            )
    except IntegrityError:  # another one did so just now
        return False
    return True
