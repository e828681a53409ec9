"""`manage.py migrate` while others hold the tables: it tries again, and says so; what fails otherwise fails at once."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.core.management.commands import migrate as of_django
from django.db import OperationalError
from tests import migrated, services
from tests.processes import ROOT, manage, production

from config.management.commands import migrate

#: One that changes a table, and can be taken back.
_TARGET = ("hotlines", "0006")


@contextlib.contextmanager
def _held(url: str) -> Iterator[None]:
    folder, _, database = url.removeprefix("postgres://paravent@/").rpartition("/")
    with psycopg.connect(host=folder, user="paravent", dbname=database) as connection:
        connection.execute("SELECT 1 FROM hotlines_hotline")  # an open transaction that only read is enough
        yield


def _applied(environment: Mapping[str, str]) -> bool:
    return "[X] 0007_stand_in" in manage(environment, "showmigrations", "hotlines")


@pytest.mark.processes
@pytest.mark.proof
def test_a_table_that_is_in_use_is_waited_for(postgresql_server: services.PostgreSQL, tmp_path: Path) -> None:
    url = postgresql_server.create_database(tmp_path.name)
    environment = production(url, tmp_path)
    migrated.migrate(environment)
    command = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0", *_TARGET]
    with contextlib.ExitStack() as stack:
        stack.enter_context(_held(url))
        running = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        assert running.stderr is not None
        assert running.stderr.readline() == "A table is in use; trying again (1 of 60).\n"
        assert _applied(environment)
        stack.close()
        running.communicate()
    assert running.returncode == 0
    assert not _applied(environment)


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[Exception | None]:
    """What each attempt ends with, to be filled; `None` succeeds."""
    ends: list[Exception | None] = []

    def one(*_args: object, **_options: object) -> None:
        if (error := ends.pop(0)) is not None:
            raise error

    monkeypatch.setattr(of_django.Command, "handle", one)
    monkeypatch.setattr(migrate, "_PAUSE_SECONDS", 0)
    return ends


def _error(cause: Exception) -> OperationalError:
    error = OperationalError(str(cause))
    error.__cause__ = cause
    return error


def _busy_sqlite() -> Exception:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorname = "SQLITE_BUSY"
    return error


_BUSY = [psycopg.errors.LockNotAvailable("no lock"), psycopg.errors.DeadlockDetected("crosswise"), _busy_sqlite()]


@pytest.mark.parametrize("cause", _BUSY, ids=lambda cause: type(cause).__name__)
def test_a_lock_that_was_refused_is_asked_for_again(attempts: list[Exception | None], cause: Exception) -> None:
    attempts += [_error(cause), _error(cause), None]
    call_command("migrate")
    assert attempts == []


def test_after_the_last_attempt_it_says_what_was_kept(attempts: list[Exception | None]) -> None:
    attempts += [_error(_BUSY[0])] * 60
    with pytest.raises(CommandError, match="that were applied stay applied"):
        call_command("migrate")
    assert attempts == []


@pytest.mark.parametrize(
    "cause",
    [
        psycopg.errors.DiskFull("disk full"),
        sqlite3.OperationalError("near x: syntax error"),
        psycopg.OperationalError(),
    ],
    ids=lambda cause: type(cause).__name__,
)
def test_what_no_waiting_mends_fails_at_once(attempts: list[Exception | None], cause: Exception) -> None:
    attempts += [_error(cause), None]
    with pytest.raises(OperationalError):
        call_command("migrate")
    assert attempts == [None]
