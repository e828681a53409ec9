"""Redis killed, emptied, stopped, full (SECURITY.md F7): the webhook's answers stay right, and sending catches up."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

import pytest
import redis as redis_client
from tests.faults import site, whole
from tests.faults.whole import Whole
from tests.fleet import children

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("redis")]

MANY = 1000 if os.environ.get("PARAVENT_TEST_FAULTS") else 60
_FULL = 1_000_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole.running(tmp_path_factory.mktemp("redis")) as made:
        yield made


@contextlib.contextmanager
def killed(running: Whole) -> Iterator[None]:
    running.redis.kill()
    yield
    running.redis.start()


@contextlib.contextmanager
def flushed(running: Whole) -> Iterator[None]:
    with redis_client.Redis.from_url(running.redis.url) as client:
        client.flushall()
        yield
        client.flushall()


@contextlib.contextmanager
def stopped(running: Whole) -> Iterator[None]:
    assert running.redis._guard is not None
    (server,) = children(running.redis._guard.pid)
    os.kill(server, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server, signal.SIGCONT)


@contextlib.contextmanager
def full(running: Whole) -> Iterator[None]:
    with redis_client.Redis.from_url(running.redis.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", _FULL)
        assert fills(client)
        yield
        client.config_set("maxmemory", 0)
        client.flushall()


def fills(client: redis_client.Redis) -> bool:
    """Write until Redis refuses, for want of memory."""
    try:
        for number in range(10_000):
            client.set(f"junk-{number}", b"x" * 1000)
    except redis_client.ResponseError as error:
        return "OOM" in f"{type(error).__name__} {error}" or "maxmemory" in str(error)
    return False


@pytest.mark.parametrize(
    "fault", [killed, *(pytest.param(fault, marks=pytest.mark.proof) for fault in (flushed, stopped, full))]
)
def test_answers_stay_right_and_sending_catches_up(
    running: Whole, fault: Callable[[Whole], contextlib.AbstractContextManager[None]]
) -> None:
    known = len(running.site.acknowledged)
    with fault(running):
        assert site.answers(running.site, MANY, known) == {200: MANY}
        assert running.forge(40) == {403: 40}
    assert running.site.stored() == sorted(running.site.acknowledged)
    everybody = site.senders(known + MANY)
    running.eventually(lambda: running.states() == {"sent": len(everybody)})
    assert running.recipients() == everybody
