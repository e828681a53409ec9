"""After an erasure nothing of that sender is left anywhere, and everything of all others is (SECURITY.md 4.4, I8)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from tests import migrated
from tests.privacy.test_stolen_dump import dump, found_in
from tests.processes import production, python
from tests.signing import post_message
from tests.world import World, build_world, message_fields

from conversations.models import Conversation, Message, Reply
from outbox import sweeps
from rights import erasing, proving
from rights.models import DataRequest

#: `make faults` takes 1,000.
MANY = 1_000 if os.environ.get("PARAVENT_TEST_FAULTS") else 40


@pytest.fixture
def senders(transactional_db: None) -> tuple[World, dict[str, str]]:
    """A text of each of many senders, with its reply ready."""
    world = build_world()
    numbers = [f"3363997{n:04}" for n in secrets.SystemRandom().sample(range(10_000), MANY)]
    texts = {number: f"canari{secrets.token_hex(8)}" for number in numbers}
    for number, text in texts.items():
        fields = message_fields(world.north.hotline, text, number)
        assert post_message(world.north.hotline, fields, world.north.token).status_code == 200
    while sweeps.release_replies():
        pass
    return world, texts


def counts(world: World) -> list[Any]:
    """What statistics are made of."""
    rows = Conversation.objects.order_by("pk").values_list("messages_received", "slots_used", "first_message_at")
    return [*rows, Message.objects.filter(hotline=world.north.hotline).count(), Reply.objects.count()]


def test_of_one_sender_nothing_is_left_and_of_all_others_everything(
    senders: tuple[World, dict[str, str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world, texts = senders
    caplog.set_level("DEBUG")
    number, text = next(iter(texts.items()))
    now, organization = timezone.now(), world.north.organization
    (his,) = proving.conversations_of(organization.pk, f"number:+{number}", now)
    conversation = Conversation.objects.get(pk=his)
    message, reply = Message.objects.get(conversation=his), Reply.objects.get(conversation=his)
    sealed = [bytes(value) for value in (conversation.sender_sealed, message.text_sealed, reply.text_sealed) if value]
    assert len(sealed) == 3
    before = counts(world)
    asked = DataRequest.objects.create(
        organization=organization,
        channel=DataRequest.Channel.LETTER,
        reference="1",
        created_at=now,
        proven_at=now,
        conversations=[his],
    )
    erasing.wish(asked, now)
    assert erasing.erase_on_request(now + erasing.ERASED_AFTER) == 1
    spool = b"".join(path.read_bytes() for path in Path(settings.SPOOL_DIR).glob("*") if path.is_file())
    everywhere = dump(tmp_path) + spool + caplog.text.encode()
    assert found_in(everywhere, [number, text]) == set()
    assert not any(value in everywhere or value.hex().encode() in everywhere for value in sealed)
    left = {row.sender: Message.objects.get(conversation=row).text for row in Conversation.objects.exclude(pk=his)}
    assert left == {f"number:+{other}": its for other, its in texts.items() if other != number}
    assert counts(world) == before


_FILE = """
import datetime, django
django.setup()
from django.db import connection
from django.utils import timezone
from tests.world import build_world
from conversations import retention
from conversations.models import Conversation, Message, Reply
from inbox import hooks, receive
from providers.base import InboundMessage, Verification
world, now = build_world(), timezone.now()
hook = hooks.of_hotline(world.north.hotline.pk)
for i in range(30):
    receive.receive(hook, InboundMessage(f"id-{i}", f"3363998{i:04}", None, "x" * 300, now), Verification("v3", str(i)))
sealed = [bytes(value) for row in Message.objects.all() for value in [row.text_sealed]]
sealed += [bytes(row.sender_sealed) for row in Conversation.objects.all()]
path = connection.settings_dict["NAME"]
def lies(): return sum(value in open(path, "rb").read() + open(f"{path}-wal", "rb").read() for value in sealed)
Reply.objects.update(state="expired", finished_at=now)
before = lies()
retention.erase_due(now + datetime.timedelta(days=31))
print(before, len(sealed), lies())
"""


def test_what_is_erased_is_not_in_sqlites_file_either(tmp_path: Path) -> None:
    """Not in a page that is free, and not in the journal."""
    environment = production(f"sqlite:///{tmp_path}/paravent.sqlite3", tmp_path)
    migrated.migrate(environment)
    assert python(environment, "-c", _FILE).split() == ["60", "60", "0"]
