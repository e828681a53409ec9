"""The fonts of what is printed: DejaVu, which draws Latin, Greek, Cyrillic, Arabic and Hebrew letters."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).with_name("fonts")
REGULAR = _FOLDER / "DejaVuSansCondensed.ttf"
BOLD = _FOLDER / "DejaVuSansCondensed-Bold.ttf"
