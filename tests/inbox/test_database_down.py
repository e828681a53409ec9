"""A database that does not answer makes 503, nothing half stored, and a retry that succeeds (DESIGN.md, step 4)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import (
    DatabaseError,
    DataError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLite
from tests.inbox.webhook import count, deliver, headers_of, path_of, post, rows
from tests.world import World, message_fields

from conversations.models import Message
from hotlines.models import EndpointPin, Hotline
from inbox import hooks

pytestmark = pytest.mark.django_db(transaction=True)

ON_SQLITE = pytest.mark.skipif("sqlite" not in connection.settings_dict["ENGINE"], reason="about SQLite's one writer")
ON_POSTGRESQL = pytest.mark.skipif("postgres" not in connection.settings_dict["ENGINE"], reason="about row locks")
GONE = [OperationalError, InterfaceError, InternalError]


class FailAt:
    """Lets the first statements of a request pass and fails one."""

    def __init__(self, number: int, error: type[DatabaseError | InterfaceError]) -> None:
        self.number, self.error, self.seen = number, error, 0

    def __call__(self, execute: Callable[..., Any], *statement: Any) -> Any:
        self.seen += 1
        if self.seen == self.number:
            raise self.error("the server closed the connection unexpectedly, number 33639980123")
        return execute(*statement)


def _new_sender(world: World) -> dict[str, str]:
    return message_fields(world.north.hotline)


def _known_sender(world: World) -> dict[str, str]:
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    return message_fields(world.north.hotline)


def _last_slot(world: World) -> dict[str, str]:
    Hotline.objects.update(reply_limit=1)
    return message_fields(world.north.hotline)


def _stop(world: World) -> dict[str, str]:
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    return message_fields(world.north.hotline, "STOP")


def _blocked(world: World) -> dict[str, str]:
    assert deliver(world.north, _last_slot(world)) == 200
    for _ in range(2):
        assert deliver(world.north, message_fields(world.north.hotline)) == 200
    return message_fields(world.north.hotline)


def _unreadable(world: World) -> dict[str, str]:
    return message_fields(world.north.hotline) | {"To": "33600000000"}


@pytest.mark.parametrize("error", GONE)
@pytest.mark.parametrize("prepare", [_new_sender, _known_sender, _last_slot, _stop, _blocked, _unreadable])
def test_whichever_statement_fails_nothing_is_half_stored_and_the_retry_succeeds(
    world: World, prepare: Callable[[World], dict[str, str]], error: type[DatabaseError]
) -> None:
    fields = prepare(world)
    before, failures, number = rows(), 0, 0
    while True:
        number += 1
        hooks.forget()
        fault = FailAt(number, error)
        with connection.execute_wrapper(fault):
            status = deliver(world.north, fields)
        if fault.seen < number:
            break
        failures += 1
        assert status == 503
        assert {**rows(), "EndpointPin": []} == {**before, "EndpointPin": []}
    assert (status, failures >= 3) == (200, True)
    assert (
        Message.objects.filter(provider_id=fields["MessageUUID"]).count()
        + Message.objects.filter(disposition="unreadable").count()
        == 1
    )
    assert deliver(world.north, fields) == 200
    assert count()["Message"] == len(before["Message"]) + 1


def test_a_commit_that_fails_is_no_acknowledgement(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    fields = message_fields(world.north.hotline, "STOP")  # written step by step on either database
    before = rows()

    def fail(_self: BaseDatabaseWrapper) -> None:
        raise OperationalError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(BaseDatabaseWrapper, "_commit", fail)
        assert deliver(world.north, fields) == 503
    assert rows() == before
    assert deliver(world.north, fields) == 200
    assert [message.disposition for message in Message.objects.order_by("pk")] == ["answered", "stop"]


def test_without_its_database_a_forger_still_gets_403_and_never_503(world: World) -> None:
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    hooks.find(world.north.hotline.hook_token)
    with connection.execute_wrapper(FailAt(1, OperationalError)):
        assert post(path, fields) == 403
        assert post(path, fields, headers_of(path, fields, "forged")) == 403
        assert deliver(world.north, fields) == 503


def test_a_report_meets_the_same_answer(world: World) -> None:
    path = path_of(world.north.hotline, "report/6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
    fields = {"MessageUUID": "x", "Status": "sent"}
    assert post(path, fields, headers_of(path, fields, world.north.token)) == 200
    with connection.execute_wrapper(FailAt(1, OperationalError)):
        assert post(path, fields, headers_of(path, fields, world.north.token)) == 503


@pytest.mark.parametrize("error", [DataError, ProgrammingError])
def test_a_fault_of_ours_is_not_called_the_databases(world: World, error: type[DatabaseError]) -> None:
    """It must be seen and mended; 500 lets the provider try again all the same."""
    deliver(world.north, message_fields(world.north.hotline))
    with pytest.raises(error), connection.execute_wrapper(FailAt(1, error)):
        deliver(world.north, message_fields(world.north.hotline))


def test_the_log_names_the_kind_of_error_and_nothing_it_said(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with connection.execute_wrapper(FailAt(1, OperationalError)):
        assert deliver(world.north, message_fields(world.north.hotline)) == 503
    lines = [record.getMessage() for record in caplog.records if record.name == "paravent.webhook"]
    assert lines == ["database does not answer: OperationalError"]
    assert "33639980123" not in caplog.text


# --- really locked ----------------------------------------------------------------------------------------------------
@pytest.fixture
def on_file(world: World, tmp_path: Path) -> Iterator[Path]:
    """The world in a database file, where a second connection can hold the lock; SQLite's test database has none."""
    path = tmp_path / "paravent.sqlite3"
    with sqlite3.connect(path) as copy:
        connection.connection.backup(copy)
    copy.close()
    options = {
        **connection.settings_dict["OPTIONS"],
        "timeout": 0.1,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=100;",
    }
    in_memory = connections["default"]
    connections["default"] = SQLite({**connection.settings_dict, "NAME": str(path), "OPTIONS": options}, "default")
    try:
        yield path
    finally:
        connections["default"].close()
        connections["default"] = in_memory


@ON_SQLITE
@pytest.mark.parametrize("seen_before", [False, True])
def test_a_locked_sqlite_database_makes_503_and_the_retry_succeeds(
    world: World, on_file: Path, seen_before: bool
) -> None:
    if seen_before:  # else the first thing to be written is the pin
        assert deliver(world.north, message_fields(world.north.hotline)) == 200
    fields = message_fields(world.north.hotline)
    before = rows()
    other = sqlite3.connect(on_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert deliver(world.north, fields) == 503
    assert rows() == before  # readers go on in WAL mode
    other.execute("ROLLBACK")
    other.close()
    assert deliver(world.north, fields) == 200
    assert deliver(world.north, fields) == 200
    assert Message.objects.filter(provider_id=fields["MessageUUID"]).count() == 1
    assert EndpointPin.objects.count() == 1


@ON_POSTGRESQL
def test_a_row_locked_by_another_session_makes_503_and_the_retry_succeeds(world: World) -> None:
    """`lock_timeout` ends the wait before a provider gives up; the row of this sender alone is waited for."""
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    fields = message_fields(world.north.hotline)
    parameters = connection.get_connection_params()
    known = {name: parameters[name] for name in ("host", "port", "user", "dbname") if name in parameters}
    with psycopg.connect(**known) as other:
        other.execute("SELECT 1 FROM conversations_conversation FOR UPDATE")
        assert deliver(world.north, fields) == 503
        assert deliver(world.north, message_fields(world.north.hotline, sender="33639980199")) == 200
        other.rollback()
    assert deliver(world.north, fields) == 200
    assert Message.objects.filter(provider_id=fields["MessageUUID"]).count() == 1
