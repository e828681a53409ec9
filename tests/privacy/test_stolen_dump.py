"""A copy of the database without the master key tells no number and no text (SECURITY.md I5, DESIGN.md invariant 8)."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from tests.signing import post_message
from tests.world import World, build_world, message_fields

from conversations.models import Message, Reply
from hotlines.models import Account
from inbox import hooks, parts
from inbox.models import MessagePart
from outbox import sweeps
from providers.base import InboundMessage, Part, Verification

#: `make faults` plants 10,000 (SECURITY.md I5).
PLANTED = 9_990 if os.environ.get("PARAVENT_TEST_FAULTS") else 200
_HEAD = 8


def spellings(value: str) -> Iterator[bytes]:
    """How a value might lie in a dump: as it is, by its number's other ways of writing, encoded, reversed, hashed."""
    forms = {value, value[::-1]}
    if value.isdigit():
        forms |= {f"+{value}", f"0{value[2:]}", f"00{value}", value[2:]}
    for form in forms:
        raw = form.encode()
        yield raw
        yield raw.hex().encode()
        yield form.encode("utf-16-le")
        # Base64 of a value inside something longer has three faces; their middles are what all of them share.
        for shift in range(3):
            yield base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4]
        for algorithm in ("md5", "sha1", "sha256"):
            digest = hashlib.new(algorithm, raw)
            yield digest.digest()
            yield digest.hexdigest().encode()


def found_in(stolen: bytes, values: Iterable[str]) -> set[bytes]:
    """Which spellings of these values lie in `stolen`: one walk through it, however many they are."""
    by_head: dict[bytes, list[bytes]] = {}
    for form in (form for value in values for form in spellings(value) if len(form) >= _HEAD):
        by_head.setdefault(form[:_HEAD], []).append(form)
    return {
        form
        for position in range(len(stolen))
        for form in by_head.get(stolen[position : position + _HEAD], ())
        if stolen.startswith(form, position)
    }


def dump(tmp_path: Path) -> bytes:
    """Everything the database holds, as its own program or its own file gives it away."""
    if connection.vendor == "postgresql":
        program = shutil.which("pg_dump")
        if program is None:
            pytest.skip("needs pg_dump")
        settings = connection.settings_dict
        where = {"-h": settings["HOST"] or "/tmp", "-p": settings["PORT"], "-U": settings["USER"]}
        command = [program, *(part for flag, value in where.items() if value for part in (flag, str(value)))]
        done = subprocess.run([*command, settings["NAME"]], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"pg_dump cannot reach the server: {done.stderr.decode().strip()[:100]}")
        return done.stdout
    copy = tmp_path / "stolen.sqlite3"
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(copy)])
    return copy.read_bytes()


@pytest.fixture
def planted(transactional_db: None) -> tuple[World, list[str]]:
    """A world in which everything that holds personal data was used, and the values that nobody may find."""
    world = build_world()
    numbers = [f"3363998{n:04}" for n in secrets.SystemRandom().sample(range(10_000), PLANTED)]
    texts = [f"canari{secrets.token_hex(8)}" for _ in numbers]
    for number, text in zip(numbers, texts, strict=True):
        fields = message_fields(world.north.hotline, text, number)
        assert post_message(world.north.hotline, fields, world.north.token).status_code == 200
    while sweeps.release_replies():
        pass
    template = world.north.hotline.reply_templates.get(language="fr").text
    assert Reply.objects.filter(state="released").count() == PLANTED
    assert {reply.text for reply in Reply.objects.all()[:3]} == {template}
    waiting = ("33639979999", f"canari{secrets.token_hex(8)}")
    hook = hooks.of_hotline(world.north.hotline.pk)
    assert hook is not None
    half = InboundMessage(str(uuid.uuid4()), waiting[0], None, waiting[1], timezone.now(), part=Part("1", 1, 2))
    parts.take(hook, half, Part("1", 1, 2), Verification("sha256"))
    assert MessagePart.objects.filter(content_sealed__isnull=False).count() == 1
    return world, [*numbers, *texts, *waiting, world.north.token, world.south.token]


def test_a_dump_tells_no_number_no_text_and_no_secret(planted: tuple[World, list[str]], tmp_path: Path) -> None:
    world, values = planted
    stolen = dump(tmp_path)
    # What may be read is read: the search looks at the right thing.
    assert world.north.hotline.number.encode() in stolen
    assert Message.objects.filter(text_sealed__isnull=False).count() == PLANTED
    assert found_in(stolen, values) == set()


def test_the_search_finds_what_lies_open(planted: tuple[World, list[str]], tmp_path: Path) -> None:
    """The same search finds one number in a reason and one text in a label, so it would find them anywhere."""
    world, values = planted
    Message.objects.filter(pk=Message.objects.first().pk).update(reason=f"from +{values[0]}")  # type: ignore[union-attr]
    Account.objects.filter(pk=world.north.account.pk).update(label=values[PLANTED].encode().hex())
    stolen = dump(tmp_path)
    assert found_in(stolen, values[:1])
    assert found_in(stolen, values[PLANTED : PLANTED + 1])
