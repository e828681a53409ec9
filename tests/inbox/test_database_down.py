"""While the database does not answer, what is proven waits on disk, whole, and nothing is half stored (DESIGN.md 4)."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
import time_machine
from django.core.management import call_command
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
from django.utils import timezone
from tests.inbox.webhook import count, deliver, headers_of, path_of, post, rows
from tests.world import World, message_fields

from conversations.models import Message, Reply
from hotlines.models import EndpointPin, Hotline, new_hook_token
from inbox import drain, hooks, last_known, outage, spool
from inbox.arrival import Arrival

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


def kept() -> list[Arrival]:
    """What waits in the spool."""
    spool.current().seal()
    found = []
    for segment in spool.current().segments():
        with spool.reading(segment) as records:
            found += [Arrival.unpacked(record) for record in records or ()]
    return found


def _forget_what_waits() -> None:
    for segment in spool.current().segments():
        spool.remove(segment)
    outage.over()


@pytest.mark.parametrize("error", GONE)
@pytest.mark.parametrize("prepare", [_new_sender, _known_sender, _last_slot, _stop, _blocked, _unreadable])
def test_whichever_statement_fails_nothing_is_half_stored_and_the_message_waits_on_disk(
    world: World, prepare: Callable[[World], dict[str, str]], error: type[DatabaseError]
) -> None:
    fields = prepare(world)
    hooks.find(world.north.hotline.hook_token)
    before, failures, number = rows(), 0, 0
    while True:
        number += 1
        hooks.forget()
        fault = FailAt(number, error)
        with connection.execute_wrapper(fault):
            assert deliver(world.north, fields) == 200
        if fault.seen < number:
            break
        failures += 1
        assert {**rows(), "EndpointPin": []} == {**before, "EndpointPin": []}
        waiting = kept()
        if waiting or number > 2:  # the first two may concern the hotline alone, and what was known of it stands
            assert [urlencode(fields).encode()] == [one.signed.body for one in waiting]
        _forget_what_waits()
    assert failures >= 3
    stored = Message.objects.filter(provider_id=fields["MessageUUID"]) | Message.objects.filter(
        disposition="unreadable"
    )
    assert stored.count() == 1
    assert deliver(world.north, fields) == 200
    assert count()["Message"] == len(before["Message"]) + 1


@pytest.mark.parametrize("prepare", [_new_sender, _known_sender, _last_slot, _stop, _blocked, _unreadable])
def test_what_waited_becomes_what_it_would_have_been(world: World, prepare: Callable[[World], dict[str, str]]) -> None:
    """The same message delivered to the neighbour with a database, and to us without one."""
    fields = prepare(world)
    hooks.find(world.north.hotline.hook_token)
    with connection.execute_wrapper(FailAt(1, OperationalError)):
        assert deliver(world.north, fields) == 200
        assert deliver(world.north, fields) == 200  # and again, as providers do
    arrived = [waiting.received_at for waiting in kept()]
    assert len(arrived) == 2
    before = count().get("Message", 0)
    assert drain.run() == 2
    assert (outage.lasts(), spool.depth()) == (None, spool.Depth(0, 0, 0, 0))
    assert count()["Message"] == before + 1
    newest = Message.objects.latest("pk")
    assert newest.received_at == arrived[0]
    expected = {
        _new_sender: "answered",
        _known_sender: "answered",
        _last_slot: "answered",
        _stop: "stop",
        _blocked: "blocked",
        _unreadable: "unreadable",
    }
    assert newest.disposition == expected[prepare]


def test_a_commit_that_fails_is_no_acknowledgement(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    fields = message_fields(world.north.hotline, "STOP")  # written step by step on either database
    before = rows()

    def fail(_self: BaseDatabaseWrapper) -> None:
        raise OperationalError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(BaseDatabaseWrapper, "_commit", fail)
        assert deliver(world.north, fields) == 200
    assert (rows(), len(kept())) == (before, 1)
    assert drain.run() == 1
    assert deliver(world.north, fields) == 200
    assert [message.disposition for message in Message.objects.order_by("pk")] == ["answered", "stop"]


def test_without_its_database_a_forger_still_gets_403_and_nothing_of_his_is_kept(world: World) -> None:
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    hooks.find(world.north.hotline.hook_token)
    with connection.execute_wrapper(FailAt(1, OperationalError)):
        assert post(path, fields) == 403
        assert post(path, fields, headers_of(path, fields, "forged")) == 403
        assert post(path, fields, headers_of(path, fields, world.south.token)) == 403
        assert kept() == []
        assert deliver(world.north, fields) == 200
    assert len(kept()) == 1


def test_a_report_waits_as_well_and_settles_its_reply(world: World) -> None:
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    Reply.objects.update(
        state="unknown", attempts=1, claimed_at=timezone.now(), claim_token=uuid.uuid4(), text_sealed=b"x"
    )
    path = path_of(world.north.hotline, f"report/{Reply.objects.get().uuid}")
    fields = {"MessageUUID": "x", "Status": "sent"}
    assert post(path, {**fields, "Status": "queued"}, headers_of(path, fields, "forged")) == 403
    hooks.pin(world.north.hotline.pk, "report", "v3")
    with connection.execute_wrapper(FailAt(1, OperationalError)):
        assert post(path, fields, headers_of(path, fields, world.north.token)) == 200
    assert Reply.objects.get().state == "unknown"
    assert drain.run() == 1
    assert (Reply.objects.get().state, Reply.objects.get().provider_id) == ("sent", "x")


@pytest.mark.parametrize("error", [DataError, ProgrammingError])
def test_a_fault_of_ours_loses_nothing_and_is_not_called_the_databases(
    world: World, error: type[DatabaseError], caplog: pytest.LogCaptureFixture
) -> None:
    """A provider offers a message a few times only: it waits on disk until the fault is mended."""
    deliver(world.north, message_fields(world.north.hotline))
    fields = message_fields(world.north.hotline)
    with connection.execute_wrapper(FailAt(1, error)):
        assert deliver(world.north, fields) == 200
    assert outage.lasts() is None
    kept()
    with connection.execute_wrapper(FailAt(2, error)):
        assert drain.run() == 1
    assert "33639980123" not in caplog.text
    assert (spool.depth().segments, drain.run()) == (1, 0)  # it waits for its next try
    spool.current().retry("retry")
    with time_machine.travel(timezone.now() + timedelta(hours=2)), connection.execute_wrapper(FailAt(2, error)):
        assert drain.run() == 1
    assert spool.depth() == spool.Depth(0, 0, 1, 0)
    call_command("spool", retry=True)
    assert drain.run() == 1
    assert Message.objects.filter(provider_id=fields["MessageUUID"]).count() == 1
    assert spool.depth() == spool.Depth(0, 0, 0, 0)


def test_the_log_names_the_kind_of_error_and_nothing_it_said(world: World, caplog: pytest.LogCaptureFixture) -> None:
    hooks.find(world.north.hotline.hook_token)
    with connection.execute_wrapper(FailAt(1, OperationalError)):
        assert deliver(world.north, message_fields(world.north.hotline)) == 200
    lines = [record.getMessage() for record in caplog.records if record.name == "paravent.webhook"]
    assert lines == ["database does not answer: OperationalError without a code"]
    assert "33639980123" not in caplog.text


def test_after_one_failure_the_database_is_not_asked_again_until_it_answers(world: World) -> None:
    """Else each of the few threads would wait out its own time-out, and answer nobody else."""
    hooks.find(world.north.hotline.hook_token)
    fault = FailAt(1, OperationalError)
    with connection.execute_wrapper(fault):
        for number in range(5):
            fields = message_fields(world.north.hotline, sender=f"3363998010{number}")
            assert deliver(world.north, fields) == 200
    assert (fault.seen, len(kept()), count().get("Message", 0)) == (1, 5, 0)
    asked = message_fields(world.north.hotline)
    assert deliver(world.north, asked) == 200  # it would answer, but nobody has asked it: the order is kept
    assert drain.run() == 6
    assert list(Message.objects.order_by("pk").values_list("provider_id", flat=True))[-1] == asked["MessageUUID"]
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    assert (count()["Message"], spool.depth().bytes) == (7, 0)


def test_a_process_that_starts_in_an_outage_proves_requests_by_what_was_known_last(world: World) -> None:
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    hooks._clear()  # a new process remembers nothing
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    with connection.execute_wrapper(FailAt(1, OperationalError)):
        assert deliver(world.north, fields) == 200
        assert post(path, fields, headers_of(path, fields, "forged")) == 403
        assert deliver(world.south, message_fields(world.south.hotline)) == 503  # of this one nothing was known
    assert drain.run() == 1
    assert Message.objects.filter(provider_id=fields["MessageUUID"]).count() == 1


def test_a_token_that_was_changed_is_forgotten_on_disk_too(world: World) -> None:
    hotline = world.north.hotline
    assert deliver(world.north, message_fields(hotline)) == 200
    old = hotline.hook_token
    hotline.hook_token = new_hook_token()
    hotline.save()
    last_known.forget()  # the process was started again since it wrote the file
    assert hooks.find(old) is None
    hooks._clear()
    outage.noticed(OperationalError())
    with pytest.raises(outage.Presumed):
        hooks.find(old)


def test_where_the_disk_fails_too_the_provider_is_told_to_come_again(world: World, settings: Any) -> None:
    hooks.find(world.north.hotline.hook_token)
    settings.SPOOL_MEGABYTES = 0
    fields = message_fields(world.north.hotline)
    with connection.execute_wrapper(FailAt(1, OperationalError)):
        assert deliver(world.north, fields) == 503
    outage.over()
    assert deliver(world.north, fields) == 200
    assert Message.objects.filter(provider_id=fields["MessageUUID"]).count() == 1


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
def test_a_message_waits_on_disk_for_a_locked_sqlite_database(world: World, on_file: Path, seen_before: bool) -> None:
    if seen_before:  # else the first thing to be written is the pin
        assert deliver(world.north, message_fields(world.north.hotline)) == 200
    fields = message_fields(world.north.hotline)
    before = rows()
    other = sqlite3.connect(on_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert deliver(world.north, fields) == 200
    assert (rows(), len(kept())) == (before, 1)  # readers go on in WAL mode
    assert drain.run() == 0
    other.execute("ROLLBACK")
    other.close()
    assert drain.run() == 1
    assert deliver(world.north, fields) == 200
    assert deliver(world.north, fields) == 200
    assert Message.objects.filter(provider_id=fields["MessageUUID"]).count() == 1
    assert EndpointPin.objects.count() == 1


@ON_POSTGRESQL
def test_a_message_waits_on_disk_for_a_locked_row_and_others_do_not(world: World) -> None:
    """`lock_timeout` ends the wait before a provider gives up; the row of this sender alone is waited for."""
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    fields = message_fields(world.north.hotline)
    parameters = connection.get_connection_params()
    known = {name: parameters[name] for name in ("host", "port", "user", "dbname") if name in parameters}
    with psycopg.connect(**known) as other:
        other.execute("SELECT 1 FROM conversations_conversation FOR UPDATE")
        assert deliver(world.north, fields) == 200
        assert deliver(world.north, message_fields(world.north.hotline, sender="33639980199")) == 200
        assert (len(kept()), count()["Message"]) == (1, 2)
        assert drain.run() == 0
        other.rollback()
    assert drain.run() == 1
    assert deliver(world.north, fields) == 200
    assert Message.objects.filter(provider_id=fields["MessageUUID"]).count() == 1


@ON_POSTGRESQL
def test_a_message_that_always_loses_lets_others_go_first_and_a_full_disk_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that holds one sender's row for long must not keep all others waiting; a full disk keeps everybody."""
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    stuck, free = message_fields(world.north.hotline), message_fields(world.north.hotline, sender="33639980199")
    with connection.execute_wrapper(FailAt(1, OperationalError)):
        assert [deliver(world.north, stuck), deliver(world.north, free)] == [200, 200]
    monkeypatch.setattr(drain, "_MOST_TRIES", 3)
    with connection.execute_wrapper(_Always(psycopg.errors.DiskFull())):
        assert [drain.run() for _ in range(9)] == [0] * 9
    assert len(kept()) == 2
    parameters = connection.get_connection_params()
    known = {name: parameters[name] for name in ("host", "port", "user", "dbname") if name in parameters}
    with psycopg.connect(**known) as other:
        other.execute("SELECT 1 FROM conversations_conversation FOR UPDATE")
        assert [drain.run() for _ in range(3)] == [0, 0, 2]
        assert (count()["Message"], spool.depth().segments) == (2, 1)
        other.rollback()
    spool.current().retry("retry")
    assert drain.run() == 1
    assert set(Message.objects.values_list("provider_id", flat=True)) >= {stuck["MessageUUID"], free["MessageUUID"]}


class _Always:
    """Fails every INSERT and UPDATE as the server would."""

    def __init__(self, cause: psycopg.Error) -> None:
        self.cause = cause

    def __call__(self, execute: Callable[..., Any], statement: str, *more: Any) -> Any:
        if "INSERT" in statement or "UPDATE" in statement:
            raise OperationalError from self.cause
        return execute(statement, *more)


def test_a_full_disk_refuses_nobody_once_the_database_is_back(world: World, settings: Any) -> None:
    """What waits is still being worked off, and there is no room behind it: better out of order than refused."""
    first, second = message_fields(world.north.hotline), message_fields(world.north.hotline, sender="33639980199")
    hooks.find(world.north.hotline.hook_token)
    with connection.execute_wrapper(FailAt(1, OperationalError)):
        assert deliver(world.north, first) == 200
    assert len(kept()) == 1
    settings.SPOOL_MEGABYTES = 0
    assert deliver(world.north, second) == 503
    assert drain._database_answers()
    assert deliver(world.north, second) == 200
    assert list(Message.objects.values_list("provider_id", flat=True)) == [second["MessageUUID"]]
    assert outage.lasts() is not None
    assert drain.run() == 1
    assert Message.objects.count() == 2
