"""Kinds: the presets a hotline starts from. `kinds.toml` beside this file holds the numbers of those that come with it.

An organization makes others of its own numbers (`models.OwnKind`), without code.
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext_lazy as _

LABELS = {"anti-relous": _("anti-relous"), "anti-harassment": _("anti-harassment"), "lgbt": _("LGBT")}


def label(kind: str) -> str:
    """How a kind is called; an organization's own by its name."""
    return str(LABELS.get(kind, kind))


@dataclass(frozen=True)
class Kind:
    slug: str
    reply_limit: int
    window_hours: int
    block_hours: int
    delay_minutes: int
    jitter_minutes: int


@functools.cache
def presets() -> dict[str, Kind]:
    """Every preset by slug."""
    data = tomllib.loads((Path(__file__).parent / "kinds.toml").read_text())
    return {slug: Kind(slug=slug, **values) for slug, values in data.items()}
