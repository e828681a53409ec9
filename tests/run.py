"""`make test`: every test on SQLite, then every test again on PostgreSQL, and a plain word on what was left out.

The second run starts PostgreSQL and Redis itself (`tests/services.py`). Tests that start whole processes or a browser
bring their own database, so they run once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests import services  # noqa: E402  this file is run, not imported

_NOTHING_COLLECTED = 5


def pytest(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """pytest in as many processes as there are cores; 0 where it passed or there was nothing to run."""
    command = [sys.executable, "-m", "pytest", "--quiet", "--numprocesses=auto", "--dist=worksteal", *arguments]
    status = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode
    return 0 if status == _NOTHING_COLLECTED else status


def main(arguments: Sequence[str]) -> int:
    start = time.monotonic()
    _say("on SQLite")
    status = pytest(["-m", "not postgresql", *arguments], {})
    left_out: list[str] = []
    with services.ended_by_signals(), services.everything() as started:
        left_out += started.missing
        if "PARAVENT_TEST_DATABASE_URL" in started.environment:
            _say("on PostgreSQL")
            only_once = "postgresql or not (browser or processes)"
            status = pytest(["-m", only_once, *arguments], started.environment) or status
    for line in left_out:
        _say(f"LEFT OUT: {line}")
    _say(f"{'failed' if status else 'passed'} in {time.monotonic() - start:.0f} s")
    return status


def _say(line: str) -> None:
    sys.stdout.write(f"== {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
