"""Numbers of which a provider hides the end: `33639980XXX` may be each of a thousand (SECURITY.md 2.6)."""

from __future__ import annotations

import re

_DECORATION = re.compile(r"^\+|[\s().-]")
_MASKED = re.compile(r"([1-9][0-9]*)[^0-9]*", re.ASCII)


def could_be(written: str, number: str) -> bool:
    """Whether `written`, as a provider's log has it, may mean `number` (digits, with or without +).

    A masked end may be shown or left out. What cannot be read may mean any number: who asks wants to know what is
    certainly another one.
    """
    known = _MASKED.fullmatch(_DECORATION.sub("", written))
    return known is None or number.removeprefix("+").startswith(known[1])
