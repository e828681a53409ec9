"""Delivering messages to the web processes as Plivo does, many at once, and writing down what became of each."""

from __future__ import annotations

import contextlib
import queue
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Self

from tests.acceptance.plan import Planned
from tests.acceptance.verdict import Delivery
from tests.bench import requests
from tests.bench.load import Connection

_THREADS = 16
#: Seconds between the deliveries of a message that was not accepted. Plivo waits 60, 120 and 240.
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Target:
    """Where the messages of one hotline go, and the credentials of its account at the provider."""

    path: str
    auth_id: str
    auth_token: str


@dataclass(frozen=True)
class _Parcel:
    message: str
    request: bytes
    port: int
    copy: int


def parcels(
    messages: Iterable[Planned], targets: Mapping[str, Target], ports: Sequence[int], *, fresh_ids: bool = False
) -> list[_Parcel]:
    """Every delivery of `messages`, signed. A copy comes right after the original, or much later, to either process.

    Some copies are the very same bytes, some are signed anew, as both happen. With `fresh_ids` the copies are made to
    look like new messages: the harness breaking its own promise, to see whether the verdict notices.
    """
    chance = random.Random(1)
    ready: list[_Parcel] = []
    later: list[_Parcel] = []
    for message in messages:
        target = targets[message.line.number]
        fields = requests.message_fields(message.line.number, message.sender, message.text, message.id)
        original = requests.signed(target.path, fields, target.auth_token)
        ready.append(_Parcel(message.id, original, chance.choice(ports), 0))
        for copy in range(1, message.copies + 1):
            again = original
            if fresh_ids:
                changed = requests.message_fields(message.line.number, message.sender, message.text)
                again = requests.signed(target.path, changed, target.auth_token)
            elif chance.random() < 0.5:
                again = requests.signed(target.path, fields, target.auth_token)
            parcel = _Parcel(message.id, again, chance.choice(ports), copy)
            (ready if chance.random() < 0.6 else later).append(parcel)
    return ready + later


def forgeries(messages: Iterable[Planned], targets: Mapping[str, Target], ports: Sequence[int]) -> list[_Parcel]:
    """Messages signed by somebody who does not have the token."""
    wrong = {number: replace(target, auth_token="not-the-token-of-this-account") for number, target in targets.items()}
    return parcels(messages, wrong, ports)


def deliver(
    waiting: Sequence[_Parcel], ports: Sequence[int], *, during: Mapping[float, Callable[[], None]] | None = None
) -> list[Delivery]:
    """Deliver all of `waiting` at once; returns the ledger.

    What gets no 2xx comes again, to the other process too, until it is accepted or the pauses are used up; a refusal
    (4xx) is final. `during` maps a share of the work done to what happens then.
    """
    work: queue.SimpleQueue[_Parcel] = queue.SimpleQueue()
    for parcel in waiting:
        work.put(parcel)
    ledger: list[Delivery] = []
    with ThreadPoolExecutor(_THREADS) as threads:
        running = [threads.submit(_work_off, work, ports, ledger) for _ in range(_THREADS)]
        for share, act in sorted((during or {}).items()):
            while 1 - work.qsize() / len(waiting) < share and not all(thread.done() for thread in running):
                time.sleep(0.01)
            act()
    for thread in running:
        thread.result()
    return ledger


def _work_off(work: queue.SimpleQueue[_Parcel], ports: Sequence[int], ledger: list[Delivery]) -> None:
    with _Line() as line, contextlib.suppress(queue.Empty):
        while True:
            _deliver(work.get_nowait(), ports, line, ledger)


def _deliver(parcel: _Parcel, ports: Sequence[int], line: _Line, ledger: list[Delivery]) -> None:
    port = parcel.port
    for pause in (0.0, *_PAUSES):
        time.sleep(pause)
        status = line.post(port, parcel.request)
        ledger.append(Delivery(parcel.message, status, time.time(), port, parcel.copy))
        if 200 <= status < 500:
            return
        port = ports[(ports.index(port) + 1) % len(ports)]


class _Line:
    """One thread's kept-alive connections, one to each web process."""

    def __init__(self) -> None:
        self._connections: dict[int, Connection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for connection in self._connections.values():
            connection.close()

    def post(self, port: int, request: bytes) -> int:
        """The answer's status, 0 where none came."""
        try:
            if port not in self._connections:
                self._connections[port] = Connection(port)
            return self._connections[port].exchange(request)
        except OSError:
            with contextlib.suppress(KeyError):
                self._connections.pop(port).close()
            return 0
