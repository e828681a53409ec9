"""What takes long to make and nobody changes, made once for all processes of a run: `make test` names their folder."""

from __future__ import annotations

import atexit
import fcntl
import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

FOLDER = "PARAVENT_TEST_SHARED"


@functools.cache
def folder() -> Path:
    if given := os.environ.get(FOLDER):
        return Path(given)
    own = tempfile.mkdtemp(prefix="paravent-shared-")
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return Path(own)


def once(name: str, make: Callable[[Path], object]) -> Path:
    """The file or folder of this name. One process makes it, at the path that `make` gets; the others wait for it."""
    made, new = folder() / name, folder() / f"{name}.new"
    with (folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            make(new)
            new.rename(made)
    return made
