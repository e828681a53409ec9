"""Web process, worker and scheduler on PostgreSQL and Redis, with a fake Plivo whose ledger says what was sent."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests import processes, services
from tests.faults import site
from tests.fleet import Fleet
from tests.inbox.test_outages import PROVIDER_WAITS, Site
from tests.inbox.webhook import headers_of
from tests.providers.fake_plivo import FakePlivo
from tests.services import Redis
from tests.signing import FORM
from tests.world import AUTH_ID

_PATIENCE = 120.0


@dataclass
class Whole:
    site: Site
    redis: Redis
    plivo: FakePlivo
    fleet: Fleet

    def recipients(self) -> list[str]:
        """Whom the provider took a message for, each as often as it took one."""
        return sorted(str(entry["dst"]) for entry in self.plivo.ledger.entries if entry["accepted"])

    def forge(self, count: int) -> Counter[int]:
        """Deliver so many messages with somebody else's signature."""
        path = f"/hooks/plivo/{self.site.hook_token}/message/"

        def one(number: int) -> int:
            fields = {
                "From": f"3363997{number:04}",
                "To": "33937000001",
                "Text": "x",
                "MessageUUID": f"forged-{number}",
            }
            headers = {"Content-Type": FORM, "Host": processes.HOST, **headers_of(path, fields, "another token")}
            url = f"http://127.0.0.1:{self.site.port}{path}"
            return httpx.post(url, data=fields, headers=headers, timeout=PROVIDER_WAITS).status_code

        with ThreadPoolExecutor(8) as pool:
            return Counter(pool.map(one, range(count)))

    def eventually(self, holds: Callable[[], bool]) -> None:
        """Wait until it holds; what ended meanwhile is started again, as whoever runs it would."""
        until = time.monotonic() + _PATIENCE
        while not holds():
            if time.monotonic() > until:
                raise AssertionError(f"it did not come about; replies: {self.states()}")
            for process in self.fleet.running.values():
                if not process.running:
                    process.let_go()
            self.fleet.tend()
            time.sleep(0.1)

    def states(self) -> dict[str, int]:
        rows = self.site.server.execute("SELECT state, count(*) FROM conversations_reply GROUP BY 1", "paravent")
        return {state: int(count) for state, count in (row.split("|") for row in rows.splitlines())}

    def migrate(self, *target: str) -> None:
        processes.manage(self.site.environment, "migrate", "--verbosity", "0", *target)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Whole]:
    """All of it, answering when the block begins."""
    with contextlib.ExitStack() as stack:
        try:
            redis = stack.enter_context(services.redis_server())
        except services.Missing as error:
            pytest.skip(str(error))
        plivo = stack.enter_context(FakePlivo())
        changes = {
            "PARAVENT_REDIS_URL": redis.url,
            "PARAVENT_ENGINE": "celery",
            "PARAVENT_DEMO": "1",
            "PARAVENT_SIMULATOR": "0",
            "PARAVENT_PLIVO_API_URL": plivo.url,
            "PARAVENT_ALLOWED_HOSTS": f"{processes.HOST},127.0.0.1",
            "PARAVENT_WEBHOOK_FAILURE_RATE": "100000/m",
        }
        made = stack.enter_context(site.made(folder, **changes))
        plivo.accounts = {AUTH_ID: made.token}
        fleet = stack.enter_context(Fleet(folder))
        fleet.add_web(made.environment, made.port)
        fleet.add("worker", lambda: processes.worker(made.environment, folder / "worker.log"))
        fleet.add("scheduler", lambda: processes.scheduler(made.environment, folder / "scheduler.log"))
        fleet.wait_for_web(0)
        yield Whole(made, redis, plivo, fleet)
