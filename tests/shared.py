"""What takes long to make and nobody changes, made once for all processes of a run: `make test` names their folder."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

FOLDER = "PARAVENT_TEST_SHARED"


@functools.cache
def folder() -> Path:
    if given := os.environ.get(FOLDER):
        return Path(given)
    own = tempfile.mkdtemp(prefix="paravent-shared-")
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return Path(own)


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """While one process makes what is called `name`, the others wait."""
    with (folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
