from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest
import time_machine
from tests.outbox.carrier import Carrier
from tests.outbox.replies import NOON

from outbox import clock, send


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Carrier:
    """Every account's provider, from the outbox's side."""
    made = Carrier()
    monkeypatch.setattr(send.registry, "get", lambda _name: made)
    return made


@pytest.fixture
def our_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's clock is this process's, also where the test moves it and the database is a server."""
    monkeypatch.setattr(clock.sql, "clock_ahead", lambda: datetime.timedelta(0))


@pytest.fixture
def noon() -> Iterator[None]:
    """The clock stands at `NOON`."""
    with time_machine.travel(NOON, tick=False):
        yield
