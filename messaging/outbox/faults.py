"""Faults of ours, told without anything personal: the text of an exception may quote a number or a message."""

from __future__ import annotations

import traceback
from pathlib import Path

from django.db import InterfaceError, InternalError, NotSupportedError, OperationalError, ProgrammingError

#: It is the database that fails, and not one row, which would be set aside: the database is gone, became read-only
#: (`InternalError`), or a migration changes a table under us (a column that is not there is a `ProgrammingError`, a
#: prepared statement whose columns changed a `NotSupportedError`).
OF_THE_DATABASE = (OperationalError, InterfaceError, InternalError, ProgrammingError, NotSupportedError)

_FRAMES = 3


def named(error: BaseException) -> str:
    """`KeyError at choosing.py:31 < release.py:52 < sweeps.py:20`: its kind and where it came from, innermost first."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}" if places else type(error).__name__
