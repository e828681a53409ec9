"""Disks that are full, have no inode left, or became read-only, under messages (SECURITY.md F8, F9)."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults import disks, site
from tests.faults.disks import Disk
from tests.inbox.test_outages import Site, _eventually
from tests.processes import web

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.xdist_group("disks")]

#: `make faults` goes on for longer.
MANY = 1500 if os.environ.get("PARAVENT_TEST_FAULTS") else 300


def waiting(spool: Path) -> int:
    total = 0
    for path in spool.iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was drained since it was listed
            total += path.stat().st_size if path.suffix in {".spool", ".retry"} else 0
    return total


# --- the spool's disk -------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("disks")
    with site.made(folder, PARAVENT_SPOOL_DIR=str(folder / "small")) as made:
        yield made


@contextlib.contextmanager
def without_database(seeded: Site, *options: str) -> Iterator[tuple[Site, Disk]]:
    """A site whose database has just died, and whose spool is on a small disk. At the end all must be drained."""
    spool = seeded.folder / "small"
    with disks.small(spool, *options) as disk:
        with web(seeded.environment, seeded.port, seeded.folder / "web.log"):
            assert set(site.answers(seeded, 8)) == {200}
            seeded.server.stop_immediately()
            try:
                yield seeded, disk
            finally:
                seeded.server.start()
            _eventually(lambda: waiting(spool) == 0)
            assert site.answers(seeded, 8) == {200: 8}
            _eventually(lambda: waiting(spool) == 0)
        assert seeded.stored() == sorted(seeded.acknowledged)
        assert site.set_aside(spool) == []


@pytest.mark.proof
def test_a_full_spool_says_503_keeps_what_it_acknowledged_and_goes_on_when_there_is_room(seeded: Site) -> None:
    with without_database(seeded, "size=2m") as (running, disk):
        disk.leave(250_000)
        said = site.answers(running, MANY)
        assert set(said) == {200, 503}
        assert site.answers(running, 20) == {503: 20}
        disk.give_back()
        assert site.answers(running, 100) == {200: 100}
        disk.leave(0)
        assert 503 in site.answers(running, 200)
        disk.remount("size=8m")
        assert site.answers(running, 100) == {200: 100}


@pytest.mark.proof
def test_a_disk_without_inodes(seeded: Site) -> None:
    with without_database(seeded, "size=2m", "nr_inodes=50") as (running, disk):
        disk.take_inodes()
        assert site.answers(running, 40) == {503: 40}
        disk.give_back()
        assert site.answers(running, 40) == {200: 40}
        disk.take_inodes()
        assert site.answers(running, 40) == {200: 40}  # the file that is being written takes them


def test_a_disk_that_became_read_only(seeded: Site) -> None:
    """Before a file of it is open for writing: while one is, Linux refuses to make the disk read-only."""
    with without_database(seeded, "size=2m") as (running, disk):
        disk.remount("ro")
        assert site.answers(running, 40) == {503: 40}
        disk.remount("rw")
        assert site.answers(running, 40) == {200: 40}
        with pytest.raises(RuntimeError, match="busy"):
            disk.remount("ro")


# --- the database's disk ----------------------------------------------------------------------------------------------
@pytest.mark.proof
def test_a_database_whose_disk_is_full(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    # Not below pytest's folders, into which PostgreSQL's user may not look.
    with (
        tempfile.TemporaryDirectory(prefix="paravent-disk-") as folder,
        disks.small(Path(folder), "size=72m", mode="0755") as disk,
        site.made(tmp_path, servers=disk.folder) as made,
    ):
        with web(made.environment, made.port, tmp_path / "web.log"):
            assert site.answers(made, 100) == {200: 100}
            disk.leave(0)
            assert set(site.answers(made, MANY)) == {200}
            assert waiting(spool) > 0
            # On a busy machine the first of them go to the spool because the database is slow.
            for _time in range(50):
                if "No space left on device" in made.server.log.read_text():
                    break
                assert set(site.answers(made, 100)) == {200}
            assert "No space left on device" in made.server.log.read_text()
            disk.remount("size=300m")
            if not made.server.answers():  # its log found no room, and it ended; whoever started it starts it again
                made.server.start()
            _eventually(lambda: waiting(spool) == 0)
            assert site.answers(made, 100) == {200: 100}
            _eventually(lambda: waiting(spool) == 0)
        assert made.stored() == sorted(made.acknowledged)
        assert site.set_aside(spool) == []
