"""Many threads on one sender's row, with everything that writes beside (SECURITY.md F6): no deadlock, nothing lost."""

from __future__ import annotations

import dataclasses
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, connections
from django.db.models import Count
from tests.inbox.webhook import deliver
from tests.world import Tenant, World, message_fields

from conversations import at_once, blocks, sql
from conversations.models import Conversation, Message, Reply
from hotlines.models import Hotline
from inbox import drain, hooks, spool
from outbox import release, send
from outbox.clock import shared_now
from replies.models import ReplyTemplate

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("contention")]

THREADS = 64
#: Messages of each thread; `make faults` has many more.
EACH = 60 if os.environ.get("PARAVENT_TEST_FAULTS") else 6
PERSONS = 4
FEW = [f"3363998{number:04}" for number in range(5)]


class Beside:
    """Work that goes on in threads of its own while messages arrive; `states` are the SQLSTATEs that it met."""

    def __init__(self, *works: Callable[[], object]) -> None:
        self.states: Counter[str] = Counter()
        self.rounds: Counter[str] = Counter()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(work,)) for work in works]

    def _go_on(self, work: Callable[[], object]) -> None:
        while not self._over.is_set():
            try:
                work()
                self.rounds[work.__name__] += 1
            except ValidationError:
                self.rounds[work.__name__] += 1  # not blocked, or no longer
            except DatabaseError as error:
                self.states[getattr(error.__cause__, "sqlstate", None) or type(error).__name__] += 1
        connections.close_all()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture(autouse=True)
def _deadlocks_are_told_from_waiting(transactional_db: None) -> Iterator[None]:
    """PostgreSQL looks for one after 1 s, when our `lock_timeout` has just ended the wait: nobody would see it."""
    with connection.cursor() as cursor:
        name = connection.ops.quote_name(connection.settings_dict["NAME"])
        cursor.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '20ms'")
    connection.close()
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} RESET deadlock_timeout")
    connection.close()


def deadlocks() -> int:
    """How many PostgreSQL has had to end in this database; sessions report theirs when they end."""
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def all_at_once(tenants: list[Tenant], senders: list[str]) -> list[str]:
    """Each thread delivers its messages, all begin together; returns the ids of those that were acknowledged."""
    # As of numbers in use: 64 connections at once may take longer than a request waits, and what proves a hotline's
    # requests must be known by then.
    for tenant in tenants:
        assert hooks.find(tenant.hotline.hook_token) is not None
    begin = threading.Barrier(THREADS)
    chosen = random.Random(7)
    mine = [[(chosen.choice(tenants), chosen.choice(senders)) for _ in range(EACH)] for _ in range(THREADS)]

    def work(number: int) -> list[tuple[int, str]]:
        begin.wait()
        answers = []
        for tenant, sender in mine[number]:
            fields = message_fields(tenant.hotline, sender=sender)
            answers.append((deliver(tenant, fields), fields["MessageUUID"]))
        connections.close_all()
        return answers

    with ThreadPoolExecutor(THREADS) as pool:
        answers = [answer for found in pool.map(work, range(THREADS)) for answer in found]
    assert {status for status, _ in answers} == {200}
    return sorted(identity for _, identity in answers)


def drained() -> None:
    """Work off what waited on disk."""
    for _ in range(1000):
        drain.run()
        if not any(path.stat().st_size for path in spool.current().segments()):
            return
    raise AssertionError("the spool is never empty")


def stored() -> list[str]:
    return sorted(Message.objects.values_list("provider_id", flat=True))


def most_replies_in_an_episode() -> int:
    counted = Reply.objects.values("conversation", "episode").annotate(count=Count("pk"))
    return max(row["count"] for row in counted)


def test_one_sender_from_all_threads(world: World) -> None:
    before = deadlocks()
    acknowledged = all_at_once([world.north], FEW[:1])
    drained()
    conversation = Conversation.objects.get()
    assert deadlocks() == before
    assert stored() == acknowledged
    assert (conversation.messages_received, Reply.objects.count()) == (THREADS * EACH, world.north.hotline.reply_limit)


def second_hotline(tenant: Tenant) -> Tenant:
    """Another number of the same organization, with the same account."""
    same = ("organization", "account", "kind", "state", "reply_limit", "delay_seconds", "jitter_seconds")
    hotline = Hotline.objects.create(
        name="second", number="+33937000009", **{name: getattr(tenant.hotline, name) for name in same}
    )
    for template in ReplyTemplate.objects.filter(hotline=tenant.hotline):
        ReplyTemplate.objects.create(
            organization=tenant.organization, hotline=hotline, language=template.language, text=template.text
        )
    return dataclasses.replace(tenant, hotline=hotline)


def watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many messages each statement of `fold` counted."""
    counted: list[int] = []
    real = at_once.count_blocked

    def count(rows: Sequence[sql.Values]) -> set[tuple[int, str]]:
        found = real(rows)
        counted.append(len(found))
        return found

    monkeypatch.setattr(at_once, "count_blocked", count)
    return counted


def person(user: User) -> list[Callable[[], None]]:
    """What a person of the organization does, to whoever has written."""
    chance = random.Random(11)

    def doing(act: Callable[[Conversation, User, str], object], name: str) -> Callable[[], None]:
        def work() -> None:
            rows = list(Conversation.objects.all())
            if rows:
                act(chance.choice(rows), user, "test")

        work.__name__ = name
        return work

    acts = {"block": blocks.block_everywhere, "block here": blocks.block_conversation, "unblock": blocks.unblock}
    return [doing(act, name) for name, act in acts.items()]


def release_some() -> None:
    release.release_due(shared_now(), 20)


def claim() -> None:
    send.claim(shared_now())


def fold() -> None:
    drain.run()


def test_few_senders_while_blocks_are_set_and_lifted_and_replies_leave(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two numbers of one organization: a block on all numbers meets the rows of both."""
    tenants = [world.north, second_hotline(world.north)]
    # As if the thread of a web process drained: what blocked senders write may then wait for `fold`.
    monkeypatch.setattr(drain, "running", lambda: True)
    folded = watched(monkeypatch)
    before = deadlocks()
    with Beside(*PERSONS * person(world.north.owner), release_some, claim, fold) as beside:
        acknowledged = all_at_once(tenants, FEW)
    drained()
    assert sum(folded) > 0
    assert min(beside.rounds[name] for name in ("block", "unblock", "claim")) > 0
    # Another block of the same sender, or a lock waited for in vain: nothing was written, and the person sees it.
    assert set(beside.states) <= {"23505", "55P03"}
    assert deadlocks() == before
    assert stored() == acknowledged
    assert most_replies_in_an_episode() <= world.north.hotline.reply_limit
    counted = {row.pk: row.messages.count() for row in Conversation.objects.all()}
    assert {row.pk: row.messages_received for row in Conversation.objects.all()} == counted
