"""A detector that is fed in minutes after noon, and texts for it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from shield.detector import Arrival, Detector, Group
from shield.likeness import Shape, shape

NOON = datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC)
SECOND, MINUTE, HOUR = (datetime.timedelta(seconds=1), datetime.timedelta(minutes=1), datetime.timedelta(hours=1))
SALUT = shape("Salut !")
LONG = shape("On s'est croisés hier soir devant la gare de Lyon, tu te souviens de moi ?")
OTHER = shape("Moi c'est Karim, le cousin de Sabrina, on a parlé escalade toute la soirée")


class Window:
    """A detector that is fed in minutes after noon, and what it has said of each sender until now."""

    def __init__(self, usual: float = 0.0) -> None:
        self.detector = Detector(lambda _letters: usual)
        self.told: dict[int, Group | None] = {}
        self._next = 0

    def arrival(self, minute: float, block: str = "", looks: Shape | None = None) -> Arrival:
        """Without a text it is like nobody else's."""
        self._next += 1
        return Arrival(self._next, NOON + minute * MINUTE, block, looks or Shape(f"like nobody {self._next}"))

    def feed(self, *arrivals: Arrival) -> dict[int, Group | None]:
        changed = self.detector.add(arrivals)
        self.told |= changed
        return changed

    def come(self, minute: float, count: int, block: str = "", looks: Shape | None = None) -> list[int]:
        """So many senders, one after the other."""
        arrivals = [self.arrival(minute, block, looks) for _ in range(count)]
        for arrival in arrivals:
            self.feed(arrival)
        return [arrival.key for arrival in arrivals]

    def of(self, keys: Iterable[int]) -> set[Group | None]:
        return {self.told[key] for key in keys}

    def ordinary(self, minute: float = 0, count: int = 40) -> None:
        """People from everywhere, each from a block of his own."""
        for place in range(count):
            self.come(minute, 1, f"+336{place:05}")
