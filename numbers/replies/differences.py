"""What changed between two texts, word by word. Pure."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

_WORDS = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True)
class Piece:
    """Part of a text: `kind` is "same", "out" (was there) or "in" (is new)."""

    kind: str
    text: str


def between(before: str, after: str) -> list[Piece]:
    """Their pieces in order; without those that are "in" they are `before`, without those that are "out" `after`."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    pieces: list[Piece] = []
    for kind, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(Piece("same", "".join(old[i1:i2])))
            continue
        pieces += [Piece("out", "".join(old[i1:i2]))] if i2 > i1 else []
        pieces += [Piece("in", "".join(new[j1:j2]))] if j2 > j1 else []
    return pieces
