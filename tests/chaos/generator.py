"""The load: messages that arrive when they like and are delivered again until they are accepted, as Plivo does it.

One thread and raw sockets, because it shares the machine with what it loads. What it writes down, in memory until the
end, is one half of the verdict.
"""

from __future__ import annotations

import contextlib
import heapq
import random
import selectors
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.acceptance.delivery import Target
from tests.bench import requests
from tests.bench.load import Connection
from tests.chaos.plan import Sms

#: Seconds Plivo waits for an answer, and between its deliveries of a message that was not accepted.
TIMEOUT = 8.0
PAUSES = (60.0, 120.0, 240.0)
_BODY = b"<Response/>"
_LOOK_EVERY = 0.2
#: A 2xx with another body than ours: it would be an order to Plivo.
WRONG_BODY = 599


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request. `status` is 0 where no answer came; seconds since the load began; `copy` 0 is the message itself."""

    message: str
    copy: int
    web: int
    start: float
    end: float
    status: int
    try_number: int


@dataclass(slots=True, eq=False)
class _Parcel:
    sms: Sms
    copy: int
    request: bytes
    web: int
    #: A copy of a message that was accepted comes so many seconds later; None for one that comes by its own time.
    after: float | None = None
    tries: int = 0
    due: float = 0.0


@dataclass(slots=True, eq=False)
class _Line:
    connection: Connection
    web: int
    parcel: _Parcel | None = None


@dataclass(frozen=True)
class Manner:
    """`rate` messages per second arrive on average; waiting times of the retries are Plivo's divided by `scale`."""

    rate: float
    scale: float
    again: float = 0.13
    connections: int = 48
    give_up_after: float = 300.0
    seed: int = 1


def sign(messages: Sequence[Sms], targets: Mapping[str, Target]) -> list[bytes]:
    """The request of each message, with a fresh nonce; many of them by all processors."""
    parts = [messages[start : start + 2000] for start in range(0, len(messages), 2000)]
    if len(parts) < 3:
        return [request for part in parts for request in _signed(part, targets)]
    with ProcessPoolExecutor() as pool:
        return [request for part in pool.map(_signed, parts, [targets] * len(parts)) for request in part]


def _signed(messages: Iterable[Sms], targets: Mapping[str, Target]) -> list[bytes]:
    signed = []
    for sms in messages:
        number = f"+{sms.pair[0]}"
        fields = requests.message_fields(number, sms.pair[1], sms.text, sms.id)
        signed.append(requests.signed(targets[number].path, fields, targets[number].auth_token))
    return signed


def parcels(messages: Sequence[Sms], targets: Mapping[str, Target], webs: int, manner: Manner) -> list[_Parcel]:
    """Everything to deliver: each message, and copies of some, after they were accepted or at the very same moment.

    Half of the copies are the same bytes, half are signed anew, as both happen.
    """
    chance = random.Random(manner.seed)
    again = [sms for sms in messages if chance.random() < manner.again]
    fresh = dict(zip((sms.id for sms in again), sign(again, targets), strict=True))
    found = []
    for sms, request in zip(messages, sign(messages, targets), strict=True):
        due = sms.at * len(messages) / manner.rate
        found.append(_Parcel(sms, 0, request, chance.randrange(webs), due=due))
        if sms.id in fresh:
            copied = request if chance.random() < 0.5 else fresh[sms.id]
            after = chance.choice([None, 0.0, chance.uniform(0, min(60.0, 0.3 * len(messages) / manner.rate))])
            found.append(_Parcel(sms, 1, copied, chance.randrange(webs), after, due=due))
    return found


@dataclass
class Generator:
    """Deliver `waiting` to the web processes on `ports`; `attempts` is the ledger, by seconds since `began`."""

    ports: Sequence[int]
    manner: Manner
    waiting: Sequence[_Parcel]
    attempts: list[Attempt] = field(default_factory=list)
    began: float = 0.0
    #: While any thread sets this nothing is delivered; what is left comes later by so much.
    held: bool = False
    #: Nothing is delivered any more.
    over: bool = False

    def __post_init__(self) -> None:
        self._chance = random.Random(self.manner.seed + 1)
        self._selector = selectors.DefaultSelector()
        self._copies = {parcel.sms.id: parcel for parcel in self.waiting if parcel.after is not None}
        self._messages = sum(parcel.copy == 0 for parcel in self.waiting)
        self._accepted: set[str] = set()
        self._events: list[tuple[float, int, _Parcel]] = []
        self._sequence = 0
        self._lines: set[_Line] = set()
        self._idle: list[list[_Line]] = [[] for _ in self.ports]
        self._queues: list[deque[_Parcel]] = [deque() for _ in self.ports]
        self._pauses = [pause / self.manner.scale for pause in PAUSES]
        self._zero = 0.0
        self._held_for = 0.0

    @property
    def share(self) -> float:
        """How much of the messages was accepted; any thread may ask."""
        return len(self._accepted) / self._messages

    @property
    def now(self) -> float:
        return time.perf_counter() - self._zero

    @property
    def refused(self) -> int:
        """How many requests were answered 503; any thread may ask."""
        return sum(attempt.status == 503 for attempt in self.attempts)

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        """Deliver everything. `tick` is called now and then, in this thread, and must be quick."""
        for parcel in self.waiting:
            if parcel.after is None:
                self._later(parcel.due, parcel)
        ends = max((parcel.due for parcel in self.waiting), default=0.0) + self.manner.give_up_after
        self.began, self._zero = time.time(), time.perf_counter()
        looked = 0.0
        try:
            while (self._events or self._in_flight) and self._load_time < ends:
                began, held = self.now, self.held
                while self._events and self._events[0][0] <= self._load_time and not held:
                    self._dispatch(heapq.heappop(self._events)[2])
                wait = self._events[0][0] - self._load_time if self._events and not held else _LOOK_EVERY
                self._receive(max(0.0, min(_LOOK_EVERY, wait)))
                self._held_for += self.now - began if held else 0.0
                if self.now - looked >= _LOOK_EVERY:
                    looked = self.now
                    self._look_at_the_time()
                    tick()
        finally:
            self.over = True
            for line in list(self._lines):
                self._drop(line)
            self._selector.close()

    @property
    def _load_time(self) -> float:
        """Seconds of load: what was held back is not counted."""
        return self.now - self._held_for

    @property
    def _in_flight(self) -> bool:
        return any(self._queues) or len(self._lines) > sum(map(len, self._idle))

    def _later(self, due: float, parcel: _Parcel) -> None:
        """Deliver it at that second of load."""
        parcel.due = due
        self._sequence += 1
        heapq.heappush(self._events, (due, self._sequence, parcel))

    def _dispatch(self, parcel: _Parcel) -> None:
        """Send it over a line that is free, a new one, or the next that becomes free."""
        parcel.due = self.now
        idle = self._idle[parcel.web]
        line = idle.pop() if idle else self._connected(parcel)
        if line is not None:
            self._send(line, parcel)

    def _connected(self, parcel: _Parcel) -> _Line | None:
        if sum(line.web == parcel.web for line in self._lines) >= self.manner.connections:
            self._queues[parcel.web].append(parcel)
            return None
        try:
            line = _Line(Connection(self.ports[parcel.web]), parcel.web)
        except OSError:
            self._answered(parcel, 0)
            return None
        self._lines.add(line)
        self._selector.register(line.connection.socket, selectors.EVENT_READ, line)
        return line

    def _send(self, line: _Line, parcel: _Parcel) -> None:
        line.parcel = parcel
        try:
            line.connection.send(parcel.request)
        except OSError:
            self._drop(line)
            self._answered(parcel, 0)

    def _receive(self, seconds: float) -> None:
        for key, _events in self._selector.select(seconds):
            line: _Line = key.data
            if line not in self._lines:
                continue
            try:
                status = line.connection.answered()
            except OSError:
                parcel = line.parcel
                self._drop(line)
                if parcel is not None:
                    self._answered(parcel, 0)
                continue
            if status is not None and line.parcel is not None:
                if status == 200 and not line.connection.received.endswith(_BODY):
                    status = WRONG_BODY
                self._free(line, line.parcel, status)

    def _free(self, line: _Line, parcel: _Parcel, status: int) -> None:
        line.parcel = None
        self._idle[line.web].append(line)
        self._answered(parcel, status)
        queue = self._queues[line.web]
        if queue and self._idle[line.web]:
            self._send(self._idle[line.web].pop(), queue.popleft())

    def _answered(self, parcel: _Parcel, status: int) -> None:
        """Write it down; what was not accepted comes again, perhaps to another process."""
        parcel.tries += 1
        start, end = parcel.due, self.now
        self.attempts.append(Attempt(parcel.sms.id, parcel.copy, parcel.web, start, end, status, parcel.tries))
        if not 200 <= status < 300:
            parcel.web = self._chance.randrange(len(self.ports))
            self._later(self._load_time + self._pauses[min(parcel.tries, len(self._pauses)) - 1], parcel)
            return
        self._accepted.add(parcel.sms.id)
        copy = self._copies.pop(parcel.sms.id, None)
        if copy is not None:
            self._later(self._load_time + (copy.after or 0.0), copy)

    def _look_at_the_time(self) -> None:
        for line in list(self._lines):
            parcel = line.parcel
            if parcel is not None and self.now - parcel.due > TIMEOUT:
                self._drop(line)
                self._answered(parcel, 0)
        for web, queue in enumerate(self._queues):
            # Lines that broke leave what waited for them: open new ones.
            for _ in range(len(queue)):
                if sum(line.web == web for line in self._lines) >= self.manner.connections:
                    break
                waiting = queue.popleft()
                fresh = self._connected(waiting)
                if fresh is not None:
                    self._send(fresh, waiting)

    def _drop(self, line: _Line) -> None:
        self._lines.discard(line)
        with contextlib.suppress(ValueError):
            self._idle[line.web].remove(line)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(line.connection.socket)
        line.connection.close()
