"""What happens to the run, and when: by the share of the messages that was accepted, the same for the same seed."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from tests import processes
from tests.chaos import disk, points
from tests.chaos.evidence import Outage
from tests.chaos.generator import Generator
from tests.chaos.verdict import FULL_DISK
from tests.fleet import Fleet
from tests.services import PostgreSQL, Redis

#: Between these shares of the work something may happen. Of a reply that is lost before the carrier's log has shown
#: anything of ours, absence is never believed, and it would stay unknown.
_FIRST, _LAST = 0.1, 0.95
#: A process that has just been started again is left alone for so long.
_RESPITE = 3.0
_TICK = 0.1
#: How long we wait for a web process to answer.
_PATIENCE = 30.0


class Stoppable(Protocol):
    """A database that can be taken away, for so many seconds at least; `what` is what that is called."""

    what: str
    least_seconds: float

    def stop(self) -> None: ...

    def start(self) -> None: ...


@dataclass
class Crashing:
    """PostgreSQL: `pg_ctl stop -m immediate`, and a start that recovers."""

    server: PostgreSQL
    what: str = "pg_ctl stop -m immediate"
    least_seconds: float = 0.0

    def stop(self) -> None:
        self.server.stop_immediately()

    def start(self) -> None:
        self.server.start()


@dataclass
class Locked:
    """SQLite: somebody else holds the whole file, as a backup that hangs does."""

    path: Path
    what: str = "database file held by another process"
    #: A web process waits 2 s for a lock; twice that must pass before the disk is full, and once more while it is.
    least_seconds: float = 10.0
    _holder: sqlite3.Connection | None = None

    def stop(self) -> None:
        self._holder = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        self._holder.execute("BEGIN IMMEDIATE")

    def start(self) -> None:
        if self._holder is not None:
            self._holder.execute("ROLLBACK")
            self._holder.close()
            self._holder = None


@dataclass(frozen=True)
class Fault:
    at: float
    name: str
    argument: str = ""


@dataclass(frozen=True)
class Measure:
    """How much of what happens in one run. A web process takes seconds to come back, a worker's child none."""

    each_web_point: int
    each_worker_point: int
    crashes: int
    outage_seconds: float
    redis: int
    kills: int

    @classmethod
    def of(cls, messages: int) -> Measure:
        """100,000 messages meet each of the workers' points ten times, and four crashes of the database."""
        return cls(
            each_web_point=max(1, messages // 33_000),
            each_worker_point=max(1, messages // 10_000),
            crashes=max(1, messages // 33_000),
            outage_seconds=10.0 if messages >= 10_000 else 4.0,
            redis=max(1, messages // 50_000),
            kills=max(1, messages // 50_000),
        )


def planned(measure: Measure, fleet: Fleet, *, redis: bool, seed: int) -> list[Fault]:
    """The faults of a run in the order in which they happen. The long outage is in its middle."""
    chance = random.Random(seed)
    found: list[Fault] = []
    armed = [*points.IN_WEB] * measure.each_web_point + [*points.IN_WORKER] * measure.each_worker_point
    found += [Fault(chance.uniform(_FIRST, _LAST), "point", point) for point in armed]
    for name in fleet.running:
        for _ in range(measure.kills):
            found.append(Fault(chance.uniform(_FIRST, _LAST), "kill", name))
            if name != "scheduler":
                found.append(Fault(chance.uniform(_FIRST, _LAST), "kill child", name))
    found += [Fault((number + 0.7) / (measure.crashes + 1), "crash") for number in range(measure.crashes)]
    found.append(Fault(0.5, "outage"))
    if redis:
        found += [Fault((number + 0.8) / (measure.redis + 1), "redis") for number in range(measure.redis)]
    return sorted(found, key=lambda fault: fault.at)


@dataclass
class Director:
    """Does the faults in a thread of its own while the load runs, and starts again what ended."""

    fleet: Fleet
    database: Stoppable
    redis: Redis | None
    armed: Path
    #: The folder of one web process, on a disk that can be full; None where there is none.
    small_disk: Path | None
    load: Generator
    measure: Measure
    faults: list[Fault]
    outages: list[Outage] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="faults")
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def idle(self) -> bool:
        """Whether all faults are done and every armed point was reached."""
        return not self.faults and not self.waiting_points()

    def waiting_points(self) -> list[str]:
        return [path.name for path in self.armed.iterdir() if path.is_file()]

    def _run(self) -> None:
        try:
            while not self._stop.wait(_TICK):
                self.fleet.tend()
                while self.faults and self.faults[0].at <= self.load.share and not self._stop.is_set():
                    fault = self.faults[0]
                    if fault.name == "point" and (self.armed / fault.argument).exists():
                        break  # the last one of this name has not been reached yet
                    self._do(self.faults.pop(0))
        except Exception as error:  # noqa: BLE001  the verdict must say it
            self.failed.append(f"{type(error).__name__}: {error}")

    def _do(self, fault: Fault) -> None:
        # Nothing more happens to a site that is down as a whole: it would prove nothing.
        if fault.name == "outage":
            self._all_answer()
        else:
            self._until(lambda: self._answer(every=False))
        match fault.name:
            case "point":
                points.arm(self.armed, fault.argument)
            case "kill":
                self.fleet.kill(fault.argument)
                self.done[f"kill -9 of {_kind(fault.argument)}, with all its children"] += 1
                self._pause(_RESPITE)
            case "kill child":
                if self.fleet.kill_child(fault.argument):
                    self.done[child_of(_kind(fault.argument))] += 1
            case "crash":
                self._outage(0.0, full=False)
            case "outage":
                self._outage(self.measure.outage_seconds, full=True)
            case "redis":
                assert self.redis is not None
                self.redis.kill()
                self._pause(1.0)
                self.redis.start()
                self.done["Redis killed, started with empty memory"] += 1

    def _outage(self, seconds: float, *, full: bool) -> None:
        """The database is away for a while; in the long outage one web process's disk is full from its middle on."""
        seconds = max(seconds, self.database.least_seconds)
        start = self.load.now
        self.database.stop()
        if full:
            for point in points.IN_OUTAGE:
                points.arm(self.armed, point)
        self._pause(seconds / 2)
        if full and self.small_disk is not None:
            self._all_answer()  # a process that is dead meets no full disk
            refused = self.load.refused
            disk.fill(self.small_disk)
            self.done[FULL_DISK] += 1
            self._until(lambda: self.load.refused > refused or self.load.over)
        self._pause(seconds / 2)
        self.database.start()
        self.outages.append(Outage(start, self.load.now))
        self.done[self.database.what] += 1
        if full and self.small_disk is not None:
            disk.empty(self.small_disk)

    def _all_answer(self) -> None:
        """Wait for every web process, and the load with it: on a slow machine it would be over before the outage is."""
        self.load.held = True
        try:
            self._until(lambda: self._answer(every=True))
        finally:
            self.load.held = False

    def _answer(self, *, every: bool) -> bool:
        """Whether one web process, or every one, answers now."""
        return (all if every else any)(processes.answers(port, 1.0) for port in self.fleet.web_ports)

    def _until(self, there: Callable[[], bool]) -> None:
        """Wait for something that will come, and not for ever."""
        until = time.monotonic() + _PATIENCE
        while not there() and time.monotonic() < until and not self._stop.is_set():
            self._pause(_TICK)

    def _pause(self, seconds: float) -> None:
        """Wait, and start again what ends meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stop.wait(min(_TICK, left)):
            self.fleet.tend()


def child_of(kind: str) -> str:
    """Under which name `Director.done` counts the kills of single processes of such a server."""
    return f"kill -9 of one process of {kind}"


def _kind(name: str) -> str:
    return name.partition(" ")[0]


def missed(director: Director) -> Iterator[str]:
    """What was to happen and did not."""
    yield from (f"{fault.name} {fault.argument}" for fault in director.faults)
    yield from (f"nobody reached {point}" for point in director.waiting_points())
    yield from director.failed
