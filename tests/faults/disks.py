"""A disk of a few megabytes, for one folder of a test. Mounting takes root; a test that may not is skipped."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_FILLER = "filler"


@dataclass(frozen=True)
class Disk:
    folder: Path

    def remount(self, *options: str) -> None:
        """Raises `RuntimeError` with what mount said, as where a file is open for writing and it shall be read-only."""
        _checked("mount", "-o", ",".join(["remount", *options]), str(self.folder))

    def free(self) -> int:
        """Bytes that anybody may still write."""
        volume = os.statvfs(self.folder)
        return volume.f_bavail * volume.f_frsize

    def leave(self, free: int) -> None:
        """Take all the room but so many bytes."""
        with (self.folder / _FILLER).open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while self.free() > free:
                file.write(b"\0" * 4096)

    def take_inodes(self) -> None:
        """Make files until no more can be made."""
        with contextlib.suppress(OSError):
            for number in range(10_000):
                (self.folder / f"{_FILLER}-{number}").touch(exist_ok=False)

    def give_back(self) -> None:
        for path in self.folder.glob(f"{_FILLER}*"):
            path.unlink()


@contextlib.contextmanager
def small(folder: Path, *options: str, mode: str = "0700") -> Iterator[Disk]:
    """`folder` on a tmpfs of its own with mount's `options`."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    try:
        _checked("mount", "-t", "tmpfs", "-o", ",".join([*options, f"mode={mode}"]), "paravent-test", str(folder))
    except (RuntimeError, FileNotFoundError) as error:
        pytest.skip(f"no small disk can be had here: {error}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


def _checked(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
