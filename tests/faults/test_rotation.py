"""`manage.py keys reencrypt`, killed again and again: no value is lost, no counter changes, it ends (SECURITY.md 4.2).

3,000 messages; `make faults` takes 100,000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests import migrated, services
from tests.processes import ROOT, manage, production, python

pytestmark = [pytest.mark.processes]

MANY = 100_000 if os.environ.get("PARAVENT_TEST_FAULTS") else 1_500

_SEED = f"""
import django
django.setup()
from django.db import transaction
from django.utils import timezone
from tests.world import build_world
from conversations.models import Conversation, Message
from conversations.words import Disposition
from inbox import rows
from privacy import datakeys
import uuid
now = timezone.now()
world = build_world()
with transaction.atomic():
    for tenant in (world.north, world.south):
        place = dict(organization=tenant.organization, hotline=tenant.hotline)
        talks = [
            Conversation(**place, uuid=uuid.uuid4(), sender_key=bytes(12) + i.to_bytes(4, "big"), key_epoch="2026-H2",
                messages_received=4, slots_used=4, first_message_at=now, last_message_at=now, episode_started_at=now)
            for i in range({MANY} // 20)
        ]
        for talk in talks:
            sender = f"number:+3361{{talk.sender_key.hex()}}"
            talk.sender_sealed = rows.vault.seal(sender, talk.place, "number", "2026-11")
        Conversation.objects.bulk_create(talks, batch_size=1000)
        for begin in range(0, {MANY} // 2, 1000):
            messages = [
                Message(**place, account=tenant.account, conversation=talks[i % len(talks)], channel="sms",
                    provider_id=f"id-{{i}}", disposition=Disposition.ANSWERED, received_at=now)
                for i in range(begin, begin + min(1000, {MANY} // 2 - begin))
            ]
            for message in messages:
                text = f"text {{message.provider_id}}"
                message.text_sealed = rows.vault.seal(text, message.place, "text", "2026-11")
            Message.objects.bulk_create(messages)
"""

#: What is there, without what changes when it is sealed anew; then how many keys are retired, and what is under them.
_STATE = """
import django, hashlib, json
django.setup()
from conversations.models import Conversation, Message
from hotlines.models import Account
from privacy import columns
from privacy.models import DataKey
digest = hashlib.sha256()
for message in Message.objects.order_by("pk").iterator():
    digest.update(f"{message.pk} {message.text} {message.provider_id}|".encode())
counters = "sender_key", "key_epoch", "slots_used", "messages_received", "episode"
for talk in Conversation.objects.order_by("pk").iterator():
    digest.update(f"{talk.sender} {[getattr(talk, name) for name in counters]}|".encode())
for account in Account.objects.order_by("pk"):
    digest.update(json.dumps(account.credentials, sort_keys=True).encode())
retired = [*DataKey.objects.exclude(retired_at=None).values_list("pk", flat=True)]
left = sum((column.under(retired) if retired else column.rows()).count() for column in columns.all_columns())
print(json.dumps([f"{Message.objects.count()} {digest.hexdigest()}", len(retired), left]))
"""

_FINISH = """
import datetime, django
django.setup()
from django.utils import timezone
from privacy import rotation
print(rotation.finish(timezone.now() + 2 * rotation.GRACE))
"""


def _killed_after(environment: Mapping[str, str], lines: int) -> bool:
    """Run it and kill it once it has printed so many lines; whether it had not ended by itself before."""
    command = [sys.executable, str(ROOT / "manage.py"), "keys", "reencrypt"]
    running = subprocess.Popen(
        command,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout is not None
    said = [running.stdout.readline() for _ in range(lines)]
    running.kill()
    running.communicate()
    assert not any("Error" in line for line in said), said
    return running.returncode == -9


def _state(environment: Mapping[str, str]) -> tuple[str, int, int]:
    content, retired, left = json.loads(python(environment, "-c", _STATE))
    return content, retired, left


def _exchanged_under_kills(environment: Mapping[str, str]) -> None:
    python(environment, "-c", _SEED)
    before, _none, left = _state(environment)
    assert before.startswith(f"{MANY} ")
    for lines in (2, 4):
        assert _killed_after(environment, lines)
        content, retired, remaining = _state(environment)
        assert content == before
        assert 0 < remaining < left
        left = remaining
    assert f"{retired} keys are retired already" in manage(environment, "keys", "reencrypt")
    assert _state(environment) == (before, retired, 0)
    assert int(python(environment, "-c", _FINISH)) == retired
    assert _state(environment)[:2] == (before, 0)


@pytest.mark.proof
def test_every_value_outlives_the_kills_on_sqlite(tmp_path: Path) -> None:
    environment = production(f"sqlite:///{tmp_path}/paravent.sqlite3", tmp_path)
    migrated.migrate(environment)
    _exchanged_under_kills(environment)


@pytest.mark.proof
def test_every_value_outlives_the_kills_on_postgresql(postgresql_server: services.PostgreSQL, tmp_path: Path) -> None:
    environment = production(postgresql_server.create_database(tmp_path.name), tmp_path)
    migrated.migrate(environment)
    _exchanged_under_kills(environment)
