"""docs/benchmarks.md: what was measured, on what, how, and how to repeat it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.load import Measured
from tests.bench.machine import Cpu, Memory, Statements

MOST_STATEMENTS = 5
_PACKAGES = ("Django", "djangorestframework", "granian", "psycopg")


_METHOD = """\
## Method

One granian server with {run.workers} processes of {run.threads} threads serves all cases, with production's settings
and middleware; only the URLs of (a), (a') and (f) are added (`tests/bench/urls.py`). Every webhook carries both of
Plivo's signature families and a new nonce, and is signed before the clock starts. Each of {run.connections}
kept-alive connections sends its next request when the last one was answered; every answer must be 200, or 304 for
(h). {rounds} rounds, with every case in each: {counts} requests, and {run.lead} of the same kind before its clock
starts, so that what a case leaves to be done a moment later, as (c) and (e) do, is done within its own time. The
ratio is the median of the rounds' ratios; requests per second and latencies are medians of the rounds. Afterwards the
rows are counted: a message that was answered 200 and is not in the database makes the run void. The load generator,
one thread of `tests/bench/load.py`, took {share:.0%} of the machine's processors.

(a) is what anybody writes with the framework. (a') spares its way of answering, as our webhook does. (f) is
the same as (a) for an address that is read: a small JSON, without a database. What (c) leaves for later is counting:
the message is on disk when it is answered.

Blocked senders came over the limit by messages of their own. No worker runs: what is measured is the webhook up to the
stored decision; sending is not its work.

## How to repeat it

    make bench                # needs PostgreSQL's server programs; writes this page
    make bench PROFILE=1      # where the time of one webhook goes, step by step

It ends with an error where a floor does not hold: {floors}.
"""


@dataclass(frozen=True)
class Case:
    """`floor` is the least share of the empty view's requests per second that passes; None where none is set.

    `base` is the key of that empty view, and `status` what every answer must be.
    """

    key: str
    label: str
    floor: float | None = None
    base: str = "a"
    status: int = 200


@dataclass
class Result:
    """`cpu` is what web and database used over all rounds, for the `sent` requests, those before the clock included."""

    case: Case
    rounds: list[Measured] = field(default_factory=list)
    cpu: Cpu = field(default_factory=lambda: Cpu(0.0, 0.0))
    sent: int = 0

    def add(self, cpu: Cpu, sent: int) -> None:
        """Count a round with its lead, and with what was done after its last answer."""
        self.cpu += cpu
        self.sent += sent

    @property
    def per_second(self) -> float:
        return statistics.median(measured.per_second for measured in self.rounds)

    @property
    def requests(self) -> int:
        return sum(measured.requests for measured in self.rounds)

    @property
    def seconds(self) -> float:
        return sum(measured.seconds for measured in self.rounds)

    def latency(self, share: float) -> float:
        return statistics.median(measured.latency(share) for measured in self.rounds)

    def ratio_to(self, base: Result) -> float:
        """The median of the rounds' own ratios: a slow minute of the machine then counts on both sides."""
        pairs = zip(self.rounds, base.rounds, strict=True)
        return statistics.median(mine.per_second / other.per_second for mine, other in pairs)


@dataclass(frozen=True)
class Run:
    """Everything one `make bench` found. `others` is the share of the machine that processes not ours took."""

    results: Mapping[str, Result]
    memory: Sequence[Memory]
    statements: Mapping[str, Statements]
    connections: int
    workers: int
    threads: int
    others: float
    postgresql: str
    lead: int

    def failures(self) -> list[str]:
        """One line for each floor that does not hold."""
        problems = []
        for result in self.results.values():
            ratio, floor, base = result.ratio_to(self.results[result.case.base]), result.case.floor, result.case.base
            if floor is not None and ratio < floor:
                problems.append(f"({result.case.key}) reaches {ratio:.2f} of ({base}); the floor is {floor:.2f}")
        if self.statements["b"].working > MOST_STATEMENTS:
            problems.append(f"(b) takes {self.statements['b'].working:.1f} statements; at most {MOST_STATEMENTS}")
        return problems


def page(run: Run) -> str:
    head = [
        "# Benchmarks",
        "",
        "Written by `make bench`. Nothing here is a promise; the ratios are what later work must not lower.",
        "",
    ]
    tables = "\n".join([*head, *_machine(run), *_table(run), *_resources(run)])
    return f"{tables}\n" + "\n\n".join(_method(run)).rstrip() + "\n"


def _machine(run: Run) -> list[str]:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    failures = run.failures()
    return [
        f"- Date: {datetime.now(UTC):%Y-%m-%d}",
        f"- Machine: {machine()}",
        f"- Software: Python {platform.python_version()}, {versions}, PostgreSQL {run.postgresql} (fsync on)",
        f"- Other work on the machine meanwhile: {run.others:.0%} of its processors",
        f"- Floors: {'; '.join(failures) if failures else 'all hold'}",
        "",
    ]


def _table(run: Run) -> list[str]:
    lines = [
        "| case | requests/s | ratio | floor | median ms | 99 % ms | web µs | database µs | statements |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for key, result in run.results.items():
        statements = run.statements.get(key)
        cells = [
            f"({key}) {result.case.label}",
            f"{result.per_second:.0f}",
            f"{result.ratio_to(run.results[result.case.base]):.2f} of ({result.case.base})",
            "" if result.case.floor is None else f"{result.case.floor:.2f}",
            f"{result.latency(0.5) * 1000:.1f}",
            f"{result.latency(0.99) * 1000:.1f}",
            f"{result.cpu.web / result.sent * 1e6:.0f}",
            f"{result.cpu.database / result.sent * 1e6:.0f}",
            "" if statements is None else f"{statements.working:.2f} + {statements.transaction:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return [
        *lines,
        "",
        "Statements are per message, by PostgreSQL's own log; the second figure counts those that only begin or end a",
        "transaction. Web and database are microseconds of processor time per request, user and system.",
        "",
    ]


def _resources(run: Run) -> list[str]:
    lines = [
        "| process | resident MB | proportional MB |",
        "|---|--:|--:|",
        *(f"| {memory.name} | {memory.resident:.0f} | {memory.proportional:.0f} |" for memory in run.memory),
    ]
    return [
        *lines,
        "",
        "After the last round. The proportional figure (PSS) divides what processes share, so it may be added up.",
        "",
    ]


def _method(run: Run) -> list[str]:
    rounds = len(run.results["a"].rounds)
    share = sum(m.own_cpu for r in run.results.values() for m in r.rounds) / (
        sum(r.seconds for r in run.results.values()) * _cores()
    )
    counts = ", ".join(f"{r.rounds[0].requests} for ({key})" for key, r in run.results.items())
    text = _METHOD.format(run=run, rounds=rounds, counts=counts, share=share, floors=_floors(run))
    return [textwrap.fill(part, 118) if part[:1].isalpha() else part for part in text.split("\n\n")]


def _floors(run: Run) -> str:
    parts = [f"({k}) {r.case.floor:.2f} of ({r.case.base})" for k, r in run.results.items() if r.case.floor is not None]
    return f"{', '.join(parts)}, and at most {MOST_STATEMENTS} statements for (b)"


def machine() -> str:
    """What it was measured on, in a line."""
    return f"{_cores()} cores of {_processor()}, {_memory()} GB, Linux {platform.release().split('-')[0]}"


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _processor() -> str:
    match = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()


def _memory() -> int:
    match = re.search(r"^MemTotal: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return round(int(match[1]) / 1024**2) if match else 0
