"""What every test stands on: sockets closed except loopback, a world of two NGOs."""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import socket
import time
import types
from collections.abc import Iterator
from typing import Any

import django_ratelimit.core
import pytest
from django.conf import settings
from django.core.cache import caches
from django.utils import translation
from hypothesis import settings as hypothesis_settings
from tests import migrated
from tests.with_services import postgresql_server, pytest_collection_modifyitems, redis_url
from tests.world import World, build_world
from whitenoise.middleware import WhiteNoiseMiddleware

__all__ = ["postgresql_server", "pytest_collection_modifyitems", "redis_url"]

from config import logs
from evidence import chaining
from inbox import drain, hooks, outage
from pages import kept
from privacy import datakeys, peppers
from shield import detector, judge

pytest_plugins = ["tests.demo_pages", "tests.order"]

# How long an example takes says how busy the machine is.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")

_connect = socket.socket.connect

#: A French mobile number, however it is written, as most senders of tests have. Of hotlines none begins so.
_NUMBER = re.compile(r"(?<![0-9a-fA-F])(?:\+33|0033|33)[67]\d{8}(?![0-9a-fA-F])")


def _loopback_only(self: socket.socket, address: Any) -> None:
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(host, str) and not host.startswith(("127.", "/", "::1", "localhost")):
        raise AssertionError(f"a test tried to reach {host}")
    _connect(self, address)


@pytest.fixture(autouse=True, scope="session")
def _closed_sockets() -> Iterator[None]:
    socket.socket.connect = _loopback_only  # type: ignore[method-assign]
    yield
    socket.socket.connect = _connect  # type: ignore[method-assign]


@pytest.fixture(autouse=True, scope="session")
def _static_files_are_found_once() -> Iterator[None]:
    """Every test client makes its own middleware, and each would look through all folders of static files."""
    find, found = WhiteNoiseMiddleware.add_files_from_finders, dict[str, Any]()

    def find_once(self: WhiteNoiseMiddleware) -> None:
        if not found:
            find(self)
            found.update(self.files)
        self.files.update(found)

    WhiteNoiseMiddleware.add_files_from_finders = find_once
    yield
    WhiteNoiseMiddleware.add_files_from_finders = find


@pytest.fixture(scope="session")
def _copying() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(migrated.copied())
        yield stack


@pytest.fixture(scope="session")
def django_db_setup(_copying: contextlib.ExitStack, django_db_setup: None) -> None:
    """As pytest-django's, with migrations that were applied once for all processes of a run."""
    _copying.close()


@pytest.fixture(autouse=True)
def _fresh_process(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test inherits what another left in this process's memory, or in its spool."""
    settings.SPOOL_DIR = tmp_path_factory.getbasetemp() / f"spool-{secrets.token_hex(6)}"
    outage.over()
    drain.forget()
    for cache in caches.all(initialized_only=True):
        cache.clear()
    hooks._clear()
    datakeys.forget()
    peppers.forget()
    judge.forget()
    chaining.forget()
    kept.forget_all()


@pytest.fixture
def in_english() -> Iterator[None]:
    """What is said outside a request is English."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def limiter_clock(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """The rate limiter's clock stands still until a test moves its `now`.

    Its windows are cut from wall time: a flood that met the end of one would be let through twice.
    """
    clock = types.SimpleNamespace(now=time.time())
    monkeypatch.setattr(django_ratelimit.core, "time", types.SimpleNamespace(time=lambda: clock.now))
    return clock


class _Listener(logging.Filter):
    """Hears every line as production writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.line = logs.Line(settings.LOGGING["formatters"]["line"]["format"])
        self.told: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        line = self.line.format(record)
        if _NUMBER.search(line):
            self.told.append(line)
        return True


@pytest.fixture(autouse=True)
def _no_number_in_a_log() -> Iterator[None]:
    """A log outlives what is erased, and is read by more people: no line of any test holds a sender's number."""
    listener, handlers = _Listener(), [*logging.getLogger().handlers]
    for handler in handlers:
        handler.addFilter(listener)
    yield
    for handler in handlers:
        handler.removeFilter(listener)
    assert listener.told == []


@pytest.fixture(autouse=True)
def _few_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of tests are of a few ranges: their blocks are all there are, and no crowd."""
    monkeypatch.setattr(detector, "_BLOCKS", 1)


@pytest.fixture(autouse=True)
def _fast_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def world(db: None) -> World:
    return build_world()
