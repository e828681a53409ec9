"""`make acceptance` in small: the same processes, kills and verdict, with fewer senders."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.processes import ROOT


@pytest.mark.long
@pytest.mark.processes
@pytest.mark.postgresql
def test_nothing_is_lost_answered_twice_or_over_the_limit() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PARAVENT_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.acceptance", "--senders", "20", "--messages", "8"],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 2:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
