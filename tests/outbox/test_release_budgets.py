"""What is released is booked in the same transaction, and no cap is ever passed (SECURITY.md 3.2)."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from tests.outbox.carrier import Carrier, written
from tests.outbox.replies import HOUR, NOON, SECOND, row, said
from tests.shield.crowd import stranger, strangers
from tests.world import World, build_world

from conversations.models import Reply
from hotlines.models import Account, Hotline
from organizations.models import Organization
from outbox import release, send
from privacy.models import Pepper
from shield import ledger
from shield.models import CountedRecipient, Spending

PRICE = 50_000
MIDNIGHT = NOON + 12 * HOUR
DAY = 24 * HOUR


def budget(hotline: Hotline, **changes: Any) -> None:
    Hotline.objects.filter(pk=hotline.pk).update(**changes)


def states(replies: list[Reply]) -> list[str]:
    found = dict(Reply.objects.values_list("pk", "state"))
    return [found[reply.pk] for reply in replies]


def spent(scope: str, window: str = "day", at: datetime.datetime = NOON) -> list[tuple[int, int]]:
    """Money and messages of the scope's rows of that moment's window, in the order of their keys."""
    rows = Spending.objects.filter(scope=scope, window=window).order_by("key")
    return [(found.micros, found.messages) for found in rows if found.name.window.start(at) == found.starts_at]


# --- money ------------------------------------------------------------------------------------------------------------
def test_replies_beyond_the_days_budget_wait_for_the_next_day(world: World) -> None:
    budget(world.north.hotline, day_budget="0.20")
    replies = strangers(world.north.hotline, 6)
    assert release.release_due(NOON) == 4
    assert release.release_due(NOON + HOUR) == 0
    assert states(replies) == ["released"] * 4 + ["pending"] * 2
    assert spent("hotline") == spent("organization") == spent("platform") == [(4 * PRICE, 4)]
    assert release.release_due(MIDNIGHT) == 2
    assert spent("hotline", at=MIDNIGHT) == [(2 * PRICE, 2)]
    assert spent("hotline", "month") == [(6 * PRICE, 6)]


def test_what_waits_for_a_budget_expires_after_a_day(world: World) -> None:
    budget(world.north.hotline, day_budget=0, month_budget=0)
    [reply] = strangers(world.north.hotline, 1)
    assert release.release_due(NOON) == 0
    assert release.expire(NOON + 24 * HOUR) == 1
    assert said(reply) == ("expired", "expired")


def test_a_months_budget_ends_what_a_days_would_allow(world: World) -> None:
    budget(world.north.hotline, month_budget="0.10")
    strangers(world.north.hotline, 3)
    assert [release.release_due(NOON), release.release_due(MIDNIGHT)] == [2, 0]


def test_an_organizations_budget_is_for_all_its_numbers_and_for_no_others(world: World) -> None:
    second = Hotline.objects.get(pk=world.north.hotline.pk)
    second.pk, second.uuid, second.hook_token, second.number = None, None, "x" * 22, "+33937000009"
    second.uuid = Hotline._meta.get_field("uuid").get_default()
    second._state.adding = True
    second.save()
    for template in world.north.hotline.reply_templates.all():
        template.pk, template.hotline = None, second
        template.save()
    Organization.objects.filter(pk=world.north.organization.pk).update(day_budget="0.15")
    strangers(world.north.hotline, 2)
    strangers(second, 2, first=10)
    strangers(world.south.hotline, 4, first=20)
    release.release_due(NOON)
    assert Reply.objects.filter(state="released", organization=world.north.organization).count() == 3
    assert Reply.objects.filter(state="released", organization=world.south.organization).count() == 4


def test_the_platforms_budget_is_for_all(world: World, settings: Any) -> None:
    settings.PLATFORM_DAY_BUDGET = decimal.Decimal("0.15")
    strangers(world.north.hotline, 2)
    strangers(world.south.hotline, 2, first=10)
    release.release_due(NOON)
    assert Reply.objects.filter(state="released").count() == 3


def test_a_number_without_room_keeps_no_other_waiting(world: World) -> None:
    """However many of its replies stand before theirs."""
    budget(world.north.hotline, day_budget=0)
    strangers(world.north.hotline, 12)
    replies = strangers(world.south.hotline, 2, first=20, at=NOON + SECOND)
    assert release.release_due(NOON + SECOND, limit=5) == 2
    assert states(replies) == ["released"] * 2


def test_no_text_is_chosen_for_what_waits_for_a_budget(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A raid's replies wait for hours, and are looked at every second."""
    budget(world.north.hotline, day_budget="0.20")
    strangers(world.north.hotline, 6)
    assert release.release_due(NOON) == 4
    chosen: list[object] = []
    monkeypatch.setattr(release, "_choose", lambda *arguments, **_options: chosen.append(arguments))
    assert release.release_due(NOON + SECOND) == 0
    assert chosen == []


def test_a_raised_budget_is_used_at_once_and_a_lowered_one_takes_nothing_back(world: World) -> None:
    budget(world.north.hotline, day_budget="0.10")
    strangers(world.north.hotline, 5)
    assert release.release_due(NOON) == 2
    budget(world.north.hotline, day_budget="0.15")
    assert release.release_due(NOON + SECOND) == 1
    budget(world.north.hotline, day_budget="0.01")
    assert release.release_due(NOON + 2 * SECOND) == 0
    assert spent("hotline") == [(3 * PRICE, 3)]
    budget(world.north.hotline, day_budget="0.20")
    assert release.release_due(NOON + 3 * SECOND) == 1


def test_a_text_of_two_segments_is_booked_at_the_price_of_two(world: World) -> None:
    world.north.hotline.reply_templates.update(text="Réponse. " * 20)
    [reply] = strangers(world.north.hotline, 1)
    release.release_due(NOON)
    assert (row(reply).segments, row(reply).reserved_micros) == (2, 2 * PRICE)
    assert spent("hotline") == [(2 * PRICE, 1)]


def test_repeats_leave_a_fifth_of_the_money_to_first_replies(world: World) -> None:
    budget(world.north.hotline, day_budget="0.50")
    strangers(world.north.hotline, 7)
    assert release.release_due(NOON) == 7
    repeats = [written(world.north.hotline, stranger(number), at=NOON + SECOND) for number in range(2)]
    # The first of them is sent, so that the second may be.
    assert release.release_due(NOON + SECOND) == 1
    first = strangers(world.north.hotline, 2, first=50, at=NOON + 2 * SECOND)
    assert release.release_due(NOON + 2 * SECOND) == 2
    assert sorted(states([reply for reply in repeats if reply])) == ["pending", "released"]
    assert states(first) == ["released"] * 2


def test_a_failed_write_books_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    [reply] = strangers(world.north.hotline, 1)

    def fail(_self: ledger.Book) -> None:
        raise RuntimeError("the process dies here")

    monkeypatch.setattr(ledger.Book, "write", fail)
    release.release_due(NOON)
    assert (row(reply).state, row(reply).reserved_micros) == ("pending", None)
    assert spent("hotline") in ([], [(0, 0)])


# --- replies per hour -------------------------------------------------------------------------------------------------
def test_a_number_answers_so_many_in_an_hour_and_first_replies_before_repeats(world: World) -> None:
    budget(world.north.hotline, replies_per_hour=3)
    strangers(world.north.hotline, 2)
    assert release.release_due(NOON) == 2
    repeat = written(world.north.hotline, stranger(0), at=NOON + SECOND)
    firsts = strangers(world.north.hotline, 6, first=10, at=NOON + SECOND)
    assert release.release_due(NOON + SECOND) == 4  # six in two hours, and two are used
    assert states(firsts) == ["released"] * 4 + ["pending"] * 2
    assert release.release_due(NOON + 19 * 60 * SECOND) == 0
    assert release.release_due(NOON + 20 * 60 * SECOND) == 1
    assert release.release_due(NOON + 40 * 60 * SECOND) == 1
    assert release.release_due(NOON + 60 * 60 * SECOND) == 0  # a repeat lives on surplus, and there is none
    assert row(repeat).state == "pending"
    assert release.release_due(NOON + 3 * HOUR) == 1
    assert row(repeat).state == "released"


# --- one number, one country ------------------------------------------------------------------------------------------
def test_one_number_gets_so_many_replies_a_day_from_all_numbers_together(world: World, settings: Any) -> None:
    settings.DESTINATION_REPLIES_PER_DAY = 2
    replies = [written(tenant.hotline, stranger(1), at=NOON) for tenant in world.tenants for _ in range(2)]
    assert release.release_due(NOON) == 4
    assert sorted(states([reply for reply in replies if reply])) == ["dropped", "dropped", "released", "released"]
    assert {said(reply)[1] for reply in replies if reply and said(reply)[0] == "dropped"} == {"one number a day"}
    strangers(world.north.hotline, 1, first=7)
    assert release.release_due(NOON) == 1
    again = written(world.south.hotline, stranger(1), at=MIDNIGHT)
    assert again is not None
    assert release.release_due(MIDNIGHT) == 1
    assert row(again).state == "released"


def test_what_counts_a_number_is_gone_with_its_day_and_links_nothing(world: World) -> None:
    strangers(world.north.hotline, 1, at=timezone.now())
    strangers(world.south.hotline, 1, at=timezone.now())
    release.release_due(timezone.now())
    keys = set(Spending.objects.filter(scope="destination").values_list("key", flat=True))
    assert len(keys) == 1
    assert "3990" not in keys.pop()
    assert ledger.clean_up() == 0
    Spending.objects.update(starts_at=timezone.now() - 2 * DAY)
    Pepper.objects.update(day=timezone.now().date() - 2 * DAY)
    assert ledger.clean_up() == 2
    assert (Spending.objects.filter(scope="destination").count(), Pepper.objects.count()) == (0, 0)


def test_a_countrys_replies_wait_for_the_next_hour_and_others_do_not(world: World, settings: Any) -> None:
    settings.COUNTRY_REPLIES_PER_HOUR = 1
    budget(world.north.hotline, countries=["FR", "BE"])
    french = strangers(world.north.hotline, 2)
    belgian = written(world.north.hotline, "32470123456", at=NOON + SECOND)
    assert belgian is not None
    assert release.release_due(NOON + SECOND) == 3
    assert [*states(french), row(belgian).state] == ["released", "pending", "released"]
    assert (row(french[1]).due_at, row(french[1]).detail) == (NOON + HOUR, "country limit")
    assert release.release_due(NOON + HOUR) == 1
    assert said(french[1]) == ("released", "")


# --- a flat tariff ----------------------------------------------------------------------------------------------------
def flat(world: World, **limits: int) -> None:
    Account.objects.filter(pk=world.north.account.pk).update(tariff="flat", price_out=None, **limits)


def test_a_flat_tariff_is_limited_in_messages(world: World) -> None:
    flat(world, messages_per_day=2)
    strangers(world.north.hotline, 3)
    release.release_due(NOON)
    assert Reply.objects.filter(state="released").count() == 2
    assert release.release_due(NOON + HOUR) == 1  # asked again, and put off again
    assert Reply.objects.filter(state="released").count() == 2
    assert release.release_due(MIDNIGHT) == 1
    assert spent("account") == [(0, 2)]


def test_a_flat_tariff_is_limited_in_recipients_and_those_it_has_go_on(world: World) -> None:
    flat(world, recipients_per_day=2)
    strangers(world.north.hotline, 3)
    assert release.release_due(NOON) == 3
    assert Reply.objects.filter(state="pending").get().due_at == NOON + HOUR
    again = written(world.north.hotline, stranger(0), at=NOON + SECOND)
    assert again is not None
    assert release.release_due(NOON + SECOND) == 1
    assert row(again).state == "released"
    assert CountedRecipient.objects.count() == 2


# --- afterwards -------------------------------------------------------------------------------------------------------
def ended(reply: Reply, state: str, cost: str | None = None, at: datetime.datetime = NOON) -> None:
    Reply.objects.filter(pk=reply.pk).update(
        state=state, cost=cost, finished_at=at, sent_at=at, provider_id=f"id-{reply.pk}"
    )


def test_what_never_left_is_given_back(world: World) -> None:
    replies = strangers(world.north.hotline, 3)
    release.release_due(NOON)
    for reply, state in zip(replies, ("failed", "expired", "dropped"), strict=True):
        ended(reply, state)
    assert ledger.settle() == 3
    assert spent("hotline") == spent("organization", "month") == [(0, 0)]
    assert ledger.settle() == 0


def test_the_providers_price_takes_the_place_of_ours(world: World) -> None:
    cheap, dear = strangers(world.north.hotline, 2)
    release.release_due(NOON)
    ended(cheap, "sent", cost="0.01")
    ended(dear, "sent", cost="0.20")
    assert ledger.settle() == 2
    assert spent("hotline") == [(210_000, 2)]
    assert row(cheap).reserved_micros == 10_000


def test_a_providers_currency_is_changed(world: World) -> None:
    Account.objects.update(billing_rate="0.9")
    [reply] = strangers(world.north.hotline, 1)
    release.release_due(NOON)
    ended(reply, "sent", cost="0.04")
    ledger.settle()
    assert spent("hotline") == [(36_000, 1)]


def test_a_bill_above_the_cap_is_counted_and_nothing_more_leaves(world: World) -> None:
    budget(world.north.hotline, day_budget="0.10")
    reply, _other = strangers(world.north.hotline, 2)
    release.release_due(NOON)
    ended(reply, "sent", cost="0.30")
    ledger.settle()
    assert spent("hotline") == [(350_000, 2)]
    strangers(world.north.hotline, 1, first=9)
    assert release.release_due(NOON + SECOND) == 0
    assert spent("hotline") == [(350_000, 2)]


def test_what_is_in_doubt_stays_reserved(world: World) -> None:
    replies = strangers(world.north.hotline, 4)
    release.release_due(NOON)
    now = timezone.now()
    ended(replies[0], "sent", at=now - 2 * DAY)
    ended(replies[1], "unknown_final", at=now - 2 * DAY)
    Reply.objects.filter(pk=replies[2].pk).update(state="unknown", claimed_at=NOON, claim_token=replies[2].uuid)
    assert ledger.settle() == 0
    ended(replies[0], "sent", at=now - 4 * DAY)
    ended(replies[1], "unknown_final", at=now - 4 * DAY)
    assert ledger.settle() == 2
    assert spent("hotline") == [(4 * PRICE, 4)]


def test_what_leaves_on_another_day_is_booked_on_that_day(world: World, carrier: Carrier) -> None:
    """Whatever kept it: the day's bill is never more than the day's budget."""
    budget(world.north.hotline, day_budget="0.05")
    [kept] = strangers(world.north.hotline, 1)
    release.release_due(NOON)
    [other] = strangers(world.north.hotline, 1, first=5, at=MIDNIGHT)
    assert release.release_due(MIDNIGHT) == 1
    assert send.send_one(MIDNIGHT)
    assert (states([kept, other]), len(carrier.ledger)) == (["pending", "sent"], 1)
    assert spent("hotline") == [(0, 0)]
    assert spent("hotline", at=MIDNIGHT) == [(PRICE, 1)]
    assert release.release_due(MIDNIGHT + SECOND) == 0
    assert not send.send_one(MIDNIGHT + SECOND)


# --- many at once -----------------------------------------------------------------------------------------------------
@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_thirty_two_workers_together_spend_what_one_would() -> None:
    world = build_world()
    budget(world.north.hotline, day_budget="3.00")
    Organization.objects.filter(pk=world.north.organization.pk).update(day_budget="2.00")
    now = timezone.now()
    strangers(world.north.hotline, 120, at=now)
    strangers(world.south.hotline, 30, first=200, at=now)
    begin = threading.Barrier(32)

    def work(number: int) -> None:
        try:
            begin.wait()
            for _ in range(3):
                with contextlib.suppress(OperationalError):  # 32 wait for a lock longer than one may: the next run
                    release.release_due(now, limit=7 + number % 5)
                    if number % 4 == 0:
                        for reply in Reply.objects.filter(state="released").order_by("?")[:1]:
                            Reply.objects.filter(pk=reply.pk, state="released").update(state="failed", finished_at=now)
                        ledger.settle()
        finally:
            connection.close()

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(work, range(32)))
    while release.release_due(now):
        pass
    ledger.settle()
    booked = Reply.objects.filter(reserved_micros__gt=0)
    north = booked.filter(organization=world.north.organization).count()
    assert north == 40
    assert (
        booked.filter(organization=world.south.organization).count()
        + Reply.objects.filter(state="failed", organization=world.south.organization).count()
        == 30
    )
    organization = Spending.objects.get(scope="organization", window="day", key=world.north.organization.pk)
    assert (organization.micros, organization.messages) == (40 * PRICE, 40)
    hotline = Spending.objects.get(scope="hotline", window="day", key=world.north.hotline.pk)
    assert (hotline.micros, hotline.messages) == (40 * PRICE, 40)
