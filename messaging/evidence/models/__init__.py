"""What leaves the vault, and who let it."""

from __future__ import annotations

from .reveal import Reveal

__all__ = ["Reveal"]
