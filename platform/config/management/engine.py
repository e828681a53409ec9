"""What the commands of the production engine have in common."""

from __future__ import annotations

import importlib.util

from django.conf import settings
from django.core.management.base import CommandError


def require_celery() -> None:
    """Raise `CommandError` with what to do where Celery cannot run."""
    if importlib.util.find_spec("celery") is None:
        raise CommandError(
            "Celery is not installed. Install requirements/production.txt, or stay with the embedded engine: then "
            "`manage.py serve` alone sends the replies, and this command is not needed. Nothing was started."
        )
    if not settings.REDIS_URL:
        raise CommandError(
            "PARAVENT_REDIS_URL is not set. Celery needs Redis or Valkey, like redis://localhost:6379/0. Without it "
            "`manage.py serve` alone sends the replies, and this command is not needed. Nothing was started."
        )
    if settings.ENGINE != "celery":
        raise CommandError(
            f"PARAVENT_ENGINE is {settings.ENGINE}: the web process sends the replies. Unset it, or set it to celery "
            "everywhere. Nothing was started."
        )
