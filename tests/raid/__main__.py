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
from pathlib import Path
from typing import Any

from tests import doc_pages
from tests.raid.verdict import RUNS, Bar, Run, failures, table

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make raid")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--raid", type=int, default=100_000, help="messages of a raid")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", nargs="*", help="these traces")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep each trace's report, and go on from there")
    parser.add_argument("--write", metavar="FILE", help="put the table into this page")
    options = parser.parse_args()
    runs = [run for run in RUNS if not options.only or run.trace in options.only]
    began = time.monotonic()
    found: dict[Run, list[dict[str, Any]]] = {}
    for run in runs:
        found[run] = rehearse(run, options)
        served, wrote = (sum(result[what] for result in found[run]) for what in ("served_in_a_day", "genuine_senders"))
        _say(f"{run.label}: {served} of {wrote} genuine senders served after {time.monotonic() - began:.0f} s")
    missed: list[Bar] = [bar for run in runs for bar in failures(run, found[run])]
    page = table(found, options.raid)
    _say(page)
    for bar in missed:
        _say(f"MISSED: {bar}")
    if options.write:
        doc_pages.put(Path(options.write), "raid", f"{page}\n")
    return 1 if missed else 0


def rehearse(run: Run, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The results of one trace, one for each seed, as `rehearse --json` writes them."""
    with tempfile.TemporaryDirectory() as folder:
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
        outcome = (options.keep or Path(folder)) / f"{run.label} {options.seeds} {options.raid}.json"
        if outcome.exists():
            return list(json.loads(outcome.read_text())["results"])
        command = [sys.executable, "manage.py", "rehearse", *run.arguments(options.raid), "--quiet"]
        command += ["--seeds", str(options.seeds), "--jobs", str(options.jobs), "--json", str(outcome)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return list(json.loads(outcome.read_text())["results"])


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  a command's output


if __name__ == "__main__":
    sys.exit(main())
