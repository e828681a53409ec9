"""A process of its own for each rehearsal: no setting, key or row of the installation is in it."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings


def environment(folder: Path) -> Mapping[str, str]:
    """What a rehearsing process is started with: random keys, and a SQLite database in `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARAVENT_")}
    return {
        **kept,
        "PARAVENT_DEMO": "1",
        "PARAVENT_DATA_DIR": str(folder),
        "PARAVENT_DATABASE_URL": f"sqlite:///{folder / 'rehearsal.sqlite3'}",
        "PARAVENT_SECRET_KEY": secrets.token_urlsafe(48),
        "PARAVENT_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "PARAVENT_MAIL_URL": "memorymail://",
        "PARAVENT_CURRENCY": settings.CURRENCY,
    }
