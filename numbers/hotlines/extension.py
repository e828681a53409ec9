"""Where apps above this one add to a hotline's page, because this one must not know them.

`conversations.admin` adds the box of blocks, `replies.admin` the box of texts:

    extension.add_panel(Panel(template="conversations/blocks_panel.html", context=blocks_of))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from .models import Hotline


@dataclass(frozen=True)
class Panel:
    """A box below the form. `context` gets the request and the hotline, whose reader may see it; None hides the box."""

    template: str
    context: Callable[[HttpRequest, Hotline], Mapping[str, Any] | None]


_panels: list[Panel] = []


def add_panel(panel: Panel) -> None:
    _panels.append(panel)


def panels(request: HttpRequest, hotline: Hotline) -> list[dict[str, Any]]:
    """What the page's template renders: each panel's template and context, in the order of their apps."""
    boxes = ((panel.template, panel.context(request, hotline)) for panel in _panels)
    return [{"template": template, "data": data} for template, data in boxes if data is not None]


_passes_calls: list[Callable[[str], bool]] = []


def tell_of_calls(passes_calls: Callable[[str], bool]) -> None:
    """Have the page of addresses show the one for calls only where the provider of this name passes calls on."""
    _passes_calls[:] = [passes_calls]


def passes_calls(provider: str) -> bool:
    """Whether a provider passes calls on."""
    return all(known(provider) for known in _passes_calls)
