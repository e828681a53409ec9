"""The production engine: beat runs the schedule of `outbox.sweeps`, workers on any number of hosts run the sweeps."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from outbox.sweeps import SCHEDULE

app = Celery("paravent")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_ignore_result=True,
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    # Our handler stays, and with it the formatter that takes webhook tokens out of every line.
    worker_hijack_root_logger=False,
    beat_schedule={
        f"{sweep.name}-{lane}": {
            "task": "outbox.sweep",
            "schedule": sweep.every,
            "args": (sweep.name,),
            # A hint that no worker took in time is worth nothing: the next one says the same.
            "options": {"expires": max(2.0, sweep.every * 2)},
        }
        for sweep in SCHEDULE
        for lane in range(sweep.parallel)
    },
)
app.autodiscover_tasks(["outbox"])
