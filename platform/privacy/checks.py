from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from . import keys


@register(Tags.security)
def master_key_present(**_kwargs: Any) -> list[CheckMessage]:
    """privacy.E001: without a master key nothing starts (SECURITY.md 4.2, fail closed)."""
    try:
        keys.current()
    except ImproperlyConfigured as problem:
        return [Error(str(problem), id="privacy.E001")]
    return []
