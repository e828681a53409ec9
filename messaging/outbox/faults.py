"""Faults of ours, told without anything personal: the text of an exception may quote a number or a message."""

from __future__ import annotations

import traceback
from pathlib import Path

_FRAMES = 3


def named(error: BaseException) -> str:
    """`KeyError at choosing.py:31 < release.py:52 < sweeps.py:20`: its kind and where it came from, innermost first."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}" if places else type(error).__name__
