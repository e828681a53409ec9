"""The web process. In the embedded default it also runs the sweeps, in one thread."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django
from django.conf import settings

from privacy import keys

from .requests import Handler

django.setup(set_prefix=False)
application = Handler()
keys.current()  # without a master key nothing is served (SECURITY.md 4.2)

from inbox import drain  # noqa: E402  its models need what was set up above

drain.start()
if settings.ENGINE == "embedded":
    from outbox import embedded

    embedded.start()
