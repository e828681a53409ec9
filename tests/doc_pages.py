"""Pages of docs/ into which a measurement writes its own part."""

from __future__ import annotations

from pathlib import Path


def marks(name: str) -> tuple[str, str]:
    """What stands before and after the part that belongs to `name`."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def put(page: Path, name: str, text: str) -> None:
    """Write `text` between the marks of `name`; what stands around them stays. Raises `ValueError` without them."""
    begin, end = marks(name)
    written = page.read_text()
    if written.count(begin) != 1 or written.count(end) != 1:
        raise ValueError(f"{page} lacks the marks {begin} and {end}")
    head, _, rest = written.partition(begin)
    page.write_text(f"{head}{begin}\n{text}{end}{rest.partition(end)[2]}")
