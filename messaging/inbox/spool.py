"""The spool: verified requests on disk, sealed and fsynced, while the database does not answer (SECURITY.md 2.6).

A provider gives up after minutes, an outage may last longer, and what was acknowledged must never be lost. So a request
is acknowledged only when its record has reached the disk; `drain` brings it into the database later.

Each process appends to a segment of its own, a file `<nanoseconds>-<random>.spool` that it holds locked; threads that
append at once share one fsync. A segment that nobody has locked may be read and removed by any process of this host: a
process that was killed leaves its records to the others. A record is its length (4 bytes), `privacy.offline`'s box and
a mark for its end. Zeros may follow the last one: space that was written beforehand, so that a record changes nothing
but its own blocks and its fsync takes half as long.

`*.retry` holds records that our code could not take and will try again, `*.failed` those that it has given up on, and
`*.corrupt` what could not be read: the last two are kept for a person.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import logging
import os
import secrets
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from privacy import offline
from privacy.keys import sync_folder
from privacy.vault import Unreadable

log = logging.getLogger("paravent.spool")

_USE = "spool"
_LENGTH = struct.Struct(">I")
_END = b"end\n"
#: How much space is written beforehand, and not more than there are records already: many segments hold one record.
_SPACE = bytes(1 << 16)
_SEGMENT_BYTES = 1 << 20
#: A webhook's body is 64 KiB at most; a length beyond this is not one that we wrote.
_RECORD_BYTES = 1 << 20
#: What we leave free for the rest of the machine: this share of the volume, and not more than so many bytes.
_LEAST_FREE_SHARE, _LEAST_FREE_BYTES = 0.05, 256_000_000
_LOOK_AGAIN = 1.0


class Full(Exception):
    """The record is not on disk: no room within the quota, or the disk refused it. Nothing may be acknowledged."""


@dataclass(frozen=True)
class Depth:
    """What waits on this host: bytes of segments, and files that need a person."""

    segments: int
    bytes: int
    failed: int
    corrupt: int


class _Segment:
    """A file being written, locked as long as it is open."""

    def __init__(self, folder: Path) -> None:
        name = f"{time.time_ns():020}-{secrets.token_hex(6)}"
        draft, self.path = folder / f".{name}", folder / f"{name}.spool"
        self._file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        # Locked before it has its name: a reader that found it unlocked would remove it under our hands.
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            draft.rename(self.path)
            sync_folder(folder)
        except OSError:
            os.close(self._file)
            draft.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)
            raise
        self.end = 0
        self._size = 0
        self._on_disk = 0
        self._syncing = threading.Lock()
        self._closed = False

    def write(self, record: bytes) -> int:
        """Append, not yet on disk; returns where the record ends. Nothing of it is left after an `OSError`."""
        end = self.end + len(record)
        if end > self._size:
            self._size = end
            with contextlib.suppress(OSError):  # there may be room for the record itself
                self._size += os.pwrite(self._file, _SPACE[: self.end], end)
        rest = memoryview(record)
        try:
            while rest:
                rest = rest[os.pwrite(self._file, rest, end - len(rest)) :]
        except OSError:
            self._cut()
            raise
        self.end = end
        return end

    def sync(self, until: int) -> None:
        """Return once what ends at `until` is on disk; the first of several threads does it for all that wait.

        After an error the kernel may forget what it could not write and report success the next time, so a segment
        that failed is never trusted again: whoever waits gets `OSError`.
        """
        with self._syncing:
            if self._on_disk >= until:
                return
            if self._closed:
                raise OSError("the segment failed")
            reached = self.end
            try:
                os.fdatasync(self._file)
            except OSError:
                self._close()
                raise
            self._on_disk = reached

    def _cut(self) -> None:
        """Take half a record away; where not even that is possible, nothing may follow it."""
        try:
            os.ftruncate(self._file, self.end)
        except OSError:
            with self._syncing:
                self._close()
        else:
            self._size = self.end

    def seal(self) -> None:
        """Leave it to whoever drains. Raises `OSError`, to all that wait as well, if its end is not on disk."""
        self.sync(self.end)
        with self._syncing:
            if not self._closed:
                with contextlib.suppress(OSError):  # nobody reads the space after the last record
                    os.ftruncate(self._file, self.end)
            self._close()

    @property
    def closed(self) -> bool:
        return self._closed

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self._file)


class Spool:
    """The spool of one folder, as one process writes and reads it."""

    def __init__(self, folder: Path, quota: int) -> None:
        self._folder, self._quota = folder, quota
        self._lock = threading.Lock()
        self._segment: _Segment | None = None
        self._looked_at, self._used = -_LOOK_AGAIN, 0

    def prepare(self) -> None:
        """Make the folder, and prove that it can be written. Raises `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = self._folder / f".probe-{secrets.token_hex(6)}"
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, b"\0" * 4096)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            probe.unlink()

    def append(self, data: bytes) -> None:
        """Return when `data` is on disk. Raises `Full`, and nothing may be acknowledged."""
        record = _record(data)
        try:
            with self._lock:
                self._require_room(len(record))
                segment = self._open()
                until = segment.write(record)
                self._used += len(record)
                full = segment.end >= _SEGMENT_BYTES
                if full:
                    self._segment = None
            if full:
                segment.seal()
            else:
                segment.sync(until)
        except OSError as error:
            log.error("the spool cannot be written: %s", os.strerror(error.errno) if error.errno else error)
            raise Full from error

    def seal(self) -> None:
        """Let go of the segment being written, so that it can be drained; the next record begins another one."""
        with self._lock:
            segment, self._segment = self._segment, None
        if segment is not None:
            with contextlib.suppress(OSError):  # those whose records are not on disk are told by `sync`
                segment.seal()

    def segments(self) -> list[Path]:
        """The segments in the order in which they were begun, those in other hands included."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(path for path in self._folder.iterdir() if path.suffix == ".spool")
        return []

    def retry(self, kind: str) -> int:
        """Let the files of `kind` ("retry", "failed") wait again; returns how many there were."""
        files = list(self._folder.glob(f"*.{kind}"))
        for path in files:
            path.rename(path.with_suffix(".spool"))
        if files:
            sync_folder(self._folder)
        return len(files)

    def depth(self) -> Depth:
        """What waits now, with the files of all processes on this host."""
        sizes: dict[str, list[int]] = {".spool": [], ".retry": [], ".failed": [], ".corrupt": []}
        with contextlib.suppress(FileNotFoundError):
            for path in self._folder.iterdir():
                with contextlib.suppress(FileNotFoundError):  # drained meanwhile
                    sizes.get(path.suffix, []).append(path.stat().st_size)
        waiting = [size for size in sizes[".spool"] + sizes[".retry"] if size]
        return Depth(len(waiting), sum(waiting), len(sizes[".failed"]), len(sizes[".corrupt"]))

    def share(self) -> float:
        """How much of the quota is taken, from 0 to 1."""
        return self.depth().bytes / self._quota

    def _open(self) -> _Segment:
        if self._segment is None or self._segment.closed:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._segment = _Segment(self._folder)
        return self._segment

    def _require_room(self, size: int) -> None:
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_AGAIN:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._looked_at, self._used = now, self.depth().bytes
            volume = os.statvfs(self._folder)
            least = min(_LEAST_FREE_SHARE * volume.f_blocks * volume.f_frsize, _LEAST_FREE_BYTES)
            if volume.f_bavail * volume.f_frsize < least:
                self._looked_at = -_LOOK_AGAIN
                raise OSError("the disk is almost full")
        if self._used + size > self._quota:
            raise OSError("the spool has reached its quota")


@contextlib.contextmanager
def reading(path: Path) -> Iterator[list[bytes] | None]:
    """The records of a segment, for one reader at a time; None while another process has it in hand.

    What cannot be read is set aside as `.corrupt` before this returns. The file stays; `remove` it when all records
    are in the database.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield _records(path, path.read_bytes())
    except FileNotFoundError:
        yield None
    finally:
        os.close(descriptor)


def _records(path: Path, content: bytes) -> list[bytes]:
    """The records that can be read. A torn end was never acknowledged: its fsync did not return.

    What is missing of it may be zeros, which were there before it.
    """
    records, position, damaged = [], 0, False
    written = len(content.rstrip(b"\0"))
    while position < written:
        start = position + _LENGTH.size
        length = int.from_bytes(content[position:start])
        end = start + length
        if not 0 < length <= _RECORD_BYTES:
            damaged = True
            break
        try:
            records.append(offline.unseal(content[start:end], _USE))
        except Unreadable:
            if end >= written:
                damaged |= content.endswith(_END, 0, written)
                break
            damaged = True
        position = end + len(_END)
    if damaged:
        keep_aside(path, content, "corrupt")
    return records


def keep_aside(segment: Path, content: bytes, kind: str) -> None:
    """Write `content` beside `segment` with the suffix `kind`, in place of what was there."""
    target = segment.with_suffix(f".{kind}")
    draft = segment.with_name(f".{segment.stem}-{kind}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(segment.parent)
    log.error("the spool set %s aside", target.name)


def boxed(records: list[bytes]) -> bytes:
    """Records as a segment holds them, for `keep_aside`."""
    return b"".join(map(_record, records))


def _record(data: bytes) -> bytes:
    box = offline.seal(data, _USE)
    return _LENGTH.pack(len(box)) + box + _END


def remove(segment: Path) -> None:
    """Forget a segment whose records are all in the database or set aside."""
    segment.unlink(missing_ok=True)
    sync_folder(segment.parent)


@functools.lru_cache(maxsize=1)
def _at(folder: Path, quota: int) -> Spool:
    return Spool(folder, quota)


def current() -> Spool:
    """The spool of this process."""
    return _at(settings.SPOOL_DIR, settings.SPOOL_MEGABYTES * 1_000_000)


def depth() -> Depth:
    """What waits on this host for its database."""
    return current().depth()
