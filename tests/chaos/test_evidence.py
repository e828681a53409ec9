"""Which ends of processes the faults of a run explain."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.chaos import evidence

#: The line that Celery 5.7 writes when a process of its pool is dead before the worker is ready.
LOST = "CRITICAL celery.worker Unrecoverable error: WorkerLostError('Could not start worker processes')\n"


@pytest.mark.parametrize(
    ("ended", "redis_kills", "pool_kills", "lost", "unexplained"),
    [
        pytest.param({"worker 0": 1}, 1, 0, 0, [], id="Redis was killed"),
        pytest.param({"worker 0": 2}, 1, 1, 1, [], id="Redis was killed, and a process while it started"),
        pytest.param(
            {"worker 0": 2}, 1, 1, 0, ["worker 0: 2"], id="a process was killed, and that is not why it ended"
        ),
        pytest.param({"worker 0": 2}, 1, 0, 2, ["worker 0: 2"], id="its processes died though nobody killed one"),
        pytest.param({"worker 0": 1}, 0, 0, 0, ["worker 0: 1"], id="nothing happened to it"),
        pytest.param({"scheduler 1": 1}, 1, 1, 1, ["scheduler 1: 1"], id="a scheduler never ends"),
        pytest.param({"web 0": 3}, 0, 0, 0, [], id="granian ends it"),
    ],
)
def test_what_the_faults_do_not_explain_ended_by_itself(
    tmp_path: Path, ended: dict[str, int], redis_kills: int, pool_kills: int, lost: int, unexplained: list[str]
) -> None:
    log = tmp_path / "log"
    log.write_text("celery@host ready.\n" + LOST * lost)
    assert evidence.ended_alone(ended, redis_kills, pool_kills, lambda _name: log) == unexplained
