"""Workers as processes on one database, SQLite and PostgreSQL: whatever kills them, no reply is sent twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests import migrated, services
from tests.outbox.worker import KILLED
from tests.processes import ROOT, production

pytestmark = pytest.mark.processes

WORKERS, SENDERS, REPLIES_EACH = 4, 40, 3


@dataclass
class Site:
    """A database that processes share, and the ledger of their carrier."""

    environment: dict[str, str]
    path: Path

    def start(self, *steps: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.outbox.worker", str(self.path), *steps]
        return subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def run(self, *steps: str, status: int = 0) -> str:
        with self.start(*steps) as process:
            output, _ = process.communicate()
        assert process.returncode == status
        return output

    def rows(self, *steps: str) -> list[tuple[str, int, str]]:
        """State, attempts and detail of all replies, after `steps`."""
        found: list[dict[str, Any]] = json.loads(self.run(*steps, "show"))
        return [(row["state"], row["attempts"], row["detail"]) for row in found]

    def ledger(self) -> list[tuple[str, str]]:
        """Recipient and reply of all that was taken, in order."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [(line.split()[0], line.split()[1]) for line in lines]


#: What stops a process between two statements is no matter of the database.
@pytest.fixture(params=["postgresql", pytest.param("sqlite", marks=pytest.mark.proof)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'paravent.sqlite3'}"
    else:
        server: services.PostgreSQL = request.getfixturevalue("postgresql_server")
        url = server.create_database(f"workers_{tmp_path.name}")
    environment = production(url, tmp_path, PARAVENT_ENGINE="embedded")
    migrated.migrate(environment)
    return Site(environment, tmp_path / "ledger")


def test_many_workers_send_every_reply_once(site: Site) -> None:
    site.run(f"seed:{SENDERS}")
    workers = [site.start(f"meet:{WORKERS}", "work") for _ in range(WORKERS)]
    assert [worker.wait() for worker in workers] == [0] * WORKERS
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.close()
    taken = Counter(reply for _, reply in site.ledger())
    assert (len(taken), set(taken.values())) == (SENDERS * REPLIES_EACH, {1})
    assert Counter(recipient for recipient, _ in site.ledger()) == Counter(
        {f"336399{number:05}": REPLIES_EACH for number in range(SENDERS)}
    )
    assert site.rows() == [("sent", 1, "")] * (SENDERS * REPLIES_EACH)


@pytest.mark.parametrize(("moment", "taken"), [("killed-before", 0), ("killed-after", 1)])
def test_a_worker_killed_in_its_call_leaves_unknown_and_nobody_sends_again(site: Site, moment: str, taken: int) -> None:
    site.run("seed:1", moment, status=KILLED)
    waiting = [("released", 0, "")] * (REPLIES_EACH - 1)
    assert site.rows("work") == [("claimed", 1, ""), *waiting]
    assert site.rows("leases-expire", "work") == [("unknown", 1, "claim expired"), *waiting]
    assert len(site.ledger()) == taken
    sent = [("sent", 1, "")] * (REPLIES_EACH - 1)
    assert site.rows("a-day-passes", "work", "leases-expire", "work") == [("unknown_final", 1, "claim expired"), *sent]
    assert len(site.ledger()) == len(set(site.ledger())) == taken + REPLIES_EACH - 1


def stopped(process: subprocess.Popen[str]) -> bool:
    """Wait until it was stopped; False where it ended instead."""
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    return os.WIFSTOPPED(status)


def test_a_worker_that_was_frozen_beyond_its_lease_does_not_send(site: Site) -> None:
    """SIGSTOP between claim and call, as of a host that hangs: others have given its claim up before it wakes."""
    site.run("seed:1")
    waiting = [("released", 0, "")] * (REPLIES_EACH - 1)
    with site.start("frozen") as frozen:
        try:
            assert stopped(frozen)
            assert site.rows() == [("claimed", 1, ""), *waiting]
            assert site.rows("leases-expire", "work") == [("unknown", 1, "claim expired"), *waiting]
        finally:
            frozen.send_signal(signal.SIGCONT)
        assert frozen.wait() == 0
    assert site.ledger() == []
    assert site.rows() == [("unknown", 1, "claim expired"), *waiting]


@pytest.mark.proof
def test_a_worker_that_was_frozen_gives_back_what_nobody_took(site: Site) -> None:
    """It knows that it did not send; the reply leaves later, once."""
    site.run("seed:1")
    with site.start("frozen") as frozen:
        try:
            assert stopped(frozen)
            site.rows()  # starting a process takes longer than the lease
        finally:
            frozen.send_signal(signal.SIGCONT)
        assert frozen.wait() == 0
    assert site.ledger() == []
    assert site.rows()[0] == ("released", 1, "claim too old")
    assert {(state, attempts) for state, attempts, _ in site.rows("work")} == {("sent", 1), ("sent", 2)}
    assert len(site.ledger()) == len(set(site.ledger())) == REPLIES_EACH
