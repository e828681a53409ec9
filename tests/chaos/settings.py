"""Production's settings, with shorter times for what takes minutes, and an app that can kill a process."""

from __future__ import annotations

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "tests.chaos.apps.ChaosConfig"]
#: A call that is answered late then costs a second and not five; the lease stays longer than five of it.
PROVIDER_TIMEOUT = 1.0
CLAIM_LEASE = 10
#: The fake Plivo's log has no lag.
SETTLE_TIME = 15
LOG_REQUESTS_PER_MINUTE = 1_000_000
