"""The production engine: beat runs the schedule of `outbox.sweeps`, workers on any number of hosts run the sweeps."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("paravent")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_ignore_result=True,
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    # Our handler stays, and with it the formatter that takes webhook tokens out of every line.
    worker_hijack_root_logger=False,
)
app.autodiscover_tasks(["outbox"])


@app.on_after_finalize.connect  # type: ignore[untyped-decorator, unused-ignore]
def plan_sweeps(sender: Celery, **_kwargs: Any) -> None:
    """Fill beat's schedule. Not at import: apps above `outbox` add their sweeps when they are ready."""
    from outbox import sweeps  # noqa: PLC0415  needs the apps

    sender.conf.beat_schedule = {
        f"{sweep.name}-{lane}": {
            "task": "outbox.sweep",
            "schedule": sweep.every,
            "args": (sweep.name,),
            # A hint that no worker took in time is worth nothing: the next one says the same.
            "options": {"expires": max(2.0, sweep.every * 2)},
        }
        for sweep in sweeps.schedule()
        for lane in range(sweep.parallel)
    }
