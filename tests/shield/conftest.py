from __future__ import annotations

import pytest

from shield import detector

_REAL = detector._BLOCKS


@pytest.fixture
def real_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which it matters that a country has more blocks than those that were fed."""
    monkeypatch.setattr(detector, "_BLOCKS", _REAL)
