"""A text's versions as its page shows them: who wrote what, who read it, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import differences
from .differences import Piece
from .models import ReplyTemplate, TextVersion

#: Older ones are kept and not shown.
MOST = 20


@dataclass(frozen=True)
class Entry:
    """`pieces` against the text that was used before it; `again` where one can go back to it."""

    version: TextVersion
    pieces: Sequence[Piece]
    again: bool


def of(template: ReplyTemplate) -> list[Entry]:
    """The newest first; nothing where a text was never changed. One statement."""
    rows = list(template.versions.select_related("written_by", "decided_by")[: MOST + 1])
    if len(rows) < 2 and not any(row.state == TextVersion.State.WAITS for row in rows):
        return []
    entries = []
    for place, row in enumerate(rows[:MOST]):
        used = (older for older in rows[place + 1 :] if older.state == TextVersion.State.USED)
        before = next(used, None)
        pieces = differences.between(before.text if before else "", row.text)
        entries.append(Entry(row, pieces, again=row.state != TextVersion.State.WAITS and row.text != template.text))
    return entries
