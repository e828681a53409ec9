from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _a_patient_cache(settings: Any) -> None:
    """What a process remembers of a hotline lasts as long as a test, however slow the machine is."""
    settings.HOOK_CACHE_SECONDS = 3600
