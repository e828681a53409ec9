"""Who wrote: a provider's `From` in one canonical form, which is what is pseudonymised and sealed.

`number:+33612345678`, `short:38055`, `name:infosms` or `withheld:`. Only ASCII digits make a number: `\\d` would let
Arabic-Indic digits through, and `33612345678<33899…` would be two destinations at Plivo (SECURITY.md T7).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

_NUMBER = re.compile(r"\+?([1-9][0-9]{6,14})", re.ASCII)
_SHORT = re.compile(r"[0-9]{1,6}", re.ASCII)
_LONGEST_NAME = 64
_WITHHELD = frozenset({"", "anonymous", "unknown", "unavailable", "private", "restricted"})


def canonical(written: str) -> str:
    """The canonical form of a provider's sender; every text has one."""
    text = written.strip()
    if match := _NUMBER.fullmatch(text):
        return f"number:+{match[1]}"
    if _SHORT.fullmatch(text):
        return f"short:{text}"
    name = unicodedata.normalize("NFKC", text).casefold()
    if name in _WITHHELD:
        return "withheld:"
    if len(name) > _LONGEST_NAME:
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"name:{name}"


def number_of(sender: str) -> str | None:
    """The E.164 number of a canonical sender, or None where it is not a number."""
    return sender.removeprefix("number:") if sender.startswith("number:") else None


def same_number(left: str, right: str) -> bool:
    """Whether two ways of writing a number (with or without +) mean the same."""
    return canonical(left) == canonical(right)
