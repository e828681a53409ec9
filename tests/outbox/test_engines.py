"""The two engines run the same sweeps: a thread of the one process, and Celery."""

from __future__ import annotations

import datetime
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.utils import timezone
from tests.outbox.carrier import Carrier, written
from tests.processes import production, python
from tests.world import World

from config.celery import app, plan_sweeps
from conversations.models import Reply
from outbox import clock, embedded, faults, release, send, sweeps, tasks
from outbox.sweeps import Sweep


class Quick:
    """Sweeps that only count, and whether all of them ran often enough."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.often = threading.Event()
        self.threads: set[int] = set()

    def sweep(self, name: str, error: Exception | None = None) -> Sweep:
        def run() -> int:
            self.runs[name] += 1
            self.threads.add(threading.get_ident())
            if len(self.runs) == 2 and min(self.runs.values()) >= 3:
                self.often.set()
            if error is not None:
                raise error
            return 0

        run.__name__ = name
        return Sweep(run, every=0.0, parallel=2)  # no turn to take, so no database


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[Quick]:
    made = Quick()
    failing = made.sweep("failing", RuntimeError("number 33639980101 could not be read"))
    monkeypatch.setattr(embedded, "schedule", lambda: (failing, made.sweep("working")))
    monkeypatch.setattr(embedded, "_PAUSE", 0.001)
    monkeypatch.setattr(embedded, "close_old_connections", lambda: None)
    yield made
    embedded.stop()


def ended(thread: threading.Thread | None) -> None:
    assert thread is not None
    embedded.stop()
    thread.join(30)
    assert not thread.is_alive()


def test_the_thread_goes_on_whatever_a_sweep_raises(quick: Quick, caplog: pytest.LogCaptureFixture) -> None:
    thread = embedded.start()
    assert quick.often.wait(30)
    ended(thread)
    line = next(record.getMessage() for record in caplog.records)
    told = "sweep failing failed, its rows are kept and it runs again: RuntimeError at test_engines.py:"
    assert line.startswith(told)
    assert "3363998" not in caplog.text


def test_there_is_one_thread_in_a_process(quick: Quick) -> None:
    thread = embedded.start()
    assert [embedded.start(), embedded.start()] == [None, None]
    assert quick.often.wait(30)
    ended(thread)
    assert len(quick.threads) == 1
    quick.often.clear()
    again = embedded.start()
    assert quick.often.wait(30)
    ended(again)


def test_the_thread_survives_a_connection_that_cannot_be_closed(
    quick: Quick, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refusals = iter(range(3))

    def close() -> None:
        if next(refusals, None) is not None:
            raise OSError("the server closed the connection")

    monkeypatch.setattr(embedded, "close_old_connections", close)
    thread = embedded.start()
    assert quick.often.wait(30)
    ended(thread)
    assert "no connection to run it with: OSError at test_engines.py:" in caplog.text


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """A sweep of an app above the outbox, which adds it when it is ready."""

    def empty_spool() -> int:
        return 0

    monkeypatch.setattr(sweeps, "_schedule", dict(sweeps._schedule))
    sweep = Sweep(empty_spool, every=10.0)
    sweeps.add(sweep)
    return sweep


def test_the_outboxs_own_sweeps() -> None:
    assert [(sweep.name, sweep.parallel, sweep.aside) for sweep in sweeps.schedule()[:9]] == [
        ("release_replies", 1, False),
        ("send_replies", 4, False),
        ("keep_promises", 1, False),
        ("settle_budgets", 1, False),
        ("keep_inbound_budgets", 1, True),
        ("tell_alerts", 1, False),
        ("tidy_budgets", 1, False),
        ("keep_blocks", 1, False),
        ("daily_summary", 1, False),
    ]


def test_a_name_is_on_the_schedule_once(added: Sweep) -> None:
    before = sweeps.schedule()
    with pytest.raises(ValueError, match="there is a sweep empty_spool already"):
        sweeps.add(replace(added, every=1.0))
    assert sweeps.schedule() == before


def test_the_thread_runs_what_other_apps_added(monkeypatch: pytest.MonkeyPatch, added: Sweep) -> None:
    seen: list[Sweep] = []

    def run(sweep: Sweep) -> None:
        if not sweep.aside:
            seen.append(sweep)
        if sweep == added:
            embedded.stop()

    monkeypatch.setattr(embedded, "run_once", run)
    thread = embedded.start()
    assert thread is not None
    thread.join(30)
    assert not thread.is_alive()
    assert seen == [sweep for sweep in sweeps.schedule() if not sweep.aside]


def test_what_waits_for_others_keeps_nothing_of_ours_waiting(quick: Quick, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, over = threading.Event(), threading.Event()

    def wait() -> int:
        hanging.set()
        over.wait(30)
        return 0

    ours = embedded.schedule()
    monkeypatch.setattr(embedded, "schedule", lambda: (Sweep(wait, every=0.0, parallel=2, aside=True), *ours))
    thread = embedded.start()
    assert hanging.wait(30)
    assert quick.often.wait(30)
    embedded.stop()
    assert thread is not None
    assert thread.is_alive()
    over.set()
    ended(thread)


def test_beat_names_every_sweep_in_each_of_its_lanes(added: Sweep) -> None:
    plan_sweeps(app)
    entries = app.conf.beat_schedule
    assert Counter(entry["args"] for entry in entries.values()) == {
        (sweep.name,): sweep.parallel for sweep in sweeps.schedule()
    }
    assert {(entry["task"], entry["args"][0], entry["schedule"]) for entry in entries.values()} == {
        ("outbox.sweep", sweep.name, sweep.every) for sweep in sweeps.schedule()
    }
    assert all(entry["options"]["expires"] >= 2 * entry["schedule"] for entry in entries.values())


def test_beats_schedule_is_made_when_the_apps_are_ready_and_not_before(tmp_path: Path) -> None:
    """In a process of its own, as `celery -A config.celery` imports it: before Django is set up."""
    steps = (
        "from config.celery import app",
        "assert not app.conf.beat_schedule",
        "app.loader.init_worker()",
        "app.finalize()",
        "from outbox import sweeps",
        "planned = {entry['args'][0] for entry in app.conf.beat_schedule.values()}",
        "assert planned == {sweep.name for sweep in sweeps.schedule()}, planned",
        "print(len(planned) >= 4)",
    )
    environment = production(f"sqlite:///{tmp_path / 'unused.sqlite3'}", tmp_path, "redis://127.0.0.1:1/0")
    assert python(environment, "-c", "\n".join(steps)) == "True\n"


def test_a_sweep_of_another_version_is_told_and_ends_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    assert tasks.sweep.apply(args=["of_tomorrow"]).successful()
    assert "sweep of_tomorrow is not known here" in caplog.text


def test_celery_knows_the_task_that_beat_names() -> None:
    app.loader.import_default_modules()
    assert "outbox.sweep" in app.tasks
    assert app.conf.task_acks_late is False
    assert app.conf.task_ignore_result is True


def test_a_task_runs_its_sweep(world: World, carrier: Carrier) -> None:
    assert written(world.north.hotline) is not None
    for name in ("release_replies", "send_replies"):
        tasks.sweep.apply(args=[name], throw=True)
    assert [call.text for call in carrier.ledger] == ["Réponse de North."]
    assert Reply.objects.get().state == "sent"


def test_a_task_that_fails_says_nothing_personal(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault() -> int:
        raise ValueError("33639980101")

    monkeypatch.setitem(sweeps._schedule, "send_replies", Sweep(fault, every=1.0, parallel=4))
    with caplog.at_level(logging.INFO):
        assert tasks.sweep.apply(args=["send_replies"]).successful()
    assert "ValueError at test_engines.py:" in caplog.text
    assert "3363998" not in caplog.text


def test_sending_ends_when_its_time_is_over(world: World, carrier: Carrier) -> None:
    for number in range(3):
        assert written(world.north.hotline, f"3363998010{number}") is not None
    sweeps.release_replies()
    assert sweeps.send_replies(seconds=0) == 0
    assert sweeps.send_replies() == 3


def test_a_run_releases_all_that_is_due_and_not_one_batch(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    batches = [100, 100, 3, 0, 99]
    monkeypatch.setattr(release, "release_due", lambda _now, closed: batches.pop(0))
    assert (sweeps.release_replies(), batches) == (203, [99])
    batches[:] = [100, 100]
    monkeypatch.setattr(sweeps, "_RELEASING", 0)
    assert (sweeps.release_replies(), batches) == (100, [100])


def test_promises_are_kept_by_the_sweep(world: World) -> None:
    rows = {}
    for number, (state, hours) in enumerate([("claimed", 1), ("unknown", 25), ("released", 25)]):
        reply = written(world.north.hotline, f"3363998010{number}")
        assert reply is not None
        moment = timezone.now() - datetime.timedelta(hours=hours)
        Reply.objects.filter(pk=reply.pk).update(
            state=state, text_sealed=b"sealed", claimed_at=moment, claim_token=reply.uuid, expires_at=moment
        )
        rows[state] = reply
    assert sweeps.keep_promises() == 3
    for state, expected in (("claimed", "unknown"), ("unknown", "unknown_final"), ("released", "expired")):
        rows[state].refresh_from_db()
        assert rows[state].state == expected


def test_the_databases_clock_dates_a_claim(world: World, carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its host's clock runs before or after: claims and their expiry use one clock."""
    minutes = datetime.timedelta(minutes=10)
    monkeypatch.setattr(clock.sql, "clock_ahead", lambda: minutes)
    dated = []
    monkeypatch.setattr(send, "record", lambda reply, *_rest: dated.append(reply.claimed_at))
    assert written(world.north.hotline) is not None
    sweeps.release_replies()
    before = timezone.now()
    sweeps.send_replies(seconds=5)
    assert before + minutes <= dated[0] <= timezone.now() + minutes
    assert sweeps.keep_promises() == 0


def test_a_fault_is_named_by_its_kind_and_place() -> None:
    def inner() -> None:
        raise KeyError("33639980101")

    with pytest.raises(KeyError) as caught:
        inner()
    line = inner.__code__.co_firstlineno
    assert faults.named(caught.value) == f"KeyError at test_engines.py:{line + 1} < test_engines.py:{line + 4}"
    assert faults.named(ValueError("33639980101")) == "ValueError"
