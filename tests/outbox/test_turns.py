"""A sweep that is not parallel runs once in a period over all hosts, whatever number of them has a scheduler."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from tests.outbox.test_concurrency import at_once

from outbox import pace, sweeps, tasks
from outbox.models import SweepTurn
from outbox.sweeps import Sweep

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


class Counted:
    """A sweep that counts its runs."""

    def __init__(self, every: float, parallel: int = 1) -> None:
        self.runs = 0

        def counted() -> int:
            self.runs += 1
            return 0

        self.sweep = Sweep(counted, every=every, parallel=parallel)


@pytest.fixture
def many_hosts(settings: Any, our_clock: None) -> None:
    settings.ENGINE = "celery"


@given(
    every=st.sampled_from([1.0, 30.0, 300.0]),
    phases=st.lists(st.floats(0, 0.999), min_size=1, max_size=5),
    late=st.lists(st.floats(0, 0.3), min_size=20, max_size=20),
)
def test_once_in_a_period_whatever_the_schedulers_phases(every: float, phases: list[float], late: list[float]) -> None:
    """Never more than one run for each period that began, and none is left out where a scheduler came in time."""
    moments = sorted(
        NOON + SECOND * every * (period + phase + late[period]) for period in range(20) for phase in phases
    )
    rule, free_at, runs = pace.of_sweep(every), NOON, []
    for moment in moments:
        after = pace.moved(free_at, rule, moment)
        if after is not None:
            free_at = after
            runs.append(moment)
    passed = (runs[-1] - runs[0]).total_seconds() / every
    assert len(runs) <= passed + 2
    assert len(runs) >= 20 * 2 // 3


@pytest.mark.usefixtures("many_hosts", "db")
def test_the_first_host_runs_it_and_the_others_do_not() -> None:
    counted = Counted(every=30.0)
    with time_machine.travel(NOON, tick=False) as traveller:
        for _host in range(3):
            counted.sweep.run_safely()
        assert counted.runs == 1
        traveller.shift(29)
        counted.sweep.run_safely()
        assert counted.runs == 1
        traveller.shift(1)
        for _host in range(3):
            counted.sweep.run_safely()
        assert counted.runs == 2
    assert SweepTurn.objects.get().name == "counted"


@pytest.mark.usefixtures("many_hosts", "db")
def test_a_host_that_dies_in_its_run_delays_the_sweep_by_one_period(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(every=30.0)

    class Killed(BaseException):
        pass

    def dies() -> int:
        raise Killed

    dies.__name__ = counted.sweep.name
    with time_machine.travel(NOON, tick=False) as traveller:
        with pytest.raises(Killed):
            Sweep(dies, every=30.0).run_safely()
        traveller.shift(30)
        counted.sweep.run_safely()
    assert counted.runs == 1


@pytest.mark.usefixtures("many_hosts", "db")
def test_a_clock_that_was_set_back_ends_no_sweep() -> None:
    counted = Counted(every=30.0)
    for moment in (NOON, NOON - datetime.timedelta(hours=1)):
        with time_machine.travel(moment, tick=False):
            counted.sweep.run_safely()
    assert counted.runs == 2


@pytest.mark.usefixtures("many_hosts", "db")
def test_what_may_run_side_by_side_takes_no_turn() -> None:
    counted = Counted(every=1.0, parallel=4)
    for _ in range(4):
        counted.sweep.run_safely()
    assert (counted.runs, SweepTurn.objects.exists()) == (4, False)


@pytest.mark.usefixtures("many_hosts", "db")
def test_a_task_of_two_schedulers_runs_its_sweep_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(every=300.0)
    monkeypatch.setitem(sweeps._schedule, "counted", counted.sweep)
    for _scheduler in range(2):
        tasks.sweep.apply(args=["counted"], throw=True)
    assert counted.runs == 1


@pytest.mark.usefixtures("db")
def test_the_one_thread_on_sqlite_writes_no_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(every=1.0)
    monkeypatch.setattr(sweeps, "connection", type("One", (), {"vendor": "sqlite"}))
    for _ in range(3):
        counted.sweep.run_safely()
    assert (counted.runs, SweepTurn.objects.exists()) == (3, False)


@pytest.mark.usefixtures("db", "our_clock")
def test_processes_that_share_a_server_take_turns_with_any_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(every=1.0)
    monkeypatch.setattr(sweeps, "connection", type("Shared", (), {"vendor": "postgresql"}))
    with time_machine.travel(NOON, tick=False):
        for _ in range(3):
            counted.sweep.run_safely()
    assert counted.runs == 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_of_many_schedulers_at_the_same_moment_one_runs(settings: Any) -> None:
    settings.ENGINE = "celery"
    counted = Counted(every=3600.0)
    at_once(*[counted.sweep.run_safely] * 8)
    assert counted.runs == 1
