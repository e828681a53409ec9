"""A page that cannot be made says what happened, what was kept, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from django.test import Client, override_settings
from django.utils import translation
from tests.services import free_port
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


def test_a_second_factor_whose_counters_are_down_is_not_let_in_and_says_so(world: World) -> None:
    """allauth counts tries of codes in the default cache, which is Redis where there are several processes."""
    down = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": f"redis://127.0.0.1:{free_port()}/0",
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1},
    }
    world.north.owner.set_password("a-long-enough-phrase")
    world.north.owner.save()
    Authenticator.objects.create(user=world.north.owner, type=Authenticator.Type.TOTP, data={})
    client = Client(raise_request_exception=False, headers={"accept-language": "en"})
    client.force_login(world.north.owner)
    with override_settings(CACHES={**settings.CACHES, "default": down}):
        answer = client.post("/accounts/reauthenticate/", {"password": "a-long-enough-phrase"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert "tell whoever runs this platform that Redis is down" in answer.content.decode()
