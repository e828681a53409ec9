"""Threads with connections of their own against one PostgreSQL; SQLite lets one writer in at a time anyhow."""

from __future__ import annotations

import datetime
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.utils import timezone
from tests.outbox.carrier import Carrier, accepted, deliver, inbound, written
from tests.outbox.replies import NOON
from tests.world import World, build_world

from conversations.models import Block, Reply
from conversations.words import ReplyState
from hotlines.models import Account
from inbox import receive
from outbox import release, send, summary
from outbox.models import Summary
from providers.base import Knowledge, Outcome, OutgoingReply

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def world(transactional_db: None) -> World:
    return build_world()


def at_once(*functions: Callable[[], object]) -> None:
    """Run all of them in threads of their own; the first exception of any is raised here."""
    barrier, errors = threading.Barrier(len(functions)), []

    def run(function: Callable[[], object]) -> None:
        try:
            barrier.wait()
            function()
        except BaseException as error:  # noqa: BLE001  raised again below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class Crowded(Carrier):
    """A carrier that takes its time and sees whether two replies to one recipient are under way at once."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.under_way: Counter[str] = Counter()
        self.most = 0

    def send(self, reply: OutgoingReply, credentials: object) -> Outcome:
        with self.lock:
            self.under_way[reply.recipient] += 1
            self.most = max(self.most, self.under_way[reply.recipient])
        threading.Event().wait(0.002)
        with self.lock:
            self.under_way[reply.recipient] -= 1
            return super().send(reply, {})


@pytest.fixture(autouse=True)
def by_day(our_clock: None) -> Iterator[None]:
    """From noon on: an hour before midnight, what leaves an hour later is another day's, and is released anew."""
    with time_machine.travel(NOON):
        yield


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowded:
    made = Crowded()
    monkeypatch.setattr(send.registry, "get", lambda _name: made)
    return made


def released(world: World, senders: int, each: int) -> list[str]:
    numbers = [f"336399{number:05}" for number in range(senders)]
    for number in numbers:
        for _ in range(each):
            assert written(world.north.hotline, number) is not None
    while release.release_due(timezone.now()):
        pass
    return numbers


def send_all() -> None:
    """Until nothing is left, an hour from now, so that what was refused is due again."""
    while Reply.objects.filter(state__in=[ReplyState.RELEASED, ReplyState.CLAIMED]).exists():
        send.send_one(timezone.now() + HOUR)


def test_each_reply_is_sent_once_in_its_conversations_order(world: World, crowd: Crowded) -> None:
    numbers = released(world, senders=20, each=3)
    counter = itertools.count()

    def sometimes_refused(reply: OutgoingReply) -> Outcome:
        if next(counter) % 5 == 0:
            return Outcome(Knowledge.REFUSED_FOR_NOW, detail="ConnectError")
        return accepted(reply)

    crowd.answer = sometimes_refused
    at_once(*[send_all] * 8)
    assert Counter(reply.recipient for reply in crowd.ledger) == Counter(dict.fromkeys(numbers, 3))
    assert len({reply.uuid for reply in crowd.ledger}) == 60
    assert crowd.most == 1
    slots = dict(Reply.objects.values_list("uuid", "slot"))
    for number in numbers:
        assert [slots[reply.uuid] for reply in crowd.ledger if reply.recipient == number] == [1, 2, 3]
    assert set(Reply.objects.values_list("state", flat=True)) == {"sent"}


def test_nothing_is_claimed_after_stop_was_acknowledged(
    world: World, crowd: Crowded, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = released(world, senders=30, each=3)
    stopped: set[str] = set()
    late: list[str] = []
    claim = send.claim

    def watched(*arguments: datetime.datetime) -> Reply | None:
        before = frozenset(stopped)
        reply = claim(*arguments)
        if reply is not None and (recipient := send._recipient(reply)) in before:
            late.append(recipient)
        return reply

    def stop_all() -> None:
        for number in numbers:
            assert deliver(world.north.hotline, inbound(world.north.hotline, number, "STOP")) is receive.Receipt.STORED
            stopped.add(number)

    monkeypatch.setattr(send, "claim", watched)
    at_once(stop_all, *[send_all] * 4)
    assert (late, crowd.most) == ([], 1)
    assert set(Reply.objects.values_list("state", flat=True)) <= {"sent", "dropped"}
    assert len(crowd.ledger) == Reply.objects.filter(state="sent").count()


def test_several_dispatchers_release_each_reply_once(world: World) -> None:
    for number in range(40):
        assert written(world.north.hotline, f"336399{number:05}") is not None
    counts: list[int] = []
    at_once(*[lambda: counts.append(release.release_due(timezone.now()))] * 4)
    assert sum(counts) == 40
    assert {reply.text for reply in Reply.objects.filter(state="released")} == {"Réponse de North."}
    assert Reply.objects.filter(state="released").count() == 40


def test_of_many_refused_workers_one_pauses_the_account(world: World, crowd: Crowded) -> None:
    released(world, senders=8, each=1)
    crowd.says(Knowledge.ACCOUNT_REFUSED, detail="402")
    at_once(*[lambda: send.send_one(timezone.now())] * 8)
    assert Account.objects.filter(sending_paused_reason="402").count() == 1
    assert len(mail.outbox) == 1
    assert set(Reply.objects.values_list("state", flat=True)) == {"released"}


def test_a_summary_leaves_once_however_many_workers_there_are(world: World) -> None:
    morning = datetime.datetime(2026, 11, 24, 9, tzinfo=datetime.UTC)
    for tenant in world.tenants:
        Block.objects.create(
            organization=tenant.organization,
            sender_key=bytes(16),
            cause="person",
            reason="insults",
            since=morning - 20 * HOUR,
        )
    counts: list[int] = []
    at_once(*[lambda: counts.append(summary.send_due(morning))] * 6)
    assert (sum(counts), len(mail.outbox)) == (2, 2)
    assert list(Summary.objects.values_list("day", flat=True)) == [morning.date()] * 2


def test_a_lease_that_ends_while_the_worker_writes_ends_in_one_word(world: World, crowd: Crowded) -> None:
    """Expiry and outcome at the same moment: sent or unknown, and never released."""
    for number in range(20):
        assert written(world.north.hotline, f"336399{number:05}") is not None
        release.release_due(timezone.now())
        reply = send.claim(timezone.now())
        assert reply is not None
        outcome = Outcome(Knowledge.REFUSED_FOR_NOW, detail="ConnectError", retry_after=0)
        at_once(lambda: send.record(reply, outcome), lambda: send.expire_leases(timezone.now() + HOUR))  # noqa: B023
        reply.refresh_from_db()
        assert (reply.state, reply.detail) in {("released", "ConnectError"), ("unknown", "claim expired")}
        Reply.objects.filter(pk=reply.pk).update(state="failed")
