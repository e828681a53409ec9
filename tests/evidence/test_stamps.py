"""The daily seals are stamped by an authority, once; what it says wrongly is not kept, and what it did not say is asked
again."""

from __future__ import annotations

import datetime
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from tests.evidence.authority import Authority
from tests.world import World
from tests.writing import write

from config import checks, doctor
from conversations.models import Conversation
from evidence import bundle, chaining, stamps, subjects, verify
from evidence.models import Head

pytestmark = pytest.mark.once
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """They take a second to make."""
    folder = tmp_path_factory.mktemp("keys")
    Authority(folder).server_close()
    return folder


@pytest.fixture
def authority(tmp_path: Path, settings: Any, keys: Path) -> Iterator[Authority]:
    with Authority(tmp_path / "authority", keys) as running:
        settings.TSA_URL, settings.TSA_CERTIFICATES = running.url, str(running.root)
        yield running


@pytest.fixture
def sealed(world: World) -> World:
    write(world.north, "of the north")
    write(world.south, "of the south")
    chaining.link_all()
    chaining.sign_heads()
    return world


def test_each_seal_is_stamped_once(sealed: World, authority: Authority) -> None:
    assert stamps.stamp_heads() == 2
    assert stamps.stamp_heads() == 0
    assert authority.asked == 2
    for head in Head.objects.all():
        assert head.stamp is not None
        assert abs(stamps.time_of(bytes(head.stamp)) - timezone.now()) < 2 * DAY


def test_without_an_authority_nobody_is_asked(sealed: World, authority: Authority, settings: Any) -> None:
    settings.TSA_URL = ""
    assert stamps.stamp_heads() == 0
    assert authority.asked == 0
    assert list(doctor._stamps()) == []


def test_what_is_no_stamp_of_the_seal_is_not_kept(sealed: World, authority: Authority, caplog: Any) -> None:
    first = Head.objects.order_by("pk")[0]
    other = stamps.stamped(b"something else")
    for broken in (500, b"", b"x" * 50, b"x" * 200_000, other):
        authority.broken = broken
        assert stamps.stamp_heads() == 0
        first.refresh_from_db()
        assert first.stamp is None
    assert authority.asked == 6  # the first failure ends a run
    assert f"seal {first.pk} was refused" in caplog.text
    authority.broken = None
    assert stamps.stamp_heads() == 2


def test_a_stamp_of_an_authority_that_is_not_trusted_is_refused(
    sealed: World, authority: Authority, tmp_path: Path
) -> None:
    with Authority(tmp_path / "another") as another:
        authority.root.write_bytes(another.root.read_bytes())
        assert stamps.stamp_heads() == 0
    assert not Head.objects.filter(stamp__isnull=False).exists()


def test_an_authority_that_cannot_be_reached_is_asked_again(sealed: World, authority: Authority, settings: Any) -> None:
    settings.TSA_URL = "http://127.0.0.1:9/"
    assert stamps.stamp_heads() == 0
    settings.TSA_URL = authority.url
    assert stamps.stamp_heads() == 2


def test_a_seal_of_long_ago_is_not_stamped_today(sealed: World, authority: Authority) -> None:
    now = timezone.now()
    assert stamps.stamp_heads(now + stamps.ASKED_FOR + DAY) == 0
    assert authority.asked == 0
    assert stamps.stamp_heads(now + stamps.ASKED_FOR - DAY) == 2


def test_openssl_finds_the_stamp_of_an_export_genuine(sealed: World, authority: Authority, tmp_path: Path) -> None:
    stamps.stamp_heads()
    file = io.BytesIO()
    of_north = Conversation.objects.get(organization=sealed.north.organization)
    bundle.write(subjects.of_conversation(of_north), file)
    zipfile.ZipFile(file).extractall(tmp_path / "export")
    folder = tmp_path / "export"
    assert "1 with a time stamp" in "\n".join(verify.verify(folder))
    [stamp] = (folder / "stamps").glob("*.tsr")
    data = str(stamp.with_suffix(".json"))
    said = authority.run("ts", "-verify", "-in", str(stamp), "-data", data, "-CAfile", str(authority.root))
    assert "Verification: OK" in said
    assert "openssl ts -verify" in (folder / "readme-en.txt").read_text()

    manifest = json.loads((folder / "manifest.json").read_text())
    assert verify.check_stamps(folder, manifest) == 1
    stamp.write_bytes(stamps.stamped(b"something else"))
    with pytest.raises(verify.Changed, match="something else"):
        verify.check_stamps(folder, manifest)
    stamp.with_suffix(".json").write_text("{}")
    with pytest.raises(verify.Changed, match="not its seal"):
        verify.check_stamps(folder, manifest)


def test_the_doctor_asks_for_a_stamp(authority: Authority) -> None:
    [line] = doctor._stamps()
    assert line.ok
    authority.broken = 503
    [line] = doctor._stamps()
    assert not line.ok
    assert "PARAVENT_TSA_CERTIFICATES" in line.says


def test_production_does_not_start_with_stamps_that_nobody_can_check(authority: Authority, settings: Any) -> None:
    settings.DEMO = False
    assert "config.E010" not in {problem.id for problem in checks.safe_values()}
    for wrong in ("", "/nowhere.pem", str(authority.folder / "serial")):
        settings.TSA_CERTIFICATES = wrong
        assert "config.E010" in {problem.id for problem in checks.safe_values()}
    settings.REPORT_FONTS = [Path("/nowhere.ttf")]
    assert "config.E011" in {problem.id for problem in checks.safe_values()}
