"""Fixtures and the rule for tests that need a service. A test that gets none is skipped, and says what is missing.

`@pytest.mark.postgresql` means: only where the test database is on PostgreSQL. `make test` sees to that; for some tests
alone there is `python tests/services.py run -- pytest tests/outbox -m postgresql`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests import services


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[services.PostgreSQL]:
    """A server of this worker's own, for tests that start processes or count what the server saw."""
    try:
        with services.postgresql() as server:
            yield server
    except services.Missing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis or Valkey of this worker's own."""
    try:
        with services.redis() as url:
            yield url
    except services.Missing as error:
        pytest.skip(str(error))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("PARAVENT_TEST_DATABASE_URL", "").startswith("postgres"):
        return
    for item in items:
        if item.get_closest_marker("postgresql"):
            item.add_marker(pytest.mark.skip("needs PostgreSQL: `make test`, or tests/services.py run -- pytest ..."))
