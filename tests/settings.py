"""The settings of every test: `config.settings` read from this environment and from nothing else.

pytest-django loads settings before any conftest, so the environment is set here.
"""

from __future__ import annotations

import base64
import os

for name in [name for name in os.environ if name.startswith("PARAVENT_") and not name.startswith("PARAVENT_TEST_")]:
    del os.environ[name]
os.environ.update(
    PARAVENT_DEMO="1",
    PARAVENT_SECRET_KEY="only-for-tests-" + "0123456789abcdefghijklmnopqrstuvwxyz",
    PARAVENT_MASTER_KEY=base64.b64encode(b"only-for-tests-master-key-32byte").decode(),
    PARAVENT_PUBLIC_URL="https://hotline.example.org",
    PARAVENT_ALLOWED_HOSTS="testserver,127.0.0.1,localhost",
    PARAVENT_ENGINE="embedded",
    PARAVENT_MAIL_URL="memorymail://",
    PARAVENT_DESTINATION_REPLIES_PER_DAY="100000",
    PARAVENT_COUNTRY_REPLIES_PER_HOUR="1000000",
)
if url := os.environ.get("PARAVENT_TEST_DATABASE_URL"):
    os.environ["PARAVENT_DATABASE_URL"] = url

from config.settings import *  # noqa: E402, F403
