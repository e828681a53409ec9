"""`make raid`: every trace of SECURITY.md 3.5 through the real code, over several seeds, with the bars of 3.7.

The figures come from `manage.py rehearse`, so from a provider's ledger and the trace's truth. It ends with 1 where a
bar is missed, and writes its table into docs/shield.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.raid.verdict import RUNS, Bar, Run, failures, table

ROOT = Path(__file__).resolve().parents[2]
_BEGIN, _END = "<!-- make raid -->", "<!-- end of make raid -->"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make raid")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--raid", type=int, default=100_000, help="messages of a raid")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", nargs="*", help="these traces")
    parser.add_argument("--write", metavar="FILE", help="put the table into this page")
    options = parser.parse_args()
    runs = [run for run in RUNS if not options.only or run.trace in options.only]
    began = time.monotonic()
    work = [(run, seed) for seed in range(1, options.seeds + 1) for run in runs]
    found: dict[Run, list[dict[str, Any]]] = {run: [] for run in runs}
    with ThreadPoolExecutor(options.jobs) as pool:
        for (run, seed), result in zip(work, pool.map(lambda one: rehearse(*one, options.raid), work), strict=True):
            found[run].append(result)
            _say(f"{run.label}, seed {seed}: {result['served_in_a_day']} of {result['genuine_senders']} genuine served")
    missed: list[Bar] = [bar for run in runs for bar in failures(run, found[run])]
    page = table(found, options.raid, time.monotonic() - began)
    _say(page)
    for bar in missed:
        _say(f"MISSED: {bar}")
    if options.write:
        _put(Path(options.write), page)
    return 1 if missed else 0


def rehearse(run: Run, seed: int, raid: int) -> dict[str, Any]:
    """The result of one trace, as `rehearse --json` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = Path(folder) / "report.json"
        arguments = [*run.arguments(raid), "--seed", str(seed), "--quiet", "--json", str(outcome)]
        command = [sys.executable, "manage.py", "rehearse", *arguments]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        [result] = json.loads(outcome.read_text())["results"]
        return dict(result)


def _put(page: Path, text: str) -> None:
    before, _begin, rest = page.read_text().partition(_BEGIN)
    _old, _end, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  a command's output


if __name__ == "__main__":
    sys.exit(main())
