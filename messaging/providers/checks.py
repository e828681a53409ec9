from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from . import registry


@register()
def every_provider_imports(**_kwargs: Any) -> list[CheckMessage]:
    """providers.E001: a line of the registry that names nothing is found at start, not by the first message."""
    problems: list[CheckMessage] = []
    for name in registry.names():
        try:
            provider = import_string(registry.PROVIDERS[name])
        except ImportError as error:
            problems.append(Error(f"providers.registry: {name}: {error}", id="providers.E001"))
        else:
            if provider.name != name:
                problems.append(Error(f"{registry.PROVIDERS[name]} calls itself {provider.name}", id="providers.E002"))
    return problems
