"""The whole API against its own description, with requests that nobody would think of: no fault of ours, and no answer
that the description does not know. `make fuzz` asks two thousand times for each group of addresses.
"""

from __future__ import annotations

import os
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from django.core.cache import caches
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.partners.api_world import make_key, make_page
from tests.world import World
from tests.writing import write

from conversations.models import Conversation
from partners.models import ExportJob
from replies.models import ReplyTemplate

#: Requests of each group of operations, dealt out among them.
USUAL = 100
CASES = int(os.environ.get("PARAVENT_TEST_FUZZ", "0")) or USUAL
DESCRIPTION = Path(__file__).parents[2] / "docs" / "partners" / "openapi.yaml"
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
_KEY: dict[str, str] = {}
_REAL: dict[str, Any] = {}


@pytest.fixture
def api_schema(world: World) -> Iterator[Any]:
    """With rows that can be found, and a key that may do everything."""
    caches["limits"].clear()
    write(world.north)
    page = make_page(world.north, "north")
    row, _KEY["Authorization"] = make_key(world.north)
    _KEY["Authorization"] = f"Bearer {_KEY['Authorization']}"
    job = ExportJob.objects.create(
        organization=world.north.organization,
        key=row,
        hotline=world.north.hotline,
        since="2026-01-01T00:00:00Z",
        until="2026-02-01T00:00:00Z",
        state="done",
        content=zlib.compress(b""),
        finished_at=timezone.now(),
    )
    _REAL.update(
        slug=page.slug,
        number=str(world.north.hotline.uuid),
        template=ReplyTemplate.objects.filter(hotline=world.north.hotline).values_list("pk", flat=True)[0],
        conversation=Conversation.objects.values_list("pk", flat=True)[0],
        export=str(job.uuid),
    )
    # As Django's own test client does: the test's transaction is on this connection.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        with override_settings(API_RATE="1000000/m", API_GUESS_RATE="1000000/m"):
            yield schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", get_wsgi_application())
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


OPERATIONS = [
    (path, method.upper(), operation["tags"][0])
    for path, methods in yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))["paths"].items()
    for method, operation in methods.items()
]
GROUPS = Counter(group for _path, _method, group in OPERATIONS)


@pytest.mark.parametrize(
    ("path", "method", "group"), OPERATIONS, ids=[f"{method} {path[8:]}" for path, method, _group in OPERATIONS]
)
def test_every_answer_is_one_that_the_description_knows(api_schema: Any, path: str, method: str, group: str) -> None:
    operation = api_schema[path][method]
    right, wrong = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

    @settings(
        max_examples=-(-CASES // GROUPS[group]),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=CASES == USUAL,
        database=None,
    )
    @given(case=right | wrong)
    def ask(case: Any) -> None:
        for name in case.path_parameters or {}:
            # Every second one is there; the rest is made up.
            if name in _REAL and len(str(case.path_parameters)) % 2:
                case.path_parameters[name] = _REAL[name]
        answer = case.call(headers=_KEY)
        case.validate_response(answer, checks=list(CHECKS))

    ask()
