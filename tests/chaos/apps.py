from __future__ import annotations

import os
from pathlib import Path

from django.apps import AppConfig


class ChaosConfig(AppConfig):
    name = "tests.chaos"
    label = "chaos"
    path = str(Path(__file__).parent)

    def ready(self) -> None:
        from tests.chaos import points

        points.install()
        points.hurry()
        points.end_raids()
        if os.environ.get(points.BREAK) == "retry":
            points.retry_what_is_unknown()
