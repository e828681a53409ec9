"""The chain says of every message that it came, when, and what it was; and that nothing was changed since."""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests.world import World
from tests.writing import write

from conversations import retention
from conversations.models import Conversation, Message
from evidence import bundle, canonical, chaining, lexicon, signing, subjects, verify
from evidence.models import Chain, Head, Link
from hotlines.models import Account, Hotline
from inbox import reconcile
from privacy import datakeys
from privacy.models import DataKey

DAY = datetime.timedelta(days=1)


@pytest.fixture
def linked(world: World) -> World:
    """Messages of three senders of the north and one of the south, linked, and sealed on two days."""
    for number in range(4):
        write(world.north, f"message {number}", sender=f"3361234567{number % 3}")
    write(world.south, "of the south")
    assert chaining.link_all() == 5
    chaining.sign_heads(timezone.now() - DAY)
    write(world.north, "I know where you live", sender="33612345670")
    assert chaining.link_all() == 1
    chaining.sign_heads()
    return world


def unpacked(world: World, folder: Path) -> Path:
    """The export of the first conversation, as somebody unpacks it."""
    file = io.BytesIO()
    conversation = Conversation.objects.filter(organization=world.north.organization).earliest("pk")
    bundle.write(subjects.of_conversation(conversation), file)
    zipfile.ZipFile(file).extractall(folder)
    return folder


def checked(folder: Path, *arguments: str) -> tuple[int, str]:
    """What verify.py says, run as anybody would: by its own file, with no library of ours in its way."""
    command = [sys.executable, "-I", "-S", str(folder / "verify.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return done.returncode, done.stdout


# --- linking --------------------------------------------------------------------------------------------------------
def test_every_message_is_linked_once_without_a_gap(linked: World) -> None:
    assert chaining.link_all() == 0
    for tenant, count in ((linked.north, 5), (linked.south, 1)):
        links = [*Link.objects.filter(hotline=tenant.hotline).order_by("position")]
        assert [link.position for link in links] == [*range(1, count + 1)]
        value = canonical.genesis(tenant.hotline.uuid)
        for link in links:
            value = canonical.step(value, bytes(link.commit), link.received_at, bytes(link.provider_hash))
            assert bytes(link.chain) == value
            message = Message.objects.get(pk=link.message_id)
            event = chaining.event_of(message, link)
            assert canonical.commit(bytes.fromhex(link.salt or ""), event) == bytes(link.commit)
            assert message.conversation is not None
            sender = message.conversation.sender or ""
            assert canonical.commit_sender(bytes.fromhex(link.sender_salt or ""), sender) == bytes(
                link.sender_commit or b""
            )
        assert bytes(Chain.objects.get(hotline=tenant.hotline).value) == value


def test_a_row_that_appears_late_is_linked_too(linked: World) -> None:
    """Its id was given before, and its transaction committed after later ones were linked."""
    Chain.objects.filter(hotline=linked.north.hotline).update(last_message_id=10_000)
    write(linked.north, "late")
    assert chaining.link_all() == 1


def test_a_process_that_knows_all_chains_looks_once_for_what_is_new(
    linked: World, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):
        assert chaining.link_all() == 0
    write(linked.south, "another one")
    assert chaining.link_all() == 1


def test_a_run_that_dies_leaves_nothing_half_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        write(world.north, f"message {number}")
    monkeypatch.setattr(chaining, "_BATCH", 2)
    original, calls = chaining._next, []

    def dying(*arguments: Any) -> Link:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(chaining, "_next", dying)
    with pytest.raises(KeyboardInterrupt):
        chaining.link_all()
    assert Chain.objects.get(hotline=world.north.hotline).position == Link.objects.count() == 2
    assert chaining.link_all() == 3
    assert [*Link.objects.order_by("position").values_list("position", flat=True)] == [1, 2, 3, 4, 5]


def test_what_is_no_message_is_not_linked(world: World) -> None:
    hotline = world.north.hotline
    assert reconcile is not None
    base = {"organization": world.north.organization, "hotline": hotline, "account": world.north.account}
    Message.objects.create(**base, provider_id="m", disposition="missed", received_at=timezone.now())
    Message.objects.create(**base, provider_id="i", disposition="instruction", received_at=timezone.now())
    assert chaining.link_all() == 0


def test_a_threat_is_marked(linked: World) -> None:
    marked = Link.objects.filter(threat=True)
    assert [Message.objects.get(pk=link.message_id).text for link in marked] == ["I know where you live"]


def test_conversations_with_threats_are_found_in_the_list(linked: World) -> None:
    client = Client(headers={"accept-language": "en"})
    client.force_login(linked.north.viewer)
    marked = Conversation.objects.filter(organization=linked.north.organization).earliest("pk")
    url = reverse("admin:conversations_conversation_changelist")
    assert [row.pk for row in client.get(url, {"threat": "yes"}).context["cl"].queryset] == [marked.pk]
    assert len(client.get(url).context["cl"].queryset) == 3


@pytest.mark.parametrize("language", lexicon.languages())
def test_each_phrase_is_found_however_it_is_written_and_never_within_a_word(language: str) -> None:
    for phrase in lexicon.phrases(language):
        assert lexicon.threatens(f"Hé !  {phrase.upper()}…")
        assert lexicon.threatens(phrase.replace(" ", "\u00a0 ").replace("'", "’"))
        assert not lexicon.threatens(f"x{phrase}x")
    assert not lexicon.threatens("")


def test_a_number_that_moves_to_another_provider_proves_what_came_before(linked: World, tmp_path: Path) -> None:
    north = linked.north
    other = Account.objects.create(organization=north.organization, provider="twilio", label="another")
    Hotline.objects.filter(pk=north.hotline.pk).update(account=other)
    status, said = checked(unpacked(linked, tmp_path))
    assert (status, "3 records, 0 of them erased" in said) == (0, True)


# --- erasure --------------------------------------------------------------------------------------------------------
def test_an_erased_message_leaves_the_chain_whole_and_no_salt(linked: World, tmp_path: Path) -> None:
    Message.objects.update(received_at=timezone.now() - 31 * DAY)
    retention.erase_due(timezone.now())
    assert chaining.erase_salts() == 6
    assert not Link.objects.exclude(salt_sealed=None).exists()
    status, said = checked(unpacked(linked, tmp_path))
    assert (status, "3 records, 3 of them erased" in said) == (0, True)
    report = (tmp_path / "report-en.html").read_text()
    assert "erased" in report
    assert "message 0" not in report


def test_a_number_is_erased_before_the_texts_and_they_are_still_proved(linked: World, tmp_path: Path) -> None:
    Conversation.objects.update(sender_sealed=None)
    assert chaining.erase_salts() == 6
    folder = unpacked(linked, tmp_path)
    status, said = checked(folder)
    assert (status, "3 records, 0 of them erased" in said) == (0, True)
    everything = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert b"33612345670" not in everything
    assert {json.loads(line)["sender_salt"] for line in lines(folder / "records.jsonl")} == {None}


def test_who_comes_again_after_his_number_was_erased_is_proved_from_then_on(linked: World, tmp_path: Path) -> None:
    Conversation.objects.update(sender_sealed=None)
    chaining.erase_salts()
    write(linked.north, "again", sender="33612345670")
    chaining.link_all()
    folder = unpacked(linked, tmp_path)
    assert checked(folder)[0] == 0
    records = [json.loads(line) for line in lines(folder / "records.jsonl")]
    assert [record["sender"] for record in records] == [None, None, None, "number:+33612345670"]


def test_a_text_whose_key_was_destroyed_is_as_good_as_erased(linked: World, tmp_path: Path) -> None:
    DataKey.objects.filter(purpose=datakeys.Purpose.TEXT).delete()
    datakeys.forget()
    status, said = checked(unpacked(linked, tmp_path))
    assert (status, "3 records, 3 of them erased" in said) == (0, True)


def test_a_message_that_was_never_kept_has_no_salt_to_keep(world: World) -> None:
    for _ in range(7):
        write(world.north)
    chaining.link_all()
    without = Message.objects.filter(text_sealed=None).values_list("pk", flat=True)
    assert len(without) == 2
    assert not Link.objects.filter(message_id__in=without).exclude(salt_sealed=None).exists()


# --- heads ----------------------------------------------------------------------------------------------------------
def test_the_end_of_each_day_is_sealed_once_and_mailed(linked: World) -> None:
    assert Head.objects.count() == 3
    assert chaining.sign_heads() == 0
    assert chaining.sign_heads(timezone.now() + DAY) == 0  # nothing has come since
    head = Head.objects.filter(hotline=linked.north.hotline).latest("day")
    content = chaining.signed(linked.north.hotline, head.day, head.position, bytes(head.value))
    key = bytes.fromhex(signing.public_key(linked.north.organization.pk))
    assert verify.signature_holds(key, content, bytes(head.signature))
    north = [sent for sent in mail.outbox if signing.public_key(linked.north.organization.pk) in sent.body]
    assert len(north) == 2
    assert bytes(head.value).hex() in north[-1].body
    assert not any(text in north[-1].body for text in ("message 0", "where you live", "3361234567"))


def test_a_sender_who_was_put_in_anothers_place_is_found(linked: World, tmp_path: Path) -> None:
    """Also by who can sign: the commitment of the chain tells."""
    records = [json.loads(line) for line in lines(unpacked(linked, tmp_path) / "records.jsonl")]
    chain = [json.loads(line) for line in lines(tmp_path / "chain.jsonl")]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert verify.check_records(manifest, chain, records) == 0
    for forged in ({"sender": "number:+33612345671"}, {"sender_salt": "00" * 32}, {"salt": None}):
        with pytest.raises(verify.Changed):
            verify.check_records(manifest, chain, [{**records[0], **forged}, *records[1:]])


# --- the export -----------------------------------------------------------------------------------------------------
def test_an_export_holds_the_conversation_and_proves_it(linked: World, tmp_path: Path) -> None:
    folder = unpacked(linked, tmp_path)
    key = signing.public_key(linked.north.organization.pk)
    status, said = checked(folder, "--key", key)
    assert (status, said.splitlines()) == (
        0,
        ["Nothing was changed.", "3 records, 0 of them erased", "5 links, 2 daily seals, 0 with a time stamp"],
    )
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    assert [record["event"]["text"] for record in records] == ["message 0", "message 3", "I know where you live"]
    assert {record["sender"] for record in records} == {"number:+33612345670"}
    everything = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert b"message 1" not in everything  # of another sender
    assert b"33612345671" not in everything
    assert checked(folder, "--key", "0" * 64)[0] == 1
    for language, said in (("fr", "Numéro de l’expéditeur"), ("en", "Number of the sender")):
        assert said in (folder / f"report-{language}.html").read_text()


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


def dropped(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text("".join(lines(path)[1:]))


def tail_cut(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text("".join(lines(path)[:-1]))


def swapped(folder: Path, name: str) -> None:
    first, second, *rest = lines(folder / name)
    (folder / name).write_text("".join([second, first, *rest]))


def doubled(folder: Path, name: str) -> None:
    first, *rest = lines(folder / name)
    (folder / name).write_text("".join([first, first, *rest]))


@pytest.mark.parametrize("change", [dropped, tail_cut, swapped, doubled])
@pytest.mark.parametrize("name", ["records.jsonl", "chain.jsonl"])
def test_what_was_left_out_added_or_moved_is_found(linked: World, tmp_path: Path, change: Any, name: str) -> None:
    folder = unpacked(linked, tmp_path)
    change(folder, name)
    assert checked(folder)[0] == 1


@pytest.mark.parametrize("change", [dropped, tail_cut, swapped, doubled])
@pytest.mark.parametrize("name", ["records.jsonl", "chain.jsonl"])
def test_also_by_who_can_sign_anew_with_a_key_of_his(linked: World, tmp_path: Path, change: Any, name: str) -> None:
    """He makes the manifest fit; the key of the mails, the seals and the chain tell him."""
    folder = unpacked(linked, tmp_path)
    change(folder, name)
    organization = linked.south.organization.pk
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    manifest["records"], manifest["chain_length"] = (
        len(lines(folder / "records.jsonl")),
        len(lines(folder / "chain.jsonl")),
    )
    manifest["public_key"] = signing.public_key(organization)
    content = canonical.canonical(manifest)
    (folder / "manifest.json").write_bytes(content)
    (folder / "manifest.sig").write_text(signing.sign(organization, content).hex())
    assert checked(folder)[0] == 1
    assert checked(folder, "--key", signing.public_key(linked.north.organization.pk))[0] == 1


def rewritten(manifest: Any, chain: list[Any]) -> None:
    """The chain as it would be, had a link said so from the beginning: who runs the server can compute it."""
    value = hashlib.sha256(f"paravent chain {manifest['hotline']}".encode()).digest()
    for link in chain:
        parts = (bytes.fromhex(link["commit"]), link["received_at"].encode(), bytes.fromhex(link["provider_hash"]))
        value = hashlib.sha256(value + b"".join(parts)).digest()
        link["chain"] = value.hex()
    manifest["chain_end"] = value.hex()


@pytest.mark.parametrize("name", ["commit", "provider_hash", "chain"])
@pytest.mark.parametrize("position", [1, 3, 5])
def test_a_changed_link_breaks_the_chain_whoever_signs(linked: World, tmp_path: Path, name: str, position: int) -> None:
    """What is signed is looked at too: a link, its chain value, the end, and the seals of the days before."""
    folder = unpacked(linked, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    chain = [json.loads(line) for line in lines(folder / "chain.jsonl")]
    key = bytes.fromhex(manifest["public_key"])
    verify.check_heads(manifest, verify.check_chain(manifest, chain), key)
    chain[position - 1][name] = "00" * 32
    with pytest.raises(verify.Changed, match=f"link {position} was changed"):
        verify.check_chain(manifest, chain)
    rewritten(manifest, chain)
    values = verify.check_chain(manifest, chain)
    if name == "chain":  # it is derived: computed anew, it is what it was
        verify.check_heads(manifest, values, key)
        return
    with pytest.raises(verify.Changed, match="what came before the seal of"):
        verify.check_heads(manifest, values, key)


def test_a_seal_that_was_made_up_is_found(linked: World, tmp_path: Path) -> None:
    folder = unpacked(linked, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    values = verify.check_chain(manifest, [json.loads(line) for line in lines(folder / "chain.jsonl")])
    key = bytes.fromhex(manifest["public_key"])
    manifest["heads"][0]["value"] = values[1]
    with pytest.raises(verify.Changed, match="is not genuine"):
        verify.check_heads(manifest, values, key)


def test_no_bit_of_it_can_be_changed(linked: World, tmp_path: Path) -> None:
    """300 bits at random, `make faults` takes 10,000; of verify.py none, since who checks brings his own."""
    folder = unpacked(linked, tmp_path)
    names = sorted(path.name for path in folder.iterdir() if path.name != "verify.py")
    chance = random.Random(17)
    for _ in range(300):
        path = folder / chance.choice(names)
        content = bytearray(path.read_bytes())
        position, bit = chance.randrange(len(content)), chance.randrange(8)
        content[position] ^= 1 << bit
        before = path.read_bytes()
        path.write_bytes(content)
        try:
            verify.verify(folder)
        except (verify.Changed, ValueError, KeyError, TypeError):
            pass
        else:
            raise AssertionError(f"bit {bit} of byte {position} of {path.name}")
        path.write_bytes(before)
    assert verify.verify(folder)


def test_verify_agrees_with_the_library_about_signatures() -> None:
    """RFC 8032, 7.1, test 3."""
    key = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
    signature = bytes.fromhex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )
    assert verify.signature_holds(key, b"\xaf\x82", signature)
    assert not verify.signature_holds(key, b"\xaf\x83", signature)
    assert not verify.signature_holds(key, b"\xaf\x82", signature[:32] + (verify.L + 1).to_bytes(32, "little"))
