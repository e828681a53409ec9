"""A number sends at its pace, over all workers and hosts, and keeps no other number waiting."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from tests.outbox.carrier import Carrier, written
from tests.outbox.test_concurrency import at_once
from tests.world import Tenant, World, build_world

from conversations.models import Reply
from hotlines.models import Hotline
from outbox import pace, release, send, sweeps
from outbox.models import NumberPace

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
HOUR = datetime.timedelta(hours=1)
RATES = st.decimals("0.10", "500.00", places=2)
#: Milliseconds between two attempts.
STEPS = st.lists(st.integers(0, 4000), min_size=1, max_size=80)


def rule(rate: Any) -> pace.Rule:
    return pace.of_number(Hotline(messages_per_second=rate))


def slow(tenant: Tenant, rate: str = "1") -> None:
    Hotline.objects.filter(pk=tenant.hotline.pk).update(messages_per_second=rate)


def released(tenant: Tenant, senders: int, at: datetime.datetime = NOON) -> list[Reply]:
    replies = [written(tenant.hotline, f"336399801{number:02}", at=at) for number in range(senders)]
    assert release.release_due(at) == senders
    return [reply for reply in replies if reply is not None]


def sends(now: datetime.datetime) -> int:
    """How many leave at `now`."""
    count = 0
    while send.send_one(now):
        count += 1
    return count


# --- the rule -------------------------------------------------------------------------------------------------------
@given(rate=RATES, steps=STEPS, idle=st.integers(0, 10**6))
def test_never_more_than_rate_times_time_and_a_burst(rate: Any, steps: list[int], idle: int) -> None:
    """Between any two attempts, however long nobody sent before."""
    followed, now, free_at, taken = rule(rate), NOON, NOON - datetime.timedelta(seconds=idle), []
    for step in steps:
        now += datetime.timedelta(milliseconds=step)
        after = pace.moved(free_at, followed, now)
        if after is not None:
            free_at = after
            taken.append(now)
    burst = max(int(rate), 1)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            seconds = (taken[last] - taken[first]).total_seconds()
            # A microsecond for each place is lost where the interval is rounded to the clock's.
            assert last - first + 1 <= float(rate) * (seconds + 1e-6 * (last - first + 1)) + burst


@given(rate=RATES, seconds=st.integers(1, 60))
def test_who_asks_often_enough_gets_his_whole_rate(rate: Any, seconds: int) -> None:
    followed, free_at, taken = rule(rate), NOON, 0
    end = NOON + SECOND * seconds
    while free_at < end:
        after = pace.moved(free_at, followed, free_at)
        assert after is not None
        free_at, taken = after, taken + 1
    assert taken >= float(rate) * seconds * 0.999 - 1  # the interval is rounded to microseconds


@given(rate=RATES, back=st.integers(16, 7200))
def test_a_clock_that_was_set_back_silences_no_number(rate: Any, back: int) -> None:
    followed = rule(rate)
    full = pace.moved(NOON, followed, NOON)
    assert full is not None
    earlier = NOON - SECOND * back
    again = pace.moved(full, followed, earlier)
    assert again == earlier + followed.interval
    assert pace.moved(again, followed, earlier) is None


@given(rate=RATES, hours=st.integers(1, 10_000))
def test_a_clock_that_was_set_forward_gives_one_burst_and_no_more(rate: Any, hours: int) -> None:
    followed, free_at, now, taken = rule(rate), NOON, NOON + HOUR * hours, 0
    while (after := pace.moved(free_at, followed, now)) is not None:
        free_at, taken = after, taken + 1
    assert taken == max(int(rate), 1)


@pytest.mark.parametrize("rate", ["0.10", "0.50", "1.00", "7.30", "500.00"])
@pytest.mark.parametrize(
    "free_in", [-7200, -30, -1, -0.999, -0.001, 0, 0.000001, 0.001, 0.5, 2, 14.9, 15, 15.000001, 3600]
)
def test_the_statement_says_what_the_rule_says(world: World, rate: str, free_in: float) -> None:
    hotline, free_at = world.north.hotline, NOON + SECOND * free_in
    hotline.messages_per_second = rate
    NumberPace.objects.create(hotline=hotline, free_at=free_at)
    expected = pace.moved(free_at, rule(rate), NOON)
    assert pace.take_of_number(hotline, NOON) == (expected is not None)
    assert NumberPace.objects.get().free_at == (expected or free_at)


# --- sending --------------------------------------------------------------------------------------------------------
@pytest.fixture
def noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.mark.usefixtures("noon")
def test_replies_leave_at_the_pace_of_their_number_and_wait_untouched(world: World, carrier: Carrier) -> None:
    slow(world.north)
    replies = released(world.north, 5)
    before = list(Reply.objects.order_by("pk").values())
    assert sends(NOON) == 1
    assert list(Reply.objects.order_by("pk").values())[1:] == before[1:]
    assert sends(NOON + SECOND * 0.999) == 0
    assert [sends(NOON + SECOND * second) for second in range(1, 6)] == [1, 1, 1, 1, 0]
    assert [reply.uuid for reply in carrier.ledger] == [reply.uuid for reply in replies]
    assert set(Reply.objects.values_list("attempts", flat=True)) == {1}


@pytest.mark.usefixtures("noon")
def test_a_number_without_a_place_keeps_no_other_waiting(world: World, carrier: Carrier) -> None:
    slow(world.north)
    released(world.north, 3)
    released(world.south, 3)
    assert sends(NOON) == 1 + 3
    assert [reply.source for reply in carrier.ledger].count("33937000001") == 1


@pytest.mark.usefixtures("noon")
def test_a_place_that_another_worker_took_since_our_look_undoes_the_claim(
    world: World, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(world.north)
    reply, *_ = released(world.north, 1)
    before = Reply.objects.values().get()
    may_leave = send._may_leave

    def late(reply: Reply, now: datetime.datetime) -> bool:
        assert pace.take_of_number(reply.hotline, now)
        return may_leave(reply, now)

    monkeypatch.setattr(send, "_may_leave", late)
    assert send.claim(NOON) is None
    # SQLite and this test's one connection undo the other worker's place with the claim; the claim is what matters.
    assert Reply.objects.values().get() == before
    assert carrier.calls == []
    assert reply.state == "pending"


@pytest.mark.usefixtures("noon")
def test_what_may_not_be_sent_takes_no_place(world: World, carrier: Carrier) -> None:
    slow(world.north)
    stopped, good = released(world.north, 2)
    type(stopped.conversation).objects.filter(pk=stopped.conversation_id).update(opted_out_at=NOON)
    assert sends(NOON) == 1
    assert [reply.uuid for reply in carrier.ledger] == [good.uuid]


@pytest.mark.usefixtures("our_clock")
def test_a_run_waits_for_a_near_place_and_not_for_a_far_one(
    world: World, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    with time_machine.travel(NOON, tick=False) as traveller:

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            traveller.shift(seconds)

        monkeypatch.setattr(time, "sleep", sleep)
        released(world.north, 9)
        slow(world.north, "5")
        assert sweeps.send_replies() == 9
        assert waits == [pytest.approx(0.2)] * 4  # a burst of five, then one in each fifth of a second
        released(world.south, 2)
        slow(world.south, "3")
        NumberPace.objects.update(free_at=NOON + HOUR)
        slow(world.south, "1")
        NumberPace.objects.filter(hotline=world.south.hotline).delete()
        assert sweeps.send_replies() == 1
        assert len(waits) == 4


def test_where_nothing_waits_for_a_place_there_is_nothing_to_wait_for(world: World) -> None:
    NumberPace.objects.create(hotline=world.north.hotline, free_at=NOON + SECOND)
    assert pace.seconds_to_next(NOON) is None


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_many_workers_together_keep_the_pace() -> None:
    """Threads with connections of their own, on moments that differ as hosts' readings of the database's clock do."""
    world = build_world()
    slow(world.north, "20")
    hotline = Hotline.objects.get(pk=world.north.hotline.pk)
    start = timezone.now()
    taken: list[datetime.datetime] = []

    def take() -> None:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            now = timezone.now()
            if pace.take_of_number(hotline, now):
                taken.append(now)

    at_once(*[take] * 6)
    seconds = (max(taken) - start).total_seconds()
    assert len(taken) <= 20 * seconds + 20
    assert len(taken) >= 20  # the burst: nobody was kept from it
    assert NumberPace.objects.count() == 1
