"""`make bench`: what a signed webhook costs, as a share of an empty view on the same server."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests import processes, services
from tests.bench import load, machine, report
from tests.bench.report import Case, Result, Run
from tests.bench.target import BLOCKED_SENDERS, REPLY_LIMIT, Target
from tests.services import PostgreSQL

CONNECTIONS = 8
WORKERS = 2
THREADS = 4
#: Requests of a case before its clock starts.
LEAD = 500
#: Cases that are fast, and get three times as many requests.
LONG = frozenset({"a", "a'", "c", "e", "f", "g", "h"})


CASES = (
    Case("a", "empty view: the same form parsed, the same XML rendered, no database"),
    Case("a'", "the same, answered with bytes instead of by the framework's renderer"),
    Case("b", "signed webhook, a new sender each time: stored, reply decided", 0.35),
    Case("c", "signed webhook, 200 blocked senders in turn: counted, nothing kept", 0.50),
    Case("d", "signed webhook, a known sender's next message: stored, reply decided"),
    Case("e", "signed webhook, one blocked sender alone"),
    Case("f", "empty view that is read: a small JSON, no database"),
    Case("g", "the number to show now, whole", base="f"),
    Case("h", "the same for who has it already", 0.9, "f", 304),
)


def measure(target: Target, port: int, rounds: int, count: int, pids: machine.Pids, spool: Path) -> dict[str, Result]:
    """Interleaved rounds, so that what else the machine does meets every case alike.

    Before the clock of a case starts it has run for a while, and before that nothing waits in the spool: what its
    requests leave to be done later is then done within its own time, as in a stream that does not end.
    """
    results = {case.key: Result(case) for case in CASES}
    for number in range(1, rounds + 1):
        for key, result in results.items():
            requests = target.prepared(key, count * (3 if key in LONG else 1) + LEAD)
            before = pids.cpu()
            answered(port, requests[:LEAD], result.case.status)
            result.rounds.append(answered(port, requests[LEAD:], result.case.status))
            drained(spool)
            result.add(pids.cpu() - before, len(requests))
        rates = ", ".join(f"({key}) {result.rounds[-1].per_second:.0f}/s" for key, result in results.items())
        sys.stderr.write(f"round {number}: {rates}\n")
    return results


def drained(spool: Path) -> None:
    """Return when nothing waits on disk. Raises `RuntimeError` where that takes a minute."""
    until = time.monotonic() + 60
    while any(_size(path) for path in spool.glob("*.spool")):
        if time.monotonic() > until:
            raise RuntimeError("the spool is not drained")
        time.sleep(0.02)


def _size(path: Path) -> int:
    """0 of one that was worked off meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def answered(port: int, prepared: Sequence[bytes], status: int = 200) -> load.Measured:
    """Send them all. Raises `RuntimeError` unless every one is answered so: an error is quick, and no result."""
    measured = load.run(port, prepared, CONNECTIONS)
    if measured.statuses != {status: measured.requests}:
        raise RuntimeError(f"answers were {dict(measured.statuses)}")
    return measured


def block_senders(target: Target, port: int) -> None:
    """Bring the blocked senders over the limit as in life, by messages; it warms everything up as well."""
    for _ in range(REPLY_LIMIT):
        answered(port, [target.request(i) for i in range(BLOCKED_SENDERS)])
    answered(port, [target.empty() for _ in range(500)])


def statements(target: Target, port: int, server: PostgreSQL, spool: Path) -> dict[str, machine.Statements]:
    """What one message of each case makes the server execute, by the server's own log."""
    counted = {}
    server.execute("ALTER SYSTEM SET log_statement = 'all'")
    server.execute("SELECT pg_reload_conf()")
    answered(port, target.prepared("b", 40))  # every pooled connection has seen the setting
    for key, count in (("b", 200), ("c", 200), ("d", 200)):
        start = server.log.stat().st_size
        answered(port, target.prepared(key, count))
        with server.log.open("rb") as log:
            log.seek(start)
            counted[key] = machine.statements_in(log.read().decode(errors="replace"), count)
    return counted


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--requests", type=int, default=700, help="of each case in each round; the fast ones get three times as many"
    )
    parser.add_argument("--write", type=Path, help="the page to write, docs/benchmarks.md")
    parser.add_argument("--profile", action="store_true", help="instead: where the time of one webhook goes")
    options = parser.parse_args(arguments)
    try:
        with (
            services.ended_by_signals(),
            tempfile.TemporaryDirectory(prefix="paravent-bench-") as folder,
            services.postgresql(durable=True) as server,
        ):
            return _bench(server, Path(folder), options)
    except services.Missing as error:
        sys.stderr.write(f"nothing was measured: {error}\n")
        return 2


def _bench(server: PostgreSQL, folder: Path, options: argparse.Namespace) -> int:
    url = server.create_database("paravent")
    environment = processes.production(url, folder, DJANGO_SETTINGS_MODULE="tests.bench.settings")
    processes.manage(environment, "migrate", "--verbosity", "0")
    processes.manage(environment, "collectstatic", "--no-input", "--verbosity", "0")
    processes.be_one_of_them(environment)
    from tests.bench import inside  # noqa: PLC0415  needs the settings that were just read

    target = inside.seed()
    if options.profile:
        return inside.profile(target)
    port = services.free_port()
    log = folder / "web.log"
    try:
        with processes.web(environment, port, log, workers=WORKERS, threads=THREADS) as process:
            block_senders(target, port)
            pids = machine.Pids(process.pid, server)
            all_before, ours_before, start = machine.busy(), pids.cpu().total + time.process_time(), time.monotonic()
            results = measure(target, port, options.rounds, options.requests, pids, folder / "spool")
            ours = pids.cpu().total + time.process_time() - ours_before
            others = (machine.busy() - all_before - ours) / (time.monotonic() - start) / len(os.sched_getaffinity(0))
            inside.check_rows(results["b"].sent + results["d"].sent, results["c"].sent + results["e"].sent)
            run = Run(
                results,
                pids.memory(),
                statements(target, port, server, folder / "spool"),
                connections=CONNECTIONS,
                workers=WORKERS,
                threads=THREADS,
                others=max(0.0, others),
                postgresql=server.execute("SHOW server_version").split()[0],
                lead=LEAD,
            )
    except RuntimeError as error:
        sys.stderr.write(f"{log.read_text(errors='replace')[-3000:]}\nthe run is void: {error}\n")
        return 1
    page = report.page(run)
    sys.stdout.write(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")
    failures = run.failures()
    for line in failures:
        sys.stderr.write(f"below the floor: {line}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
