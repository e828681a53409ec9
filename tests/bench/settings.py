"""Production's settings, with one URL more: the empty view that everything is compared with."""

from __future__ import annotations

from config.settings import *  # noqa: F403

ROOT_URLCONF = "tests.bench.urls"
