"""What leaves the vault, and who let it; and the chain that proves that it was not changed."""

from __future__ import annotations

from .chain import Chain, Head, Link
from .export import Export
from .reveal import Reveal

__all__ = ["Chain", "Export", "Head", "Link", "Reveal"]
