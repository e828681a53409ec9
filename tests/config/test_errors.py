"""A page that cannot be made says what happened, what was kept, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from django.test import Client
from django.utils import translation
from tests.world import World

#: No log may tell it either: `tests.conftest` looks, and a traceback shows lines of source.
NUMBER = "33639980123"


def _failing(error: type[Exception]) -> Callable[..., Any]:
    def fail(_execute: Callable[..., Any], *_statement: Any) -> Any:
        raise error(f"connection to 10.0.0.7 failed, number {NUMBER}")

    return fail


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
@pytest.mark.parametrize(("language", "words"), [("fr", "La base de données ne répond pas"), ("en", "is not saved")])
def test_a_database_that_is_down_is_said_in_the_readers_language(
    world: World, error: type[Exception], language: str, words: str
) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(world.north.owner)
    with connection.execute_wrapper(_failing(error)):
        answer = client.get("/admin/conversations/conversation/", headers={"accept-language": language})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    page = answer.content.decode()
    assert words in page
    assert [secret for secret in ("10.0.0.7", NUMBER, "Traceback") if secret in page] == []
    with translation.override(language):
        assert client.get("/admin/").status_code == 200


def test_a_fault_of_ours_is_not_called_the_databases(world: World) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(world.north.owner)
    with connection.execute_wrapper(_failing(ProgrammingError)):
        answer = client.get("/admin/conversations/conversation/")
    assert answer.status_code == 500
    assert NUMBER not in answer.content.decode()
