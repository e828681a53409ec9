"""`manage.py health`: well when all is well, and for each thing that can be wrong a line that says so."""

from __future__ import annotations

import datetime
import errno
import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone
from tests.services import free_port
from tests.world import SENDER, Tenant, World

from config import health
from conversations.models import Conversation, Message, Reply
from inbox import spool
from outbox.models import SweepTurn
from privacy import datakeys, vault

SECOND = datetime.timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _a_spool(settings: Any) -> None:
    settings.SPOOL_DIR.mkdir()


def finding(name: str) -> health.Finding:
    return health.ask([name], port=0)[0]


def reply(tenant: Tenant, number: int = 1, *, state: str = "pending", age: int = 0, **values: Any) -> Reply:
    """A reply of `tenant`, due `age` seconds ago, in a conversation of its own."""
    now = timezone.now()
    common = {"organization": tenant.organization, "hotline": tenant.hotline}
    conversation, _ = Conversation.objects.get_or_create(
        **common,
        sender_key=number.to_bytes(16, "big"),
        defaults={
            "key_epoch": "2026a",
            "messages_received": 5,
            "first_message_at": now,
            "last_message_at": now,
            "episode_started_at": now,
        },
    )
    if not conversation.sender_sealed:
        conversation.sender_sealed = vault.seal(
            SENDER, conversation.place, datakeys.Purpose.NUMBER, datakeys.month(now)
        )
        conversation.save()
    slot = conversation.replies.count() + 1
    message = Message.objects.create(
        **common,
        account=tenant.account,
        conversation=conversation,
        provider_id=str(uuid.uuid4()),
        disposition="answered",
        received_at=now,
    )
    return Reply.objects.create(
        **common,
        **{
            "conversation": conversation,
            "message": message,
            "episode": 1,
            "slot": slot,
            "purpose": "reply",
            "state": state,
            "decided_at": now - age * SECOND,
            "due_at": now - age * SECOND,
            "expires_at": now + datetime.timedelta(days=1),
            "text_sealed": b"sealed",
            **values,
        },
    )


def claimed(age: int) -> dict[str, Any]:
    return {"claimed_at": timezone.now() - age * SECOND, "claim_token": uuid.uuid4()}


def test_all_is_well_where_nothing_is_wrong(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("health")
    said = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert said == [["ok", name] for name in health.NAMES if name != "web"]


def test_json_says_the_same_and_exit_code_is_one_where_something_is_wrong(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    reply(world.north, age=1000)
    with pytest.raises(CommandError, match=r"^not well: replies$") as refusal:
        call_command("health", "--json")
    assert refusal.value.returncode == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], [name for name, check in told["checks"].items() if not check["ok"]]) == (False, ["replies"])
    assert told["checks"]["replies"]["due"] == 1
    assert told["checks"]["replies"]["oldest_seconds"] >= 1000


def test_only_what_is_asked_for_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("health", "--only", "spool", "cache")  # without the fixture `db` a query would raise
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["cache", "spool"]


def test_it_tells_no_sender_no_name_and_no_row(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    reply(world.north, 1, state="unknown", age=900, **claimed(900))
    reply(world.south, 2, age=1000)
    with pytest.raises(CommandError):
        call_command("health", "--json")
    told = capsys.readouterr().out
    secrets = [SENDER, SENDER[-9:], "North", "South", world.north.hotline.number, "alerts@"]
    assert [secret for secret in secrets if secret in told] == []


# --- the database ---------------------------------------------------------------------------------------------------
def test_a_database_that_does_not_answer_is_asked_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def gone() -> None:
        asked.append(1)
        raise OperationalError("connection to 192.0.2.1 failed")

    with monkeypatch.context() as patched:
        patched.setattr(connection, "cursor", gone)
        findings = health.ask([name for name in health.NAMES if name != "web"], port=0)
    assert {found.name for found in findings if not found.ok} == set(health.OF_DATABASE)
    assert [found.says for found in findings if "192.0.2.1" in found.says] == []
    assert len(asked) == 1


def test_a_migration_that_is_missing_is_counted(db: None) -> None:
    assert finding("migrations").ok
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'providers'")
    found = finding("migrations")
    assert not found.ok
    assert "manage.py migrate" in found.says


def test_a_cache_that_does_not_answer_is_said_without_its_password(settings: Any) -> None:
    settings.REDIS_URL = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
    settings.CACHES = {
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": settings.REDIS_URL},
        "limits": settings.CACHES["limits"],
    }
    found = finding("cache")
    assert not found.ok
    assert "hunter2" not in found.says


# --- the spool ------------------------------------------------------------------------------------------------------
def test_what_waits_on_disk_is_said_and_is_wrong_once_it_waits_for_long() -> None:
    assert finding("spool").says == "writable, nothing waits"
    spool.current().append(b"a message")
    found = finding("spool")
    assert found.ok
    assert found.values["waiting_bytes"] == spool.depth().bytes > 0
    (segment,) = spool.current().segments()
    long_ago = time.time() - health.STUCK_AFTER - 60
    os.utime(segment, (long_ago, long_ago))
    assert not finding("spool").ok


@pytest.mark.parametrize("kind", ["failed", "corrupt"])
def test_what_was_set_aside_needs_a_person(settings: Any, kind: str) -> None:
    assert finding("spool").ok
    (settings.SPOOL_DIR / f"1.{kind}").write_bytes(b"x")
    found = finding("spool")
    assert (found.ok, found.values[kind]) == (False, 1)


def test_a_spool_that_cannot_be_written_is_said(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_what: Any) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "fsync", refuses)
    assert finding("spool") == health.Finding("spool", ok=False, says="cannot be written: Read-only file system")
    settings.SPOOL_DIR = tmp_path / "nowhere"
    assert finding("spool").ok is False
    assert not settings.SPOOL_DIR.exists()


# --- replies --------------------------------------------------------------------------------------------------------
def test_a_reply_that_nobody_sends_is_wrong_after_five_minutes(world: World) -> None:
    reply(world.north, 1, age=health.STUCK_AFTER - 60)
    assert finding("replies").ok
    reply(world.south, 2, state="released", age=health.STUCK_AFTER + 60)
    found = finding("replies")
    assert (found.ok, found.values["due"]) == (False, 2)


HELD: dict[str, Callable[[datetime.datetime], dict[str, Any]]] = {
    "paused by a person": lambda now: {"sending_paused_at": now, "sending_paused_reason": "no credit"},
    "asked to wait": lambda now: {"resume_sending_at": now + 3600 * SECOND},
    "provider silent": lambda now: {
        "next_attempt_at": now + 60 * SECOND,
        "unanswered_since": now,
        "attempt_wait": 60,
        "unanswered": 5,
    },
}


@pytest.mark.parametrize("why", HELD)
def test_a_reply_that_its_account_holds_back_is_not_late(world: World, why: str) -> None:
    reply(world.north, age=1000)
    type(world.north.account).objects.filter(pk=world.north.account.pk).update(**HELD[why](timezone.now()))
    assert finding("replies").ok
    assert finding("providers").values["silent" if why == "provider silent" else "paused"] == 1


def test_a_reply_behind_one_of_unknown_outcome_is_not_late(world: World) -> None:
    reply(world.north, 1, state="unknown", age=1000, **claimed(1000))
    reply(world.north, 1, age=1000)
    assert finding("replies").ok
    assert finding("outcomes").values["unknown"] == 1
    reply(world.north, 2, age=1000)
    assert not finding("replies").ok


def test_a_claim_that_nobody_ends_is_wrong(world: World, settings: Any) -> None:
    reply(world.north, 1, state="claimed", **claimed(settings.CLAIM_LEASE + health.STUCK_AFTER - 60))
    assert finding("outcomes").ok
    reply(world.north, 2, state="claimed", **claimed(settings.CLAIM_LEASE + health.STUCK_AFTER + 60))
    assert finding("outcomes").values["claims_never_ended"] == 1
    assert not finding("outcomes").ok


def test_replies_unknown_for_good_are_counted_for_a_day(world: World) -> None:
    now = timezone.now()
    for number, days in ((1, 0), (2, 2)):
        reply(world.north, number, state="unknown_final", finished_at=now - datetime.timedelta(days=days))
    assert finding("outcomes").values["unknown_final_last_day"] == 1


# --- sweeps and the web process -------------------------------------------------------------------------------------
@pytest.mark.parametrize(("late", "well"), [(0, True), (50, True), (300, False)])
def test_a_sweep_that_lost_its_turn_is_wrong_after_a_while(db: None, late: int, *, well: bool) -> None:
    SweepTurn.objects.create(name="keep_promises", free_at=timezone.now() + (30 - late) * SECOND)
    found = finding("sweeps")
    assert found.ok is well
    assert ("keep_promises" in found.says) is not well


def test_a_web_process_that_does_not_listen_is_said() -> None:
    port = free_port()
    found = health.ask(["web"], port=port)[0]
    assert (found.ok, found.says) == (False, f"nothing answers on port {port}: ConnectionRefusedError")


def test_a_web_process_is_asked_for_what_needs_no_database(client: Any) -> None:
    assert client.get(health.NO_DATABASE).status_code == 302  # without the fixture `db` a query would raise
