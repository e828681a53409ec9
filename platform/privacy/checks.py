from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from . import datakeys, keys


@register(Tags.security)
def master_key_present(**_kwargs: Any) -> list[CheckMessage]:
    """privacy.E001: without a master key nothing starts (SECURITY.md 4.2, fail closed)."""
    try:
        keys.current()
    except ImproperlyConfigured as problem:
        return [Error(str(problem), id="privacy.E001")]
    return []


@register(Tags.database)
def master_keys_fit(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """privacy.E002: with another key than the data's, every message would fail, and a new one would be half readable.

    A database that does not answer, or is not made yet, is no reason.
    """
    if not databases:
        return []
    try:
        return [Error(str(problem), id="privacy.E002") for problem in datakeys.missing_master_keys()]
    except (DatabaseError, ImproperlyConfigured):  # of a malformed or missing key tells privacy.E001
        return []
