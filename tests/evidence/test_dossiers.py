"""The dossier of a raid: who took part, by wave and group, and what proves it; four eyes as for a conversation."""

from __future__ import annotations

import datetime
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pyrage
import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from tests.evidence.test_exports import act, file_of, signed_in
from tests.outbox.replies import HOUR, NOON, SECOND
from tests.shield.crowd import strangers
from tests.world import World

from conversations.models import Conversation, Hold
from evidence import bundle, chaining, exporting, subjects, verify
from evidence.models import Export
from organizations.models import Member
from shield import judge
from shield.models import LevelChange
from shield.words import Cause, Level

MINUTE = 60 * SECOND
FIRST = "venez tous rire avec nous sur ce numero"
OTHER = "on sait ou tu travailles petite menteuse"


@pytest.fixture
def raid(world: World) -> Iterator[LevelChange]:
    """Two groups in a first wave, one of them again in a second, three who are of none; and the south."""
    north, later = world.north.hotline, NOON + 90 * MINUTE
    Member.objects.filter(user__in=[world.north.editor, world.north.owner]).update(may_reveal=True)
    judge.forget()
    strangers(north, 12, text=FIRST)
    strangers(north, 8, first=100, text=OTHER)
    strangers(north, 3, first=200)
    strangers(world.south.hotline, 12, first=300, text=FIRST)
    judge.look(NOON + MINUTE)
    LevelChange.objects.all().delete()
    begun = changed(world, NOON + 5 * MINUTE, Level.NORMAL, Level.RAID)
    strangers(north, 10, first=400, at=later, text=FIRST)
    judge.look(later + MINUTE)
    LevelChange.objects.exclude(pk=begun.pk).delete()
    changed(world, later + 2 * HOUR, Level.RAID, Level.NORMAL)
    strangers(north, 12, first=500, at=later + 4 * HOUR, text=FIRST)
    judge.look(later + 4 * HOUR + MINUTE)
    LevelChange.objects.filter(at__gt=later + 2 * HOUR).delete()
    chaining.link_all()
    yield begun
    judge.forget()


def changed(world: World, at: datetime.datetime, before: Level, after: Level) -> LevelChange:
    its: dict[str, Any] = {"organization": world.north.organization, "hotline": world.north.hotline}
    its["cause"] = Cause.ARRIVALS
    its["figures"] = {"new_in_bin": 40, "new_in_hour": 60, "usual_in_bin": 1.2, "largest_text": 0, "groups": 0}
    return LevelChange.objects.create(at=at, before=before, after=after, **its)


def unpacked(content: bytes, folder: Path) -> list[dict[str, Any]]:
    zipfile.ZipFile(io.BytesIO(content)).extractall(folder)
    return [json.loads(line) for line in (folder / "participants.jsonl").read_text().splitlines()]


def written(change: LevelChange) -> bytes:
    file = io.BytesIO()
    bundle.write(subjects.of_raid(change), file)
    return file.getvalue()


def test_each_who_took_part_has_one_line_by_wave_and_group(raid: LevelChange, tmp_path: Path) -> None:
    lines = unpacked(written(raid), tmp_path)
    groups = [(line["wave"], line["cluster"]) for line in lines]
    assert [groups.count(group) for group in ((1, 1), (1, 2), (2, 1))] == [12, 8, 10]
    assert len({line["conversation"] for line in lines}) == len(lines) == 30
    assert all(line["number"].startswith("+336") and line["messages"] == 1 for line in lines)
    told = verify.verify(tmp_path)
    assert "30 participants" in told
    assert "30 records, 0 of them erased" in told
    texts = {json.loads(line)["event"]["text"] for line in (tmp_path / "records.jsonl").read_text().splitlines()}
    assert texts == {FIRST, OTHER}
    for language, said in (("fr", "Un raid contre une"), ("en", "A raid on a hotline number")):
        assert said in (tmp_path / f"report-{language}.html").read_text()
        pages = pypdf.PdfReader(tmp_path / f"report-{language}.pdf").pages
        paper = "".join(page.extract_text() for page in pages)
        assert said in paper
        assert all(line["number"] in paper for line in lines)
        assert paper.count("13:00:00") == 2 * 20  # in Paris


def test_a_list_that_says_something_else_than_the_records_is_found(raid: LevelChange, tmp_path: Path) -> None:
    lines = unpacked(written(raid), tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    records = verify.lines_of(tmp_path / "records.jsonl")
    verify.check_participants(manifest, lines, records)
    another = {**lines[0], "number": lines[1]["number"]}
    elsewhere = {**lines[0], "positions": lines[1]["positions"]}
    for forged in ([another, *lines[1:]], [elsewhere, *lines[1:]], lines[1:], [*lines, lines[0]]):
        with pytest.raises(verify.Changed):
            verify.check_participants(manifest, forged, records)


def test_two_people_take_it_out_and_all_of_it_is_held(world: World, raid: LevelChange, tmp_path: Path) -> None:
    north = world.north
    mail.outbox.clear()
    answer = act(north.editor, "shield_levelchange", raid, "export", reason="complaint 18")
    assert "waits for approval" in answer.content.decode()
    row = Export.objects.get()
    assert row.name == f"{north.hotline.name}, 2026-11-24 13:05"  # in Paris
    assert Hold.objects.filter(lifted_at=None).count() == Conversation.objects.filter(held=True).count() == 30
    assert [message.subject for message in mail.outbox] == [
        "Paravent\N{NO-BREAK SPACE}: un export de preuves attend une approbation"
    ]
    exporting.approve(row, north.owner)
    assert reverse("admin:shield_levelchange_change", args=[raid.pk]) in page_of(north.editor, row)
    taken = b"".join(file_of(north.editor, row).streaming_content)
    assert len(unpacked(taken, tmp_path)) == 30


def page_of(user: Any, row: Export) -> str:
    return signed_in(user).get(reverse("admin:evidence_export_change", args=[row.pk])).content.decode()


def test_a_second_export_holds_nobody_twice(world: World, raid: LevelChange) -> None:
    for _time in range(2):
        exporting.ask_for_raid(raid, world.north.owner, "complaint 18")
    assert Hold.objects.count() == 30


def test_nobody_asks_for_it_without_the_right_or_from_another_organization(world: World, raid: LevelChange) -> None:
    answer = act(world.north.viewer, "shield_levelchange", raid, "export", reason="x")
    assert "Nobody has given you the right" in answer.content.decode()
    assert act(world.south.owner, "shield_levelchange", raid, "export", reason="x").status_code in {302, 403, 404}
    assert not Export.objects.exists()


def test_a_raid_of_no_group_has_no_list(world: World) -> None:
    change = changed(world, NOON, Level.NORMAL, Level.RAID)
    with pytest.raises(ValidationError, match=r"no group|aucun groupe"):
        exporting.ask_for_raid(change, world.north.owner, "complaint 18")
    assert not Export.objects.exists()


def test_what_was_erased_since_is_counted_and_not_told(raid: LevelChange, tmp_path: Path) -> None:
    first = subjects.of_raid(raid).conversations.earliest("pk")
    first.messages.update(text_sealed=None)
    Conversation.objects.filter(pk=first.pk).update(sender_sealed=None)
    chaining.erase_salts()
    lines = unpacked(written(raid), tmp_path)
    [line] = [line for line in lines if line["conversation"] == str(first.uuid)]
    assert (line["number"], line["messages"]) == (None, 1)
    assert "30 records, 1 of them erased" in verify.verify(tmp_path)


def test_an_export_is_sealed_to_the_key_of_the_organization(world: World, raid: LevelChange, tmp_path: Path) -> None:
    north, identity = world.north, pyrage.x25519.Identity.generate()
    north.organization.evidence_recipient = str(identity.to_public())
    north.organization.full_clean()
    north.organization.save()
    row = exporting.ask_for_raid(raid, north.editor, "complaint 18")
    exporting.approve(row, north.owner)
    answer = file_of(north.editor, row)
    assert answer.headers["Content-Disposition"].endswith('.zip.age"')
    sealed = b"".join(answer.streaming_content)
    assert b"records.jsonl" not in sealed
    assert len(unpacked(pyrage.decrypt(sealed, [identity]), tmp_path)) == 30
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.generate()])
    for wrong in ("age1xyz", str(identity), "ssh-ed25519 AAAA", f"{identity.to_public()}x"):
        north.organization.evidence_recipient = wrong
        with pytest.raises(ValidationError) as refused:
            north.organization.full_clean()
        assert "evidence_recipient" in refused.value.message_dict


@given(st.lists(st.integers(0, 600), max_size=40).map(sorted))
def test_a_wave_ends_with_an_hour_of_silence(minutes: list[int]) -> None:
    found = list(subjects.waves(NOON + minute * MINUTE for minute in minutes))
    assert len(found) == len(minutes)
    for (before, its), (after, next_) in zip(
        zip(minutes, found, strict=True), list(zip(minutes, found, strict=True))[1:], strict=False
    ):
        assert next_ - its == (1 if (after - before) * MINUTE >= HOUR else 0)
    assert found[:1] in ([], [1])
