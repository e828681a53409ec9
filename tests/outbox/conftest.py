from __future__ import annotations

import pytest
from tests.outbox.carrier import Carrier

from outbox import send


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Carrier:
    """Every account's provider, from the outbox's side."""
    made = Carrier()
    monkeypatch.setattr(send.registry, "get", lambda _name: made)
    return made
