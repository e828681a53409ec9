"""The simulator speaks Plivo's protocol; only its carrier lives elsewhere, behind our own public address."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from tests.providers.contract import plivo
from tests.providers.fake_plivo import FakePlivo


@contextlib.contextmanager
def carrier(settings: Any) -> Iterator[FakePlivo]:
    with FakePlivo() as server:
        settings.PUBLIC_URL = server.url
        yield server


CONTRACT = dataclasses.replace(plivo.CONTRACT, carrier=carrier)
