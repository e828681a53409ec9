"""What the operating system and the database's log say about the processes under load."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.services import PostgreSQL

_TICKS = os.sysconf("SC_CLK_TCK")
_STATEMENT = re.compile(r" LOG: +(?:statement|execute [^:\n]*):\s+(\w+)")
_TRANSACTION = frozenset({"BEGIN", "COMMIT", "ROLLBACK"})


@dataclass(frozen=True)
class Cpu:
    """Seconds of CPU, user and system, since the processes started."""

    web: float
    database: float

    @property
    def total(self) -> float:
        return self.web + self.database

    def __add__(self, other: Cpu) -> Cpu:
        return Cpu(self.web + other.web, self.database + other.database)

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(self.web - other.web, self.database - other.database)


@dataclass(frozen=True)
class Memory:
    """Mebibytes. PSS divides what processes share among them, so that a sum of it is true."""

    name: str
    resident: float
    proportional: float


@dataclass(frozen=True)
class Statements:
    """Per message: statements that read or write, and those that only begin or end a transaction."""

    working: float
    transaction: float


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *_children(int(child))]
    return found


def _cpu(pid: int) -> float:
    """Of `pid` and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(value) for value in fields[11:15]) / _TICKS


def _memory(name: str, pid: int) -> Memory:
    kilobytes = dict(re.findall(r"^(Rss|Pss): +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE))
    return Memory(name, int(kilobytes["Rss"]) / 1024, int(kilobytes["Pss"]) / 1024)


class Pids:
    """The web server's processes, and the database's."""

    def __init__(self, guard: int, server: PostgreSQL) -> None:
        self._web = _children(guard)
        self._postmaster = int((server.socket_folder / "data/postmaster.pid").read_text().split()[0])

    def cpu(self) -> Cpu:
        database = [self._postmaster, *_children(self._postmaster)]
        return Cpu(sum(map(_cpu, self._web)), sum(map(_cpu, database)))

    def memory(self) -> list[Memory]:
        """The supervisor, its helper, and the processes that answer, each by itself."""
        roles = {pid: _role(pid, first=pid == self._web[0]) for pid in self._web}
        return [_memory(role, pid) for pid, role in roles.items()]


def _role(pid: int, *, first: bool) -> str:
    if first:
        return "web: supervisor"
    helper = "resource_tracker" in Path(f"/proc/{pid}/cmdline").read_text()
    return "web: supervisor's helper" if helper else "web: answering process"


def busy() -> float:
    """Seconds of CPU that anything on this machine used since it started, what a hypervisor took away included."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def statements_in(log: str, messages: int) -> Statements:
    """Count the statements in PostgreSQL's `log` (log_statement = all) of `messages` messages."""
    verbs = Counter(verb.upper() for verb in _STATEMENT.findall(log))
    transaction = sum(verbs[verb] for verb in _TRANSACTION)
    return Statements((verbs.total() - transaction) / messages, transaction / messages)
