"""A small disk of a process's own, which can be full. Mounting takes root, and a mount namespace of our own.

In that namespace the mounts end with the last process of the run, whatever ends it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_FILLER = "filler"


def own_namespace() -> bool:
    """Leave the mounts of the machine alone from now on; False where that is not allowed. Call it before any thread."""
    if os.geteuid() != 0:
        return False
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS) != 0:
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def small(folder: Path, megabytes: int = 2) -> Iterator[bool]:
    """`folder` on a disk of so many megabytes; yields False, and leaves the folder as it is, where it cannot be had."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "paravent-chaos", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


def fill(folder: Path) -> None:
    """Take all the room there is."""
    with (folder / _FILLER).open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


def empty(folder: Path) -> None:
    (folder / _FILLER).unlink(missing_ok=True)
