"""The spool keeps what it has acknowledged, whatever happens to the process and to its disk (SECURITY.md 2.6, F9)."""

from __future__ import annotations

import base64
import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from inbox import alerts, outage, spool
from inbox.spool import Full, Spool
from privacy import offline
from privacy.vault import Unreadable

QUOTA = 50_000_000
MEGABYTE = 1_000_000


def drained(folder: Path) -> list[bytes]:
    """All records in nobody's hands, and their segments removed."""
    found = []
    for path in Spool(folder, QUOTA).segments():
        with spool.reading(path) as records:
            if records is not None:
                found += records
                spool.remove(path)
    return found


def test_records_come_back_whole_and_in_order(tmp_path: Path) -> None:
    writer = Spool(tmp_path / "spool", QUOTA)
    written = [b"", b"\0", b"x" * 70_000, *(f"{number}".encode() for number in range(50))]
    for data in written:
        writer.append(data)
    assert drained(tmp_path / "spool") == []  # still in the writer's hands
    writer.seal()
    assert drained(tmp_path / "spool") == written
    assert drained(tmp_path / "spool") == []


def test_a_large_segment_makes_room_for_the_next_one(tmp_path: Path) -> None:
    writer = Spool(tmp_path, QUOTA)
    written = [bytes([number]) * 300_000 for number in range(9)]
    for data in written:
        writer.append(data)
    writer.seal()
    assert len(writer.segments()) == 3
    assert drained(tmp_path) == written


def test_it_is_on_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    real = os.fdatasync

    def watched(descriptor: int) -> None:
        real(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").read_bytes())

    monkeypatch.setattr(os, "fdatasync", watched)
    writer = Spool(tmp_path, QUOTA)
    for number in range(1, 9):
        writer.append(b"message %d" % number)
        assert len(synced) == number
        assert spool._records(tmp_path, synced[-1]) == [b"message %d" % each for each in range(1, number + 1)]


def test_most_records_make_no_file_larger(tmp_path: Path) -> None:
    """An fsync that has to write down a new size takes twice as long."""
    writer = Spool(tmp_path, QUOTA)
    sizes = []
    for _ in range(500):
        writer.append(b"x" * 900)
        sizes.append(writer.segments()[0].stat().st_size)
    assert sizes[0] < 1000  # most segments hold one record, and need no space
    assert len(set(sizes)) <= 20
    writer.seal()
    assert writer.segments()[0].stat().st_size < sizes[-1]


def test_threads_that_append_at_once_share_a_sync_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs, together = 0, threading.Barrier(8)
    real = os.fdatasync

    def counted(descriptor: int) -> None:
        nonlocal syncs
        syncs += 1
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", counted)
    writer = Spool(tmp_path, QUOTA)

    def work(name: int) -> None:
        together.wait()
        for number in range(50):
            writer.append(f"{name}-{number}".encode())

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.seal()
    assert sorted(drained(tmp_path)) == sorted(f"{name}-{number}".encode() for name in range(8) for number in range(50))
    assert syncs <= 401


def test_nobody_else_on_the_machine_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    writer = Spool(folder, QUOTA)
    writer.append(b"From=33639980123&Text=salut")
    path = writer.segments()[0]
    assert [stat.S_IMODE(each.stat().st_mode) for each in (folder, path)] == [0o700, 0o600]
    content = path.read_bytes()
    assert [word for word in (b"33639980123", b"salut", b"From") if word in content] == []


# --- what a crash leaves ----------------------------------------------------------------------------------------------
def test_a_torn_end_is_no_record_and_no_damage_wherever_it_is_torn(tmp_path: Path) -> None:
    writer = Spool(tmp_path, QUOTA)
    writer.append(b"first")
    whole = writer.segments()[0].stat().st_size
    writer.append(b"second")
    writer.seal()
    path = writer.segments()[0]
    content = path.read_bytes()
    for end in range(whole, len(content)):
        for zeros in (0, 1, len(content) - end, 5000):
            torn = content[:end] + bytes(zeros)
            path.write_bytes(torn)
            with spool.reading(path) as records:
                # One that lacks nothing but its mark was not acknowledged either, and is as good; where its sum ends
                # in a zero, zeros make it whole again.
                assert records == [b"first"] + [b"second"] * torn.startswith(content[: -len(spool._END)])
    assert writer.depth().corrupt == 0
    path.write_bytes(content)
    assert drained(tmp_path) == [b"first", b"second"]


@given(data=st.data())
def test_damage_anywhere_costs_no_other_record_and_the_file_is_kept(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    writer = Spool(folder, QUOTA)
    for number in range(4):
        writer.append(f"record {number}".encode())
    writer.seal()
    path = writer.segments()[0]
    content = bytearray(path.read_bytes())
    size = len(content) // 4
    ends = [size, 2 * size, 3 * size, 4 * size]
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    hit = next(index for index, end in enumerate(ends) if at < end)
    in_length, in_mark = at - ([0, *ends][hit]) < 4, ends[hit] - at <= len(spool._END)
    with spool.reading(path) as records:
        every = [f"record {number}".encode() for number in range(4)]
        assert records is not None
        assert records[:hit] == every[:hit]
        if in_mark:
            assert records == every
        elif not in_length:  # else where the next record begins cannot be known
            assert records == every[:hit] + every[hit + 1 :]
    kept = path.with_suffix(".corrupt")
    assert kept.exists() is not in_mark
    assert in_mark or kept.read_bytes() == bytes(content)


def _writer(folder: Path, *more: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    command = [sys.executable, "-m", "tests.inbox.spool_writer", str(folder), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=Path(__file__).parents[2])


def test_what_was_acknowledged_before_a_kill_is_read_by_another_process(tmp_path: Path) -> None:
    process = _writer(tmp_path)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(300)]
    assert acknowledged[-1] == b"299\n"
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.read().splitlines(keepends=True)
    process.stdout.close()
    process.wait()
    found = drained(tmp_path)
    said = [line.strip() * 50 for line in acknowledged if line.endswith(b"\n")]
    assert found[: len(said)] == said
    assert len(found) - len(said) in (0, 1)  # on disk and not yet said
    assert spool.Spool(tmp_path, QUOTA).depth().corrupt == 0


def test_a_full_disk_is_said_and_leaves_no_half_record(tmp_path: Path) -> None:
    process = _writer(tmp_path, "20000")
    output, _ = process.communicate()
    *acknowledged, last = output.split(b"\n")[:-1]
    assert last == b"full %d" % len(acknowledged)
    assert drained(tmp_path) == [number * 50 for number in acknowledged]
    assert spool.Spool(tmp_path, QUOTA).depth().corrupt == 0


def test_after_a_failed_sync_nothing_of_the_segment_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Spool(tmp_path, QUOTA)
    writer.append(b"on disk")
    real = os.fdatasync

    def fails(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fails)
        with pytest.raises(Full):
            writer.append(b"perhaps")
    assert os.fdatasync is real
    writer.append(b"in another segment")
    assert len(writer.segments()) == 2
    writer.seal()
    assert set(drained(tmp_path)) - {b"perhaps"} == {b"on disk", b"in another segment"}


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EMFILE])
def test_a_folder_that_takes_no_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuses(*_args: Any, **_more: Any) -> int:
        raise OSError(number, os.strerror(number))

    writer = Spool(tmp_path, QUOTA)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuses)
        with pytest.raises(Full):
            writer.append(b"x")
    writer.append(b"y")
    writer.seal()
    assert drained(tmp_path) == [b"y"]


# --- quota, keys, people ----------------------------------------------------------------------------------------------
def test_the_quota_counts_what_every_process_of_the_host_keeps(tmp_path: Path) -> None:
    one, other = Spool(tmp_path, 10_000), Spool(tmp_path, 10_000)
    for _ in range(8):
        one.append(b"x" * 1000)
    with pytest.raises(Full):
        other.append(b"x" * 3000)
    one.seal()
    assert drained(tmp_path) == [b"x" * 1000] * 8
    other._looked_at = -10.0
    other.append(b"x" * 3000)


@pytest.mark.parametrize(("size", "least"), [(1000 * MEGABYTE, 50 * MEGABYTE), (10**6 * MEGABYTE, 256 * MEGABYTE)])
def test_a_disk_that_is_almost_full_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, least: int
) -> None:
    class Volume:
        f_frsize, f_blocks, f_bavail = 1000, size // 1000, least // 1000 - 1

    monkeypatch.setattr(os, "statvfs", lambda _path: Volume)
    writer = Spool(tmp_path, QUOTA)
    with pytest.raises(Full):
        writer.append(b"x")
    Volume.f_bavail += 1
    writer.append(b"x")


def test_a_box_opens_for_its_use_only_and_with_its_key_only(settings: Any) -> None:
    sealed = offline.seal(b"data", "spool")
    assert offline.unseal(sealed, "spool") == b"data"
    with pytest.raises(Unreadable):
        offline.unseal(sealed, "another use")
    old, new = settings.MASTER_KEYS, base64.b64encode(os.urandom(32)).decode()
    settings.MASTER_KEYS = f"{new}\n{old}"
    assert offline.unseal(sealed, "spool") == b"data"
    settings.MASTER_KEYS = new
    with pytest.raises(Unreadable):
        offline.unseal(sealed, "spool")


@given(st.binary(max_size=80))
def test_what_is_no_box_does_not_open(data: bytes) -> None:
    with pytest.raises(Unreadable):
        offline.unseal(data, "spool")


def test_a_lost_key_keeps_the_file(tmp_path: Path, settings: Any) -> None:
    writer = Spool(tmp_path, QUOTA)
    writer.append(b"message")
    writer.seal()
    old, settings.MASTER_KEYS = settings.MASTER_KEYS, base64.b64encode(os.urandom(32)).decode()
    assert drained(tmp_path) == []
    kept = [path for path in tmp_path.iterdir() if path.suffix == ".corrupt"]
    settings.MASTER_KEYS = old
    kept[0].rename(kept[0].with_suffix(".spool"))
    assert drained(tmp_path) == [b"message"]


def test_operators_are_told_once_and_again_when_it_happens_again(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ADMINS = [("", "operator@example.org")]
    lasting: list[float | None] = [None]
    monkeypatch.setattr(outage, "lasts", lambda: lasting[0])
    subjects: Callable[[], list[str]] = lambda: [message.subject for message in mail.outbox]  # noqa: E731
    for seconds in (None, 59.0, 61.0, 300.0, None, 61.0):
        lasting[0] = seconds
        alerts.look()
    assert len(subjects()) == 2
    assert len(set(subjects())) == 1
    Path(settings.SPOOL_DIR).mkdir(exist_ok=True)
    (Path(settings.SPOOL_DIR) / "1.failed").write_bytes(b"")
    (Path(settings.SPOOL_DIR) / "2.corrupt").write_bytes(b"")
    alerts.look()
    alerts.look()
    assert len(subjects()) == 4
    assert [message.to for message in mail.outbox] == [["operator@example.org"]] * 4


def test_the_command_shows_what_waits(capsys: pytest.CaptureFixture[str]) -> None:
    spool.current().append(b"message")
    call_command("spool")
    size = spool.depth().bytes
    assert str(size) in capsys.readouterr().out
