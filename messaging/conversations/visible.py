"""Making visible what a text hides: direction controls, zero-width and control characters (SECURITY.md 1.5)."""

from __future__ import annotations

import unicodedata

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

#: Joiners that emoji and Persian need, and the line's own end.
_HARMLESS = frozenset("\u200c\u200d\n\t")
#: Marks above and below one letter; a hundred of them would paint over the neighbours.
_MOST_MARKS = 4


def visible(text: str) -> SafeString:
    """`text` as safe HTML in which every hidden character is a small marker with its code. Nothing becomes a link."""
    pieces, marks = [], 0
    for char in text.replace("\r\n", "\n").replace("\r", "\n"):
        category = unicodedata.category(char)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if marks > _MOST_MARKS:
            continue
        hidden = category in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} and char not in _HARMLESS
        pieces.append(_marker(char) if hidden else escape(char))
    return mark_safe("".join(pieces))  # noqa: S308  every piece is escaped


def _marker(char: str) -> SafeString:
    return format_html('<span class="pv-control" title="{}">U+{}</span>', _name(char), f"{ord(char):04X}")


def _name(char: str) -> str:
    return unicodedata.name(char, "control character").lower()
