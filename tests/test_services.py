from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from tests import services

_HOLD = """
import sys, time
from tests import services
with services.{service}() as server:
    print(getattr(server, "socket_folder", server), flush=True)
    time.sleep(60)
"""


def test_a_statement_reaches_the_server(postgresql_server: services.PostgreSQL) -> None:
    url = postgresql_server.create_database("other")
    assert url == f"postgres://paravent@/{postgresql_server.socket_folder}/other"
    assert postgresql_server.execute("SELECT current_database()", "other") == "other"
    assert postgresql_server.execute("SHOW fsync") == "off"


def test_a_wrong_statement_is_an_error(postgresql_server: services.PostgreSQL) -> None:
    with pytest.raises(RuntimeError, match="syntax error"):
        postgresql_server.execute("SELEC 1")


def test_postgresql_keeps_what_it_committed_when_it_crashes() -> None:
    try:
        with services.postgresql(durable=True) as server:
            server.create_database("kept")
            server.stop_immediately()
            assert not server.answers()
            server.start()
            assert server.execute("SELECT current_database()", "kept") == "kept"
            assert "not properly shut down" in server.log.read_text()
    except services.Missing as error:
        pytest.skip(str(error))
    assert not server.socket_folder.exists()


def test_a_killed_redis_forgets_and_answers_at_the_same_address() -> None:
    try:
        with services.redis_server() as server:
            client = redis.Redis.from_url(server.url)
            client.set("name", "value")
            server.kill()
            with pytest.raises(redis.ConnectionError):
                client.get("name")
            server.start()
            assert client.get("name") is None
            client.close()
    except services.Missing as error:
        pytest.skip(str(error))


def test_a_server_of_a_killed_owner_ends_and_leaves_no_file() -> None:
    try:
        services.find_postgresql()
    except services.Missing as error:
        pytest.skip(str(error))
    root = Path(__file__).parents[1]
    owner = subprocess.Popen(
        [sys.executable, "-c", _HOLD.format(service="postgresql")],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    with owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        pid = int((folder / "data/postmaster.pid").read_text().split()[0])
        owner.send_signal(signal.SIGKILL)
    until = time.monotonic() + 30
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_is_missing_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(Path, "glob", lambda *_args: iter(()))
    with services.everything() as started:
        assert started.environment == {}
        assert started.missing == (
            "no PostgreSQL server was found (initdb on PATH or in /usr/lib/postgresql; Debian: postgresql)",
            "neither valkey-server nor redis-server was found (Debian: redis-server)",
        )
