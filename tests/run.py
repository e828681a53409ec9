"""`make test`: every test on SQLite, on PostgreSQL again what touches the database; and a word on what was left out.

PostgreSQL and Redis are started as they are needed (`tests/services.py`). Tests that start whole processes or a browser
bring their own database, so they run once.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests import services, shared, with_services  # noqa: E402  this file is run, not imported

_NOTHING_COLLECTED = 5


def pytest(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """pytest in two processes more than there are cores, because many tests wait for processes of ours.

    0 where it passed or there was nothing to run.
    """
    processes = len(os.sched_getaffinity(0)) + 2
    command = [sys.executable, "-m", "pytest", "--quiet", f"--numprocesses={processes}", "--dist=worksteal"]
    command += ["--durations=25", "--durations-min=5", *arguments]
    status = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode
    return 0 if status == _NOTHING_COLLECTED else status


def main(arguments: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="paravent-shared-") as folder:
        return _both({shared.FOLDER: folder}, arguments)


def _both(environment: Mapping[str, str], arguments: Sequence[str]) -> int:
    start = time.monotonic()
    _say("on SQLite")
    status = pytest(["-m", "not postgresql", *arguments], environment)
    left_out = [line for line in (_missing(services.find_postgresql), _missing(services.find_redis)) if line]
    with services.ended_by_signals(), contextlib.suppress(services.Missing), services.postgresql() as server:
        _say("on PostgreSQL")
        again = {**environment, "PARAVENT_TEST_DATABASE_URL": server.url(), with_services.ONLY_DATABASE: "1"}
        status = pytest(["-m", "postgresql or not (browser or processes or once)", *arguments], again) or status
    for line in left_out:
        _say(f"LEFT OUT: {line}")
    _say(f"{'failed' if status else 'passed'} in {time.monotonic() - start:.0f} s")
    return status


def _missing(find: Callable[[], Path]) -> str:
    """The line that says what is missing, or "" where it is there."""
    try:
        find()
    except services.Missing as error:
        return f"tests that need it, because {error}"
    return ""


def _say(line: str) -> None:
    sys.stdout.write(f"== {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
