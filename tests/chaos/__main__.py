"""`make chaos`: the code and the commands of production, on two cores that also carry the load and the faults.

PostgreSQL (fsync on) and Redis, two web processes with a spool each, two workers, two schedulers, and a fake Plivo
that fails as SECURITY.md 2.7 asks. Processes are killed with `kill -9` at named points and at random, the database is
stopped at once, Redis forgets, a disk is full. The verdict comes from the ledgers of the load generator and of the fake
Plivo, and from the rows that are left at the end.

`--retry-on-timeout` seeds the bug that the design exists to avoid: then duplicates must be reported.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests import processes, services
from tests.acceptance import site
from tests.acceptance.delivery import Target
from tests.chaos import disk, evidence, faults, generator, plan, points, report, verdict
from tests.chaos.evidence import Database, Evidence, OnPostgreSQL, OnSQLite
from tests.chaos.faults import Director, Measure
from tests.fleet import Fleet

#: Shares of the calls to the provider (SECURITY.md 2.7), and some refusals for good: a reply may fail, and must say so.
PROVIDER_FAULTS = (
    "reset-before=0.01,429:1=0.005,slow:2.5+accept=0.015,reset-after+accept=0.01,500+accept=0.005,400=0.003"
)
_WORKER_PROCESSES = 4
#: Faults that are still to come may need some time after the load; then everything must be sent.
_LAST_FAULTS = 60.0
_LONGEST_DRAIN = 420.0
#: A lease, the time to settle and two sweeps of a minute fit into it: what has not changed for so long stays as it is.
_QUIET = 150.0


@dataclass(frozen=True)
class Options:
    messages: int
    rate: float
    scale: float
    seed: int
    sqlite: bool = False
    retry_on_timeout: bool = False
    timed: bool = True
    keep: Path | None = None


@dataclass
class Stage:
    """Everything that runs, and where it writes."""

    fleet: Fleet
    database: Database
    outage: faults.Stoppable
    redis: services.Redis | None
    targets: dict[str, Target]
    ledger: Path
    armed: Path
    small_disk: Path | None
    spools: list[Path]


def run(options: Options) -> Evidence:
    """One run from an empty database to what is left of it. Raises `Missing` where a server cannot be had."""
    _say(f"{options.messages:,} messages are planned and signed")
    wanted = plan.make(options.messages, options.seed)
    manner = generator.Manner(options.rate, options.scale, seed=options.seed)
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paravent-chaos-")))
        folder.mkdir(parents=True, exist_ok=True)
        stage = _sqlite(stack, folder, options) if options.sqlite else _postgresql(stack, folder, options)
        waiting = generator.parcels(wanted.messages, stage.targets, len(stage.fleet.web_ports), manner)
        for number in range(len(stage.fleet.web_ports)):
            stage.fleet.wait_for_web(number)
        load = generator.Generator(stage.fleet.web_ports, manner, waiting)
        found = _loaded(stage, load, wanted, options)
        if options.keep is not None:
            report.keep(folder, found)
        return found


def _loaded(stage: Stage, load: generator.Generator, wanted: plan.Plan, options: Options) -> Evidence:
    measure = Measure.of(options.messages)
    coming = faults.planned(measure, stage.fleet, redis=stage.redis is not None, seed=options.seed)
    director = Director(
        stage.fleet,
        stage.outage,
        stage.redis,
        stage.armed,
        stage.small_disk,
        load,
        measure,
        coming,
    )
    with director:
        _say(f"the load begins, {options.rate:.0f} messages a second, {len(coming)} faults")
        load.run(_progress(load, stage))
        _say(f"{load.share:.2%} were accepted; waiting until all is sent")
        _wait(lambda: director.idle, _LAST_FAULTS)
        drained = _drained(stage, load)
    stage.fleet.stop()
    calls, resets = evidence.calls(stage.ledger, load.began)
    fired = points.fired(stage.armed)
    ended = Counter(stage.fleet.ended_alone)
    of_web, of_worker = (
        sum(times for name, times in ended.items() if name.startswith(kind)) for kind in ("web", "worker")
    )
    pool_kills = sum(point in points.IN_WORKER for point in fired) + director.done[faults.child_of("worker")]
    redis_kills = measure.redis if stage.redis is not None else 0
    return Evidence(
        plan=wanted,
        attempts=load.attempts,
        calls=calls,
        resets=resets,
        messages=evidence.messages(stage.database),
        replies=evidence.replies(stage.database),
        unbalanced=evidence.unbalanced(stage.database),
        outages=director.outages,
        drained=drained,
        missed_faults=list(faults.missed(director)),
        ended_alone=evidence.ended_alone(ended, redis_kills, pool_kills, stage.fleet.log),
        faults={
            **Counter(f"kill -9 at {point}" for point in fired),
            **director.done,
            "web processes that ended because their workers were killed": of_web,
            "workers that ended because Redis, or one of their processes, was killed": of_worker,
        },
    )


def _drained(stage: Stage, load: generator.Generator) -> float:
    """Wait until nothing is on its way any more, or nothing moves; returns when the last thing moved.

    This asks the application only how long to wait.
    """
    before, moved, until = (-1, -1, -1), load.now, load.now + _LONGEST_DRAIN
    while load.now < until and load.now - moved < _QUIET:
        with contextlib.suppress(RuntimeError, FileNotFoundError):
            waiting = sum(path.stat().st_size for spool in stage.spools for path in spool.glob("*.spool"))
            now = waiting, evidence.still_open(stage.database), stage.ledger.stat().st_size
            if now[:2] == (0, 0):
                return load.now
            if now != before:
                before, moved = now, load.now
        time.sleep(0.5)
    _say(f"gave up waiting: {before[0]} bytes in the spools, {before[1]} replies are not finished")
    return moved


def _wait(there: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not there() and time.monotonic() < until:
        time.sleep(0.5)


def _progress(load: generator.Generator, stage: Stage) -> Callable[[], None]:
    """Say now and then how far it is."""
    told = [0.0]

    def tick() -> None:
        if load.now - told[0] >= 20:
            told[0] = load.now
            sent = stage.ledger.read_bytes().count(b"\n")
            _say(f"{load.now:4.0f} s: {load.share:.1%} accepted, {len(load.attempts):,} requests, {sent:,} calls")

    return tick


# --- what runs --------------------------------------------------------------------------------------------------------
def _environment(folder: Path, database_url: str, redis_url: str | None, port: int, options: Options) -> dict[str, str]:
    armed = folder / "points"
    (armed / points.FIRED).mkdir(parents=True)
    more = {points.FOLDER: str(armed), "DJANGO_SETTINGS_MODULE": "tests.chaos.settings"}
    if options.retry_on_timeout:
        more[points.BREAK] = "retry"
    return site.environment(database_url, folder / "data", redis_url, port, **more)


def _postgresql(stack: ExitStack, folder: Path, options: Options) -> Stage:
    server = stack.enter_context(services.postgresql(durable=True))
    redis = stack.enter_context(services.redis_server())
    plivo = services.free_port()
    environment = _environment(folder, server.create_database("paravent"), redis.url, plivo, options)
    targets = _seeded(environment)
    fleet = stack.enter_context(Fleet(folder))
    spools, small_disk = [], None
    for number in range(2):
        data = folder / f"web {number}"
        data.mkdir()
        if number == 1 and stack.enter_context(disk.small(data)):
            small_disk = data
        spools.append(data / "spool")
        fleet.add_web({**environment, "PARAVENT_DATA_DIR": str(data)}, services.free_port())
    for number in range(2):
        name = f"worker {number}"
        fleet.add(name, partial(processes.worker, environment, fleet.log(name), processes=_WORKER_PROCESSES))
        name = f"scheduler {number}"
        fleet.add(name, partial(processes.scheduler, environment, fleet.log(name)))
    ledger = _plivo(stack, folder, environment, plivo, targets, fleet.web_ports, options)
    outage = faults.Crashing(server)
    armed = folder / "points"
    return Stage(fleet, OnPostgreSQL(server), outage, redis, targets, ledger, armed, small_disk, spools)


def _sqlite(stack: ExitStack, folder: Path, options: Options) -> Stage:
    path, plivo, data = folder / "paravent.sqlite3", services.free_port(), folder / "web 0"
    environment = _environment(folder, f"sqlite:///{path}", None, plivo, options)
    environment |= {"PARAVENT_ENGINE": "embedded", "PARAVENT_DATA_DIR": str(data)}
    targets = _seeded(environment)
    data.mkdir()
    small_disk = data if stack.enter_context(disk.small(data)) else None
    fleet = stack.enter_context(Fleet(folder))
    fleet.add_web(environment, services.free_port(), threads=2)
    ledger = _plivo(stack, folder, environment, plivo, targets, fleet.web_ports, options)
    outage = faults.Locked(path)
    armed, spools = folder / "points", [data / "spool"]
    return Stage(fleet, OnSQLite(path), outage, None, targets, ledger, armed, small_disk, spools)


def _seeded(environment: dict[str, str]) -> dict[str, Target]:
    processes.manage(environment, "migrate", "--verbosity", "0")
    return site.seeded(environment, "tests.acceptance.seed", ["1", "1", "1", "", "fr"])


def _plivo(
    stack: ExitStack,
    folder: Path,
    environment: dict[str, str],
    port: int,
    targets: dict[str, Target],
    web_ports: Sequence[int],
    options: Options,
) -> Path:
    ledger = folder / "plivo.jsonl"
    ledger.touch()
    more = ["--faults", PROVIDER_FAULTS, "--seed", str(options.seed), "--reports", "sent,delivered"]
    more += ["--report-to", ",".join(f"http://127.0.0.1:{web}" for web in web_ports)]
    more += ["--report-delay", "0.5", "--report-retries", "1,2,4,8,8,8"]
    stack.enter_context(site.fake_plivo(environment, folder / "plivo.log", ledger, port, targets.values(), *more))
    return ledger


def _say(line: str) -> None:
    sys.stderr.write(f"== {line}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="distinct ones (%(default)s)")
    parser.add_argument("--rate", type=float, default=165.0, help="messages that arrive per second (%(default)s)")
    parser.add_argument(
        "--scale", type=float, default=6.0, help="Plivo's waiting times are divided by it (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=2017)
    parser.add_argument("--sqlite", action="store_true", help="SQLite, one web process with the embedded engine")
    parser.add_argument("--retry-on-timeout", action="store_true", help="the seeded bug: duplicates must be reported")
    parser.add_argument("--untimed", action="store_true", help="show times and do not judge them")
    parser.add_argument("--keep", type=Path, help="a folder for both ledgers, the rows and the logs")
    parser.add_argument("--write", type=Path, help="a page to put the result into, between its marks")
    given = parser.parse_args(arguments)
    options = Options(
        given.messages,
        given.rate,
        given.scale,
        given.seed,
        sqlite=given.sqlite,
        retry_on_timeout=given.retry_on_timeout,
        timed=not given.untimed,
        keep=given.keep,
    )
    if not disk.own_namespace():
        _say("LEFT OUT: the full disk, because mounting takes root")
    try:
        with services.ended_by_signals():
            found = verdict.judge(run(options), timed=options.timed)
    except services.Missing as error:
        _say(f"nothing was proven: {error}")
        return 2
    sys.stdout.write(verdict.table(found) + "\n")
    if given.write is not None:
        report.write(given.write, found, arguments)
    if options.retry_on_timeout:
        return _of_broken(found)
    return 0 if found.passed else 1


def _of_broken(found: verdict.Verdict) -> int:
    """1 where the seeded bug was found, as for any run that failed; 3 where it was not."""
    if found.count(verdict.SECOND):
        _say(f"the seeded bug was found: {found.count(verdict.SECOND)} duplicates")
        return 1
    _say("the seeded bug was NOT found")
    return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
