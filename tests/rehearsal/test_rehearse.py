"""`manage.py rehearse`, as a person runs it: in small, one seed of each raid (SECURITY.md 3.7)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.processes import ROOT, production

pytestmark = pytest.mark.processes

#: A day with 40 genuine senders and 400 messages of a raid; what the budget pays is less than half of what comes.
SMALL = ("--days", "1", "--genuine", "120", "--day-budget", "8", "--seed", "3")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As an operator does, on an installation whose database cannot be reached."""
    environment = production("postgresql://nobody@127.0.0.1:1/nothing", folder)
    command = [sys.executable, "manage.py", "rehearse", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def rehearsed(folder: Path, *arguments: str) -> dict[str, Any]:
    report = folder / "report.json"
    done = run(folder, *arguments, "--json", str(report))
    assert done.returncode == 0, done.stderr
    [result] = json.loads(report.read_text())["results"]
    return dict(result)


@pytest.mark.proof
def test_a_quiet_day_is_answered_as_if_there_were_no_shield(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    found = rehearsed(tmp_path, "quiet", "--days", "1", "--genuine", "120", "--html", str(page))
    assert found["served_in_a_day"] == found["served_in_an_hour"] == found["genuine_senders"] == 40
    assert (found["false_alarms"], found["false_blocks"], found["noticed_after_seconds"]) == (0, 0, None)
    assert found["with_shield"] == found["without_shield"]
    assert "<svg" in page.read_text()


@pytest.mark.proof
def test_a_number_whose_inbound_budget_is_spent_receives_nothing_until_midnight(tmp_path: Path) -> None:
    spent = ("--inbound-budget", "0.20", "--price-in", "0.01")
    found = rehearsed(tmp_path, "quiet", "--days", "1", "--genuine", "120", *spent)
    received = found["messages"] - found["undelivered"]
    assert float(found["inbound_cost"]["amount"]) == pytest.approx(received * 0.01)
    # It is noticed at the look after next, and what comes until then is paid for; some are of two segments.
    assert 10 <= received <= 30
    assert 0 < found["served_in_a_day"] < found["genuine_senders"]


@pytest.mark.long
@pytest.mark.parametrize("trace", ["mix"])  # of all kinds at once; `make raid` has each of them, at ten seeds
def test_a_raid_is_noticed_and_genuine_senders_are_answered(tmp_path: Path, trace: str) -> None:
    found = rehearsed(tmp_path, trace, *SMALL, "--raid", "400")
    assert found["served_in_a_day"] >= found["genuine_senders"] - 1
    assert found["false_blocks"] == found["days_over_budget"] == 0
    assert found["noticed_after_seconds"] is not None
    assert found["noticed_after_seconds"] <= 180
    assert found["with_shield"]["replies_to_raid"] < found["without_shield"]["replies_to_raid"] * 0.6
    assert float(found["with_shield"]["cost"]["amount"]) <= 3 * 8


@pytest.mark.proof
def test_a_trace_is_saved_and_read_again(tmp_path: Path) -> None:
    saved = tmp_path / "trace.jsonl"
    done = run(tmp_path, "quiet", "--days", "1", "--genuine", "30", "--save", str(saved))
    assert done.returncode == 0, done.stderr
    assert str(saved) in done.stdout
    found = rehearsed(tmp_path, "--from", str(saved))
    assert found["genuine_senders"] == found["served_in_a_day"] == 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "There are: quiet, heavy,"),
        (("flood",), "flood"),
        (("copy", "--raid", "0"), "Nothing was rehearsed."),
        (("quiet", "--raid", "500"), "Nothing was rehearsed."),
        (("--from", "/nowhere/at/all"), "Nothing was rehearsed."),
        (("quiet", "--from", "/nowhere"), "Name a trace, or a file"),
        (("quiet", "--on-stage", "/tmp/x"), "Nothing was done."),
    ],
)
def test_what_cannot_be_rehearsed_is_said_in_a_sentence(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr
