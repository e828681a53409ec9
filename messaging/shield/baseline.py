"""What is usual for a hotline, learned from itself: new senders by hour of the week, and each greeting. Pure.

Means are exponentially weighted (14 days) and corrected for how little was seen so far. Nothing is learned while the
level is raised, or a raid would become what is usual (SECURITY.md 3.3).
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: The bins in which new senders are counted, and in which the usual is said.
BIN = datetime.timedelta(minutes=5)
BINS_PER_HOUR = 12
#: No zone's hour begins between two quarters of one of UTC.
_QUARTER = 3 * BIN
HOURS_PER_WEEK = 168
_MEMORY = datetime.timedelta(days=14)
#: So many bins of its own must an hour of the week have before they weigh as much as the mean it leans on: two weeks'.
_PRIOR = 24.0
#: New senders in a bin that are always usual, however quiet a hotline is.
FLOOR = 0.1
#: A hotline is expected to receive this share of the replies per hour that its people allow it, until it knows better.
_EXPECTED = 0.25
#: So many bins (a day) until a hotline knows better.
_UNKNOWN = 288.0
#: So many senders in the memory make a short text usual. One that is below the second is forgotten.
_COMMON, _FORGOTTEN = 5.0, 0.2


def bin_of(moment: datetime.datetime) -> datetime.datetime:
    """When the bin of `moment` began."""
    seconds = moment.timestamp()
    return datetime.datetime.fromtimestamp(seconds - seconds % BIN.total_seconds(), datetime.UTC)


def hour_of_week(moment: datetime.datetime) -> int:
    """From 0, Monday at midnight, in the zone of `moment`."""
    return moment.weekday() * 24 + moment.hour


@dataclass
class Mean:
    """An exponentially weighted mean: `total` of what was seen, over the `weight` of the seeing, both as of `at`."""

    total: float = 0.0
    weight: float = 0.0
    at: float = 0.0

    def add(self, value: float, at: datetime.datetime) -> None:
        """Learn `value`, seen at `at`. What lies before that is worth 1/e after two weeks."""
        seconds = at.timestamp()
        decay = math.exp(-max(seconds - self.at, 0.0) / _MEMORY.total_seconds()) if self.weight else 0.0
        self.total, self.weight, self.at = self.total * decay + value, self.weight * decay + 1.0, seconds

    def blended(self, prior: float, weight: float) -> float:
        """The mean, with `prior` counted as so much seeing."""
        return (self.total + prior * weight) / (self.weight + weight)

    def decayed(self, at: datetime.datetime) -> float:
        """What is left of the total at `at`."""
        return self.total * math.exp(-max(at.timestamp() - self.at, 0.0) / _MEMORY.total_seconds())


@dataclass
class Baseline:
    """`replies_per_hour` is the hotline's own; `greetings` are keyed, and say senders per hour."""

    replies_per_hour: int
    overall: Mean = field(default_factory=Mean)
    cells: list[Mean] = field(default_factory=lambda: [Mean() for _ in range(HOURS_PER_WEEK)])
    greetings: dict[str, Mean] = field(default_factory=dict)

    def learn(self, new_senders: int, local: datetime.datetime) -> None:
        """Learn a finished bin that began at `local`, a moment in the organization's time zone."""
        self.overall.add(new_senders, local)
        self.cells[hour_of_week(local)].add(new_senders, local)

    def usual(self, local: datetime.datetime) -> float:
        """New senders in the bin of `local`, as they are usual."""
        expected = self.replies_per_hour * _EXPECTED / BINS_PER_HOUR
        overall = self.overall.blended(expected, max(_UNKNOWN - self.overall.weight, 0.0))
        return max(self._in_hour(local, overall), FLOOR)

    def _in_hour(self, local: datetime.datetime, overall: float) -> float:
        """The mean of this hour of the week, which leans on this hour of other days, and that on the `overall` one."""
        own = self.cells[hour_of_week(local)]
        others = [cell for cell in self.cells[local.hour :: 24] if cell is not own]
        daily = Mean(sum(cell.total for cell in others), sum(cell.weight for cell in others))
        return own.blended(daily.blended(overall, _PRIOR), _PRIOR)

    def expected(self, start: datetime.datetime, end: datetime.datetime, zone: datetime.tzinfo) -> float:
        """New senders between two moments, by nothing but what was seen; 0 of a hotline that has seen nothing."""
        found = 0.0
        while start < end:
            begun = start.replace(minute=start.minute - start.minute % 15, second=0, microsecond=0)
            ends = min(begun + _QUARTER, end)
            found += self._seen(start.astimezone(zone)) * ((ends - start) / BIN)
            start = ends
        return found

    def _seen(self, local: datetime.datetime) -> float:
        """As `usual`, without what is expected of a hotline of which little is known."""
        if not self.overall.weight:
            return 0.0
        mean = self._in_hour(local, self.overall.total / self.overall.weight)
        return mean * min(self.overall.weight / _UNKNOWN, 1.0)

    def learn_greetings(self, counts: Mapping[str, int], local: datetime.datetime) -> None:
        """Learn how many senders wrote each greeting in the bin of `local`. Rare ones are forgotten."""
        for key, count in counts.items():
            self.greetings.setdefault(key, Mean()).add(count, local)
        self.greetings = {key: mean for key, mean in self.greetings.items() if mean.decayed(local) >= _FORGOTTEN}

    def usual_greetings(self, key: str, local: datetime.datetime) -> float:
        """Senders in an hour who write just this, as it is usual in this hour of the week."""
        mean = self.greetings.get(key)
        if mean is None or mean.decayed(local) < _COMMON or not self.overall.weight:
            return 0.0
        seen = max(self.overall.decayed(local), _COMMON)
        return mean.decayed(local) / seen * self.usual(local) * BINS_PER_HOUR

    def dump(self) -> dict[str, Any]:
        """As JSON can hold it; `load` reads it."""

        def plain(mean: Mean) -> list[float]:
            return [round(mean.total, 4), round(mean.weight, 4), round(mean.at)]

        return {
            "overall": plain(self.overall),
            "cells": {str(hour): plain(cell) for hour, cell in enumerate(self.cells) if cell.weight},
            "greetings": {key: plain(mean) for key, mean in sorted(self.greetings.items())},
        }


def load(data: Mapping[str, Any], replies_per_hour: int) -> Baseline:
    """What `dump` wrote; an empty mapping is a hotline of which nothing is known."""

    def mean(values: Sequence[float]) -> Mean:
        total, weight, at = values
        return Mean(float(total), float(weight), float(at))

    baseline = Baseline(replies_per_hour)
    if "overall" in data:
        baseline.overall = mean(data["overall"])
    for hour, values in data.get("cells", {}).items():
        baseline.cells[int(hour)] = mean(values)
    baseline.greetings = {key: mean(values) for key, values in data.get("greetings", {}).items()}
    return baseline
