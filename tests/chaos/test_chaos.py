"""`make chaos` in small: the same processes, ledgers and verdict, every kind of fault once, and no word about times."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests import services
from tests.processes import ROOT

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.xdist_group("chaos")]


def chaos(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A run of `python -m tests.chaos`, of which nothing is inherited. Skips where a server is missing."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PARAVENT_", "DJANGO_"))}
    command = [sys.executable, "-m", "tests.chaos", "--untimed", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, check=False)
    if done.returncode == 2:
        pytest.skip(done.stderr.strip())
    return done


def has_postgresql() -> bool:
    try:
        services.find_postgresql()
    except services.Missing:
        return False
    return True


@pytest.mark.postgresql
def test_nothing_is_lost_and_nothing_is_sent_twice_whatever_dies_on_postgresql() -> None:
    done = chaos("--messages", "600", "--rate", "20", "--scale", "60")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(
    has_postgresql() and not os.environ.get("PARAVENT_TEST_FAULTS"), reason="a minute and a half, as on PostgreSQL"
)
def test_nothing_is_lost_and_nothing_is_sent_twice_whatever_dies_on_sqlite() -> None:
    done = chaos("--sqlite", "--messages", "200", "--rate", "6", "--scale", "60")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.postgresql
@pytest.mark.skipif(
    not os.environ.get("PARAVENT_TEST_FAULTS"), reason="a minute and a half; test_verdict.py has it in small"
)
def test_a_retry_on_time_out_is_found() -> None:
    done = chaos("--retry-on-timeout", "--messages", "300", "--rate", "25", "--scale", "60")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the seeded bug was found" in done.stderr
