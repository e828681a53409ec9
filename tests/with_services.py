"""Fixtures and rules for tests that need a service. A test that gets none is skipped, and says what is missing.

`@pytest.mark.postgresql` means: only where the test database is on PostgreSQL. `make test` sees to that; for some tests
alone there is `python tests/services.py run -- pytest tests/outbox -m postgresql`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests import services

#: Set for the second of `make test`'s runs: what no database takes part in was tried in the first.
ONLY_DATABASE = "PARAVENT_TEST_ONLY_DATABASE"
_DATABASE_FIXTURES = frozenset({"db", "transactional_db", "django_db_setup", "postgresql_server"})


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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _leave_out_proofs(items)
    if not os.environ.get("PARAVENT_TEST_DATABASE_URL", "").startswith("postgres"):
        for item in items:
            if item.get_closest_marker("postgresql"):
                item.add_marker(
                    pytest.mark.skip("needs PostgreSQL: `make test`, or tests/services.py run -- pytest ...")
                )
    elif os.environ.get(ONLY_DATABASE):
        again = [item for item in items if _touches_the_database(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(again)])
        items[:] = again


def _leave_out_proofs(items: list[pytest.Item]) -> None:
    """Long proofs whose like is tested in small are for `make faults`."""
    if os.environ.get("PARAVENT_TEST_FAULTS"):
        return
    for item in items:
        if item.get_closest_marker("proof"):
            item.add_marker(pytest.mark.skip("a long proof: `make faults`, `make tour`"))


def _touches_the_database(item: pytest.Item) -> bool:
    markers = any(item.get_closest_marker(name) for name in ("django_db", "postgresql"))
    return markers or not _DATABASE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
