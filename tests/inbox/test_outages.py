"""A database that is dead, hung or stopped, as a provider sees it over HTTP (SECURITY.md F1, F4, F5).

The provider waits 8 s; each answer here must come within that, which is the protocol's limit and not a measurement.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from tests import migrated, services
from tests.inbox.webhook import headers_of
from tests.processes import HOST, manage, production, python, static_files, web
from tests.services import free_port
from tests.signing import FORM
from tests.world import message_fields

from hotlines.models import Hotline

PROVIDER_WAITS = 8.0
_SEED = """
import json, django
django.setup()
from tests.world import build_world
north = build_world().north
print(json.dumps([north.hotline.hook_token, north.token]))
"""


@dataclass
class Site:
    """A web process with its own PostgreSQL, and what it has acknowledged."""

    server: services.PostgreSQL
    environment: dict[str, str]
    folder: Path
    port: int
    hook_token: str
    token: str
    acknowledged: list[str] = field(default_factory=list)

    def deliver(self, sender: str) -> int:
        path = f"/hooks/plivo/{self.hook_token}/message/"
        fields = message_fields(Hotline(number="+33937000001"), sender=sender)
        headers = {"Content-Type": FORM, "Host": HOST, **headers_of(path, fields, self.token)}
        url = f"http://127.0.0.1:{self.port}{path}"
        status = httpx.post(url, content=urlencode(fields), headers=headers, timeout=PROVIDER_WAITS).status_code
        if status == 200:
            self.acknowledged.append(fields["MessageUUID"])
        return status

    def deliver_many(self, count: int) -> set[int]:
        with ThreadPoolExecutor(16) as pool:
            return set(pool.map(self.deliver, [f"3363998{number:04}" for number in range(count)]))

    def waiting(self) -> int:
        return sum(path.stat().st_size for path in (self.folder / "spool").glob("*.spool"))

    def stored(self) -> list[str]:
        rows = self.server.execute("SELECT provider_id FROM conversations_message", "paravent")
        return sorted(rows.split())

    def backends(self) -> list[int]:
        """The process ids of the web process's sessions."""
        rows = self.server.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = 'paravent' AND application_name <> 'psql'"
        )
        return [int(pid) for pid in rows.split()]

    def postmaster(self) -> int:
        return int((self.server.data / "postmaster.pid").read_text().split()[0])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with contextlib.ExitStack() as stack:
        try:
            # Durable: another one may lose what it has committed, and these tests would blame us.
            server = stack.enter_context(services.postgresql(durable=True))
        except services.Missing as error:
            pytest.skip(str(error))
        environment = production(server.create_database("paravent"), folder)
        migrated.migrate(environment)
        static_files(folder)
        hook_token, token = json.loads(python(environment, "-c", _SEED))
        yield Site(server, environment, folder, free_port(), hook_token, token)


@pytest.fixture
def running(site: Site) -> Iterator[Site]:
    with web(site.environment, site.port, site.folder / "web.log"):
        assert site.deliver_many(8) == {200}
        yield site


def _eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        if time.monotonic() > until:
            raise AssertionError("it did not come about")
        time.sleep(0.05)


def test_a_database_that_crashed_and_came_back_has_every_message(running: Site) -> None:
    running.server.stop_immediately()
    assert running.deliver_many(60) == {200}
    assert running.waiting() > 0
    running.server.start()
    _eventually(lambda: running.waiting() == 0)
    assert running.stored() == sorted(running.acknowledged)


def test_a_database_that_accepts_no_connection_and_says_nothing(running: Site) -> None:
    postmaster = running.postmaster()
    for pid in [postmaster, *running.backends()]:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert running.deliver_many(40) == {200}
    finally:
        for pid in [postmaster, *_children(postmaster)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    _eventually(lambda: running.waiting() == 0)
    assert running.stored() == sorted(running.acknowledged)


def test_backends_that_are_stopped_while_the_server_lives(running: Site) -> None:
    """Neither `statement_timeout` nor TCP ends such a wait; our own deadline does, and a new connection serves."""
    stopped = running.backends()
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert running.deliver_many(40) == {200}
        _eventually(lambda: running.waiting() == 0)
        assert running.stored() == sorted(running.acknowledged)
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_what_a_killed_process_kept_is_taken_by_the_next_one(site: Site) -> None:
    with web(site.environment, site.port, site.folder / "web.log") as process:
        assert site.deliver_many(4) == {200}
        site.server.stop_immediately()
        assert site.deliver_many(20) == {200}
        process.kill()
    assert site.waiting() > 0
    with web(site.environment, site.port, site.folder / "web.log") as process:  # started in the middle of the outage
        assert site.deliver_many(20) == {200}
        site.server.start()
        _eventually(lambda: site.waiting() == 0)
    assert site.stored() == sorted(site.acknowledged)


def test_it_does_not_start_with_a_spool_it_cannot_write(site: Site) -> None:
    (site.folder / "taken").write_text("a file where a folder should be")
    environment = site.environment | {"PARAVENT_SPOOL_DIR": str(site.folder / "taken")}
    with pytest.raises(RuntimeError, match=r"spool.*cannot be written.*Nothing was started") as raised:
        manage(environment, "serve", "--port", str(free_port()))
    assert "Traceback" not in str(raised.value)


def _children(pid: int) -> list[int]:
    """Of a PostgreSQL server, its backends and helpers."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]
