"""Other keys for what is stored: nothing is lost, no sender begins anew, and what was destroyed is gone."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.utils import timezone
from tests.world import World
from tests.writing import write

from conversations.models import Conversation, Message, Reply
from conversations.words import Disposition
from outbox import sweeps
from privacy import columns, datakeys, keys, peppers, rotation, vault
from privacy.datakeys import Purpose
from privacy.models import DataKey

HOUR = datetime.timedelta(hours=1)


def opened() -> dict[str, list[str]]:
    """Everything that is sealed, in plain, by column."""
    return {
        str(column): [vault.unseal(v.sealed, v.place) for page in column.values(column.rows(), 3) for v in page]
        for column in columns.all_columns()
    }


@pytest.fixture
def filled(world: World) -> World:
    """Messages and replies of both organizations, and their accounts' credentials."""
    for tenant in (world.north, world.south):
        for number in range(5):
            write(tenant, sender=f"3361234560{number}")
    sweeps.release_replies()
    sealed = opened()
    names = ("conversation.sender_sealed", "message.text_sealed", "reply.text_sealed")
    assert [len(sealed[f"conversations_{name}"]) for name in names] == [10, 10, 10]
    return world


def test_every_binary_column_that_holds_a_sealed_value_is_known() -> None:
    """Whoever adds one under another name would leave it out of every rotation: then it stands in neither list."""
    plain = {
        *("sender_key", "nonce_hash", "body_fingerprint", "group", "wrapped", "phone_key", "identity"),
        "content",  # of a recording, which callers hear
        *(
            "provider_hash",
            "sender_commit",
            "commit",
            "chain",
            "value",
            "signature",
            "stamp",
            "code_digest",
            "page_digest",
        ),
    }
    found = {
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, models.BinaryField) and field.name not in plain
    }
    assert found == {(column.model, column.name) for column in columns.all_columns()}
    assert len(found) >= 7


# --- master keys ----------------------------------------------------------------------------------------------------
def test_a_new_master_key_opens_everything_and_the_old_one_nothing(filled: World, settings: Any) -> None:
    before, old = opened(), settings.MASTER_KEYS
    peppers.digest("x", timezone.now().date())
    settings.MASTER_KEYS = keys.generate() + "\n" + old
    older = keys.configured()[1].id
    assert rotation.wrapped_by(older) > 5
    outcome = rotation.rewrap()
    assert (outcome.done > 5, outcome.unreadable, rotation.wrapped_by(older)) == (True, 0, 0)
    settings.MASTER_KEYS = settings.MASTER_KEYS.split()[0]
    datakeys.forget()
    peppers.forget()
    assert opened() == before
    settings.MASTER_KEYS = old
    datakeys.forget()
    assert len(datakeys.missing_master_keys()) == 1


def test_a_rewrap_that_was_stopped_goes_on_where_it_was(
    filled: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = opened()
    settings.MASTER_KEYS = keys.generate() + "\n" + settings.MASTER_KEYS
    total, wrapped = rotation.wrapped_by(keys.configured()[1].id), []

    class Stopped(Exception): ...

    class Dying:
        def __init__(self, secret: bytes) -> None:
            self.real = AESGCM(secret)
            self.decrypt = self.real.decrypt

        def encrypt(self, *arguments: Any) -> bytes:
            if len(wrapped) == 2:
                raise Stopped
            wrapped.append(self.real.encrypt(*arguments))
            return wrapped[-1]

    monkeypatch.setattr(keys, "AESGCM", Dying)
    with pytest.raises(Stopped):
        rotation.rewrap()
    monkeypatch.undo()
    datakeys.forget()
    assert opened() == before
    assert rotation.rewrap().done == total - 2
    datakeys.forget()
    assert opened() == before


def test_a_key_that_no_configured_master_opens_is_left_and_told(filled: World, settings: Any, capsys: Any) -> None:
    total = rotation.wrapped_by(keys.current().id)
    settings.MASTER_KEYS = keys.generate()
    before = list(DataKey.objects.order_by("pk").values_list("wrapped", flat=True))
    with pytest.raises(CommandError, match=f"{total} keys were left as they are"):
        call_command("keys", "rewrap")
    assert list(DataKey.objects.order_by("pk").values_list("wrapped", flat=True)) == before


def test_a_master_key_is_dropped_only_when_nothing_needs_it(
    filled: World, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.SPOOL_DIR.mkdir()
    file = tmp_path / "master.key"
    settings.MASTER_KEYS = keys.generate() + "\n" + settings.MASTER_KEYS
    file.write_text(settings.MASTER_KEYS)
    file.chmod(0o640)
    monkeypatch.setenv("PARAVENT_MASTER_KEY_FILE", str(file))
    newest, older = keys.configured()
    for name, says in ((newest.id, "is the newest"), ("0" * 16, "No configured"), (older.id, "keys need")):
        with pytest.raises(CommandError, match=says):
            call_command("keys", "drop", name)
    rotation.rewrap()
    waiting = settings.SPOOL_DIR / "segment"
    waiting.write_bytes(b"\x00\x01" + bytes.fromhex(older.id) + b"rest")
    with pytest.raises(CommandError, match=r"wait in this host's spool need .*: segment"):
        call_command("keys", "drop", older.id)
    waiting.unlink()
    (settings.SPOOL_DIR / "a.known").write_bytes(b"\x01" + bytes.fromhex(older.id))
    assert file.read_text() == settings.MASTER_KEYS
    call_command("keys", "drop", older.id)
    assert file.read_text() == settings.MASTER_KEYS.split()[0] + "\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert "no longer holds" in capsys.readouterr().out
    monkeypatch.delenv("PARAVENT_MASTER_KEY_FILE")
    call_command("keys", "drop", older.id)
    assert "Take its line out of PARAVENT_MASTER_KEY yourself" in capsys.readouterr().out


# --- data keys ------------------------------------------------------------------------------------------------------
def test_everything_is_sealed_anew_and_the_old_keys_go(filled: World, capsys: Any) -> None:
    before, now = opened(), timezone.now()
    old = {*DataKey.objects.exclude(purpose=Purpose.PSEUDONYM).values_list("pk", flat=True)}
    call_command("keys", "reencrypt")
    assert opened() == before
    assert not any(column.under(old).exists() for column in columns.all_columns())
    assert rotation.finish(now) == 0  # a process may still write with one of them
    assert rotation.finish(now + 2 * HOUR) == len(old)
    assert not DataKey.objects.filter(pk__in=old).exists()
    datakeys.forget()
    assert opened() == before
    assert write(filled.north, sender="33612345600").disposition == Disposition.ANSWERED


def test_what_was_written_meanwhile_with_a_retired_key_is_found(filled: World) -> None:
    """A process that has not noticed yet: its row is sealed anew by the sweep, and never loses its key."""
    now = timezone.now()
    old = DataKey.objects.get(organization_id=filled.north.organization.pk, purpose=Purpose.TEXT)
    late = Message.objects.filter(organization=filled.north.organization).earliest("pk")
    written = bytes(late.text_sealed or b"")
    text = late.text
    rotation.retire([], [Purpose.TEXT], now)
    rotation.reencrypt()
    Message.objects.filter(pk=late.pk).update(text_sealed=written)
    late.refresh_from_db()
    assert late.text == text
    assert rotation.finish(now + 2 * HOUR) == 2
    assert not DataKey.objects.filter(pk=old.pk).exists()
    datakeys.forget()
    late.refresh_from_db()
    assert late.text == text


def test_an_erasure_while_a_row_is_sealed_anew_stands(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rotation.retire([], [Purpose.TEXT], timezone.now())
    original, sealed = vault.seal, []

    def erased_meanwhile(*arguments: Any) -> bytes:
        if not sealed:  # once, before any of them is written
            Message.objects.update(text_sealed=None)
        sealed.append(original(*arguments))
        return sealed[-1]

    monkeypatch.setattr(vault, "seal", erased_meanwhile)
    rotation.reencrypt()
    assert not Message.objects.filter(text_sealed__isnull=False).exists()


def test_a_value_that_does_not_open_is_told_and_keeps_its_key(filled: World, capsys: Any) -> None:
    first, second = Message.objects.filter(organization=filled.north.organization)[:2]
    Message.objects.filter(pk=first.pk).update(text_sealed=second.text_sealed)
    with pytest.raises(CommandError, match="1 values do not open and were left"):
        call_command("keys", "reencrypt", "--purpose", "text")
    with pytest.raises(CommandError, match="1 values do not open: altered, moved"):
        call_command("keys", "verify")
    assert "conversations_message.text_sealed: 9 open, 1 do not" in capsys.readouterr().out
    retired = rotation.retired()
    assert rotation.finish(timezone.now() + 2 * HOUR) == retired - 1


def test_begun_again_it_goes_on_and_retires_no_fresh_key(filled: World, capsys: Any) -> None:
    call_command("keys", "reencrypt")
    fresh = {*DataKey.objects.filter(retired_at=None).values_list("pk", flat=True)}
    call_command("keys", "reencrypt")
    assert "are retired already" in capsys.readouterr().out
    assert {*DataKey.objects.filter(retired_at=None).values_list("pk", flat=True)} == fresh


def test_one_organization_is_left_alone_by_anothers_new_keys(filled: World) -> None:
    north, south = filled.north.organization.pk, filled.south.organization.pk
    of_south = {*DataKey.objects.filter(organization_id=south).values_list("pk", flat=True)}
    call_command("keys", "reencrypt", "--organization", str(north))
    assert {*DataKey.objects.filter(organization_id=south, retired_at=None).values_list("pk", flat=True)} == of_south
    assert {*DataKey.objects.exclude(retired_at=None).values_list("organization_id", flat=True)} == {north}


def test_a_process_forgets_a_destroyed_key_within_a_minute(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message.objects.filter(organization=filled.north.organization).latest("pk")
    for _savepoints, remember, _robust in connection.run_on_commit:
        remember()
    connection.run_on_commit = []
    assert message.text
    DataKey.objects.filter(purpose=Purpose.TEXT).delete()
    assert message.text  # remembered still
    monkeypatch.setattr(datakeys, "REMEMBERED", datetime.timedelta(0))
    with pytest.raises(vault.Unreadable):
        _ = message.text


# --- epochs ---------------------------------------------------------------------------------------------------------
def test_a_new_epoch_gives_no_sender_a_second_set_of_replies(filled: World) -> None:
    """A sender with four of five replies gets one more, under another pseudonym (SECURITY.md 4.2)."""
    north = filled.north
    conversation = write(north, sender="33612345699").conversation
    assert conversation is not None
    Conversation.objects.filter(pk=conversation.pk).update(slots_used=4, messages_received=4)
    Reply.objects.filter(conversation=conversation).update(delayed=False)
    first = bytes(conversation.sender_key)
    epoch = conversation.key_epoch
    call_command("keys", "new-epoch")
    messages = [write(north, sender="33612345699") for _ in range(3)]
    assert [message.conversation_id for message in messages] == [conversation.pk] * 3
    conversation.refresh_from_db()
    assert (conversation.key_epoch, conversation.slots_used) == (f"{epoch}b", 5)
    assert bytes(conversation.sender_key) != first
    call_command("keys", "new-epoch")
    assert write(north, sender="33612345699").conversation_id == conversation.pk
    conversation.refresh_from_db()
    assert conversation.key_epoch == f"{epoch}c"


def test_the_next_half_year_knows_the_epoch_that_was_begun_early(filled: World) -> None:
    organization = filled.north.organization.pk
    now = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
    datakeys.for_writing(organization, Purpose.PSEUDONYM, "2026-H2")
    assert rotation.new_epoch([organization], now) == ["2026-H2b"]
    assert datakeys.before(organization, Purpose.PSEUDONYM, "2026-H2b") == "2026-H2"
    assert datakeys.before(organization, Purpose.PSEUDONYM, "2027-H1") == "2026-H2b"
    assert datakeys.before(organization, Purpose.PSEUDONYM, "2028-H1") == ""
    assert datakeys.latest(organization, Purpose.PSEUDONYM, "2027-H1") == "2027-H1"


def test_epochs_end_with_the_alphabet(filled: World) -> None:
    organization, now = filled.north.organization.pk, datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
    datakeys.for_writing(organization, Purpose.PSEUDONYM, "2026-H2z")
    with pytest.raises(rotation.Refused, match="as many epochs as there are letters"):
        rotation.new_epoch([organization], now)


# --- the end of a period --------------------------------------------------------------------------------------------
def test_a_destroyed_period_is_unreadable_and_the_rest_is_well(
    filled: World, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    period = datakeys.month(timezone.now())
    north = filled.north.organization
    monkeypatch.setattr("builtins.input", lambda _prompt: "no")
    with pytest.raises(CommandError, match="Nothing was destroyed"):
        call_command("keys", "destroy", period, "--purpose", "text", "--organization", str(north.pk))
    assert opened()
    call_command("keys", "destroy", period, "--purpose", "text", "--organization", str(north.pk), "--yes")
    for message in Message.objects.filter(organization=north):
        with pytest.raises(vault.Unreadable):
            _ = message.text
    assert all(message.text for message in Message.objects.exclude(organization=north))
    assert all(conversation.sender for conversation in Conversation.objects.all())
    assert write(filled.north).disposition == Disposition.ANSWERED


def test_the_key_of_accounts_cannot_be_destroyed(filled: World) -> None:
    with pytest.raises(rotation.Refused, match="Nothing was destroyed"):
        rotation.destroy_period(datakeys.FOREVER, [Purpose.CREDENTIALS], [])
    with pytest.raises(CommandError, match="Nothing was destroyed"):
        call_command("keys", "destroy", "all", "--purpose", "pseudonym", "--yes")
    assert opened()


def test_the_list_says_what_is_under_each_key(filled: World, settings: Any, tmp_path: Any, capsys: Any) -> None:
    settings.SPOOL_DIR = tmp_path
    settings.MASTER_KEYS = keys.generate() + "\n" + settings.MASTER_KEYS
    newest, older = keys.configured()
    call_command("keys", "list")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"master {newest.id}  newest  0 keys, 0 files of this host's spool"
    assert lines[1] == f"master {older.id}  older  {rotation.wrapped_by(older.id)} keys, 0 files of this host's spool"
    assert f"text         {datakeys.month(timezone.now())}  2 organizations" in lines
