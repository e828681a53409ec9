from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.providers.cases import SECRET, Case, case_of
from tests.world import Tenant, World

from providers import http, registry


@pytest.fixture(params=sorted(registry.PROVIDERS))
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(request.param)


@pytest.fixture
def tenant(case: Case, world: World) -> Tenant:
    """The north, with an account of the provider in question."""
    account = world.north.account
    account.provider = case.name
    account.credentials = dict(case.contract.credentials(SECRET, ""))
    account.save()
    return world.north


@pytest.fixture
def own_client(settings: Any) -> Iterator[None]:
    """A pool of connections that no other test has used, and that gives up soon."""
    settings.PROVIDER_TIMEOUT = 2.0
    for client in (http.client, http.guarded):
        client.cache_clear()
    yield
    for client in (http.client, http.guarded):
        client().close()
        client.cache_clear()
