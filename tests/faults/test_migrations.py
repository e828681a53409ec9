"""Migrations backward and forward while messages arrive (SECURITY.md F14)."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest
from tests.faults import site, whole
from tests.faults.whole import Whole

from inbox.spool import Spool

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.proof, pytest.mark.xdist_group("migrations")]

PERIOD = 0.05
#: How often each migration goes back and forth, and which: the longest ways take minutes.
ROUNDS, TARGETS = 1, [("outbox", "zero")]
if os.environ.get("PARAVENT_TEST_FAULTS"):
    ROUNDS, TARGETS = 4, [*TARGETS, ("conversations", "0001"), ("hotlines", "0001")]


class Load:
    """Twenty messages a second, each of a new sender, until the block ends."""

    def __init__(self, running: Whole) -> None:
        self._running, self._over = running, threading.Event()
        self._threads = [threading.Thread(target=self._deliver, args=(lane,)) for lane in range(4)]
        self.statuses: Counter[object] = Counter()
        self.senders: list[str] = []

    def _deliver(self, lane: int) -> None:
        number = 0
        while not self._over.wait(4 * PERIOD):
            sender, number = f"336{lane}{number:07}", number + 1
            try:
                status: object = self._running.site.deliver(sender)
            except httpx.HTTPError as error:
                status = type(error).__name__
            self.statuses[status] += 1
            if status == 200:
                self.senders.append(sender)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Whole]:
    with whole.running(tmp_path) as made:
        assert site.answers(made.site, 8) == {200: 8}
        made.eventually(lambda: made.states() == {"sent": 8})
        yield made


@pytest.mark.parametrize("target", TARGETS, ids="-".join)
def test_nothing_is_lost_while_tables_change_under_the_processes(running: Whole, target: tuple[str, str]) -> None:
    folder = running.site.folder / "spool"
    with Load(running) as load:
        for _ in range(ROUNDS):
            running.migrate(*target)
            running.migrate()
    assert set(load.statuses) == {200}
    assert len(load.senders) > 20
    # A column that was taken back returns with its default, and the number would send one message a second, 60 an hour.
    wide = "messages_per_second = 500, replies_per_hour = 100000"
    running.site.server.execute(f"UPDATE hotlines_hotline SET {wide}", "paravent")
    spool = Spool(folder, 1_000_000_000)

    def drained() -> bool:
        spool.retry("retry")  # what the web process does every minute
        return running.site.stored() == sorted(running.site.acknowledged)

    running.eventually(drained)
    everybody = sorted([*load.senders, *site.senders(8)])
    running.eventually(lambda: running.states() == {"sent": len(everybody)})
    assert running.recipients() == everybody
    assert site.set_aside(folder) == []
