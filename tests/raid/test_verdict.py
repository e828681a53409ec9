"""The verdict of `make raid` finds each bar that is missed, and passes what misses none."""

from __future__ import annotations

from typing import Any

import pytest
from tests.raid.verdict import RUNS, Run, failures, table

COPY, MIMIC, QUIET = Run("copy"), Run("mimic", lookalikes=2000), Run("quiet", days=10, raided=False)


def result(**changes: Any) -> dict[str, Any]:
    return {
        "genuine_senders": 1010,
        "served_in_a_day": 1010,
        "served_in_an_hour": 1000,
        "with_shield": {"replies": 1400, "replies_to_raid": 390, "cost": {"amount": "107.00"}},
        "without_shield": {"replies": 100_000, "replies_to_raid": 97_000, "cost": {"amount": "7630.00"}},
        "days_over_budget": 0,
        "false_blocks": 0,
        "false_alarms": 0,
        "noticed_after_seconds": 40.0,
        "detector_bytes": 3_000_000,
        "judging_seconds": 0.001,
        **changes,
    }


def test_a_run_that_misses_nothing_passes() -> None:
    assert failures(COPY, [result(), result(served_in_a_day=1009)]) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"served_in_a_day": 1007}, "99.8 %"),
        ({"served_in_an_hour": 950}, "within an hour"),
        ({"days_over_budget": 1}, "budget"),
        ({"false_blocks": 1}, "blocked"),
        ({"false_alarms": 2}, "false alarm"),
        ({"noticed_after_seconds": 181.0}, "3 minutes"),
        ({"noticed_after_seconds": None}, "3 minutes"),
        ({"detector_bytes": 100_000_000}, "100 MB"),
        ({"judging_seconds": 0.006}, "5 ms"),
    ],
)
def test_each_bar_that_is_missed_is_named(changes: dict[str, Any], words: str) -> None:
    missed = failures(COPY, [result(), result(**changes)])
    assert any(words in bar.what for bar in missed), missed


def test_all_seeds_together_must_reach_more_than_the_worst() -> None:
    missed = failures(COPY, [result(served_in_a_day=1008)] * 10)
    assert [bar.what for bar in missed] == ["99.9 % served"]


def test_lookalikes_are_measured_by_what_any_policy_can_do() -> None:
    """655 replies on each of three days, for 3,010 who cannot be told apart: 65 %, and ten points less are allowed."""
    assert failures(MIMIC, [result(served_in_a_day=560, served_in_an_hour=0, noticed_after_seconds=None)]) == []
    assert failures(MIMIC, [result(served_in_a_day=550)]) != []


def test_quiet_days_need_no_alarm() -> None:
    assert failures(QUIET, [result(noticed_after_seconds=None)]) == []


def test_no_result_is_a_failure() -> None:
    assert failures(COPY, []) != []


def test_the_table_names_each_trace_and_its_worst_seed() -> None:
    text = table({run: [result(), result(served_in_a_day=909)] for run in RUNS}, 100_000)
    assert text.count("| 2 | 95.00% (90.00%) |") == len(RUNS)
    assert "| copy |" in text
    assert "| no raid |" in text
    assert "40 s (40 s)" in text
