"""What may be said in public of a week, so that nobody learns whether one person wrote (SECURITY.md 4.6).

Pure. Cells are counts of distinct senders. A cell stands for at least `K` of them, or is not told; so does what is left
when all told cells are taken from the total. Numbers are rounded to 5. Of messages nothing is told where one sender
wrote most of them. Whole weeks are told, once, and never again: two looks at them differ by whole cells.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

Sender = TypeVar("Sender", bound=Hashable)
#: Distinct senders that a number which is told stands for.
K = 11
STEP = 5
#: The share of a week's messages that one sender may have written, if they are told (INSEE's rule for enterprises).
DOMINANCE = 0.85


@dataclass(frozen=True)
class Told:
    """Rounded numbers; None is not told. `languages` lacks the senders of languages that are not told."""

    senders: int | None = None
    messages: int | None = None
    languages: Mapping[str, int] = field(default_factory=dict)


def rounded(number: int) -> int:
    """To the nearest multiple of 5, and never to nothing."""
    return max(STEP, STEP * round(number / STEP))


def tell(messages: Mapping[Sender, int], languages: Mapping[Sender, str]) -> Told:
    """What may be told of a week in which sender `s` wrote `messages[s]` messages in `languages[s]`; "" is unknown."""
    if len(messages) < K:
        return Told()
    total = sum(messages.values())
    of_all = rounded(total) if max(messages.values()) <= DOMINANCE * total else None
    shown = cells(
        {code: sum(languages.get(s) == code for s in messages) for code in {*languages.values()}}, len(messages)
    )
    return Told(rounded(len(messages)), of_all, {code: rounded(count) for code, count in shown.items()})


def cells(counts: Mapping[str, int], total: int) -> dict[str, int]:
    """The cells that may be told beside `total`: each of `K` at least, and what is left of none or of `K` at least.

    Smaller ones are left out; where what they leave is too small a group, the smallest told cell joins them.
    """
    told = {name: count for name, count in counts.items() if name and count >= K}
    while told and 0 < total - sum(told.values()) < K:
        del told[min(told, key=lambda name: (told[name], name))]
    return told
