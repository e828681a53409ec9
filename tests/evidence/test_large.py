"""An export of many messages is complete and holds.

`PARAVENT_TEST_RECORDS=100000 pytest -s tests/evidence/test_large.py`
measures it (SECURITY.md 4.7: exported within 60 s, verified within 30 s); without it a few hundred do."""

from __future__ import annotations

import copy
import os
import sys
import time
import uuid
import zipfile
from pathlib import Path
from typing import Any, TypeVar

from django.db.models import Model
from django.utils import timezone
from tests.evidence.test_chain import checked
from tests.evidence.test_dossiers import changed
from tests.shield.crowd import stranger
from tests.world import World
from tests.writing import write

from conversations.models import Conversation, Message, Reply
from evidence import bundle, chaining, subjects
from privacy import datakeys, vault
from shield.words import Level

Row = TypeVar("Row", bound=Model)
RECORDS = int(os.environ.get("PARAVENT_TEST_RECORDS", "300"))
#: Messages of each participant.
EACH = 5


def test_every_message_of_a_raid_is_exported_and_proved(world: World, tmp_path: Path) -> None:
    change = changed(world, timezone.now(), Level.NORMAL, Level.RAID)
    fill(write(world.north, "Je sais où tu habites", sender=stranger(0)))
    seconds = Clock()
    assert chaining.link_all() == RECORDS
    seconds.told("linked")
    with (tmp_path / "export.zip").open("w+b") as file:
        bundle.write(subjects.of_raid(change), file)
        seconds.told("exported")
        zipfile.ZipFile(file).extractall(tmp_path / "export")
    seconds.told("unpacked")
    status, said = checked(tmp_path / "export")
    seconds.told("verified")
    assert status == 0
    assert f"{RECORDS} records, 0 of them erased" in said
    assert f"{RECORDS // EACH} participants" in said


class Clock:
    def __init__(self) -> None:
        self.since = time.monotonic()

    def told(self, what: str) -> None:
        sys.stdout.write(f"\n{what}: {time.monotonic() - self.since:.1f} s")
        self.since = time.monotonic()


def fill(message: Message) -> None:
    """As many messages as there shall be, by senders who are all of one group, made of this first one."""
    first = Reply.objects.get(message=message)
    conversation = message.conversation
    assert conversation is not None
    Reply.objects.update(suspicion="t1")
    senders = [of_another(conversation, number) for number in range(1, RECORDS // EACH)]
    Conversation.objects.bulk_create(senders, batch_size=500)
    everybody = [conversation, *senders]
    messages = [copied(message, everybody[number % len(everybody)], number) for number in range(1, RECORDS)]
    Message.objects.bulk_create(messages, batch_size=500)
    begun = [
        changed_copy(first, conversation=its, message=messages[number], suspicion="t1")
        for number, its in enumerate(senders)
    ]
    Reply.objects.bulk_create(begun, batch_size=500)


def changed_copy(row: Row, **changes: Any) -> Row:
    made = copy.copy(row)
    for name, value in {"pk": None, "uuid": uuid.uuid4(), **changes}.items():
        setattr(made, name, value)
    return made


def of_another(conversation: Conversation, number: int) -> Conversation:
    made = changed_copy(conversation, sender_key=number.to_bytes(16, "big"))
    place = vault.Place("conversations_conversation", made.uuid, "sender_sealed", made.organization_id)
    sender = f"number:+{stranger(number)}"
    made.sender_sealed = vault.seal(sender, place, datakeys.Purpose.NUMBER, datakeys.month(made.last_message_at))
    return made


def copied(message: Message, conversation: Conversation, number: int) -> Message:
    made = changed_copy(message, conversation=conversation, provider_id=f"id-{number}", nonce_hash=None)
    place = vault.Place("conversations_message", made.uuid, "text_sealed", made.organization_id)
    text = f"Je sais où tu habites, et le {number} aussi"
    made.text_sealed = vault.seal(text, place, datakeys.Purpose.TEXT, datakeys.month(made.received_at))
    return made
