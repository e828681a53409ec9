"""Where the marks of a rehearsal's plots stand: figures in, coordinates and path texts out. Pure.

A plot is `WIDTH` units wide, whatever the paper's width is, and `height` CSS pixels high: the page stretches it across
alone. Words would be stretched with it, so they stand outside, at a share of the width in per cent (`left`).
"""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from .result import Change, Day, Hour

WIDTH = 1000
#: Pixels that half a label beside the outermost line needs.
_ROOM = 8
#: More columns than this cannot be told apart on a screen; neighbours are then one, as high as the higher.
_MOST_COLUMNS = 480
#: A level that lasted a minute of three days is still to be seen.
_LEAST_BAND = 3.0
_HOUR, _DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 14_400)
#: Seconds that a scale of delays names where they have room.
_DELAYS = (0, 10, 60, 600, 3600, 86_400, 10 * 86_400, 100 * 86_400, 1000 * 86_400)


@dataclass(frozen=True)
class Frame:
    """The time that a plot shows."""

    starts_at: datetime.datetime
    ends_at: datetime.datetime

    def x(self, at: datetime.datetime) -> float:
        """Where a moment stands; one outside stands at the edge."""
        if self.ends_at <= self.starts_at:
            return 0.0
        return min(max((at - self.starts_at) / (self.ends_at - self.starts_at), 0.0), 1.0) * WIDTH


@dataclass(frozen=True)
class Tick:
    """What is named below a plot: a moment, or a number of seconds. `anchor` is SVG's `text-anchor`."""

    value: float
    x: float
    left: float
    anchor: str


@dataclass(frozen=True)
class Line:
    """A line across the plot at `y`, and where the foot of the label beside it stands."""

    value: int
    y: float
    foot: float


@dataclass(frozen=True)
class Band:
    level: str
    starts_at: datetime.datetime
    ends_at: datetime.datetime
    x: float
    width: float


@dataclass(frozen=True)
class Mirror:
    """Two series on one logarithmic scale, one upwards from `base` and one downwards."""

    height: int
    base: float
    upper: str
    lower: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Spent:
    """What a day has cost so far, from midnight to midnight (UTC), and the budget of each day."""

    height: int
    area: str
    cap: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Curve:
    """The share of senders, in per cent of all, who were answered within so many seconds."""

    height: int
    line: str
    area: str
    lines: Sequence[Line]
    ticks: Sequence[Tick]


# --- time -----------------------------------------------------------------------------------------------------------
def ticks(frame: Frame, most: int = 5) -> list[Tick]:
    """At most `most` moments that are whole hours or days (UTC); `value` is a timestamp."""
    start, end = frame.starts_at.timestamp(), frame.ends_at.timestamp()
    step = next(minutes * 60 for minutes in _steps() if (end - start) <= minutes * 60 * (most - 1))
    first = math.ceil(start / step) * step
    moments = [at for at in range(first, first + step * most, step) if at <= end] or [math.floor(start)]
    return [_tick(at, frame.x(datetime.datetime.fromtimestamp(at, datetime.UTC))) for at in moments]


def _steps() -> Iterator[int]:
    """Minutes between two moments that people find round."""
    yield from _STEPS
    yield from (_STEPS[-1] * 2**power for power in itertools.count(1))


def _tick(value: float, x: float) -> Tick:
    left = round(x * 100 / WIDTH, 2)
    return Tick(value, round(x, 2), left, "start" if left < 8 else "end" if left > 92 else "middle")


def bands(changes: Iterable[Change], frame: Frame) -> list[Band]:
    """Which level was when, without gaps; it is normal where nothing ever changed."""
    ordered = sorted(changes, key=lambda change: change.at)
    levels = [ordered[0].before if ordered else "normal", *(change.after for change in ordered)]
    edges = [frame.starts_at, *(min(max(change.at, frame.starts_at), frame.ends_at) for change in ordered)]
    found = []
    for level, (start, end) in zip(levels, itertools.pairwise([*edges, frame.ends_at]), strict=True):
        if end <= start:
            continue
        x = min(frame.x(start), WIDTH - _LEAST_BAND)
        width = max(frame.x(end) - x, _LEAST_BAND)
        found.append(Band(level, start, end, round(x, 2), round(min(width, WIDTH - x), 2)))
    return found


# --- messages and replies -------------------------------------------------------------------------------------------
def mirror(
    hours: Sequence[Hour], upper: Callable[[Hour], int], lower: Callable[[Hour], int], frame: Frame, height: int = 200
) -> Mirror:
    """Columns per hour. The half below is left out where it would be empty."""
    above, below = (_grouped(hours, series) for series in (upper, lower))
    most_above = max(9, *(count for _at, _length, count in above), 0)
    most_below = max((count for _at, _length, count in below), default=0)
    if most_below:
        most_below = max(9, most_below)
    room = height - _ROOM * (2 if most_below else 1)
    unit = room / (_log(most_above) + _log(most_below))
    base = _ROOM + unit * _log(most_above)
    lines = [
        *(_line(value, base - unit * _log(value)) for value in _powers(most_above)),
        *(_line(value, base + unit * _log(value)) for value in _powers(most_below)),
    ]
    return Mirror(
        height=height,
        base=round(base, 2),
        upper=_columns(above, frame, base, -unit),
        lower=_columns(below, frame, base, unit),
        lines=lines,
    )


def _log(count: int) -> float:
    return math.log10(1 + max(count, 0))


def _line(value: int, y: float) -> Line:
    return Line(value, round(y, 2), round(y + 4, 2))


def _powers(most: int) -> list[int]:
    """At most three powers of ten that are worth a line."""
    powers = [10**power for power in range(1, len(str(most))) if 10**power <= most] or ([most] if most else [])
    return powers[:: -math.ceil(len(powers) / 3)] if powers else []


_Column = tuple[datetime.datetime, datetime.timedelta, int]


def _grouped(hours: Sequence[Hour], series: Callable[[Hour], int]) -> list[_Column]:
    """When each column begins, how long it lasts, how many it stands for."""
    together = max(1, math.ceil(len(hours) / _MOST_COLUMNS))
    groups = (hours[first : first + together] for first in range(0, len(hours), together))
    return [(group[0].at, _HOUR * together, max(series(hour) for hour in group)) for group in groups]


def _columns(columns: Sequence[_Column], frame: Frame, base: float, unit: float) -> str:
    # Between few columns a gap lets them be counted; between many it would be a grey veil.
    gap = 0.14 if len(columns) <= 120 else 0.0
    path = []
    for at, length, count in columns:
        start, end = frame.x(at), frame.x(at + length)
        if count > 0 and end > start:
            y = base + unit * _log(count)
            path.append(f"M{start:.2f} {base:.2f}V{y:.2f}H{end - gap * (end - start):.2f}V{base:.2f}Z")
    return "".join(path)


# --- money ----------------------------------------------------------------------------------------------------------
def spent(hours: Sequence[Hour], days: Sequence[Day], frame: Frame, height: int = 180) -> Spent:
    """Within each day what was spent adds up; the next begins at nothing, as its budget does."""
    sums: list[tuple[datetime.datetime, int, int]] = []
    for hour in sorted(hours, key=lambda hour: hour.at):
        same_day = sums and _midnight(sums[-1][0]) == _midnight(hour.at)
        before = sums[-1][2] if same_day else 0
        sums.append((hour.at, before, before + hour.micros))
    top = max(1, *(after for _at, _before, after in sums), *(max(day.micros, day.cap_micros) for day in days), 0)
    base, unit = height - 1.0, (height - 1.0 - _ROOM) / top
    return Spent(
        height=height,
        area=_saw(sums, frame, base, unit),
        cap="".join(
            f"M{frame.x(day.at):.2f} {base - unit * day.cap_micros:.2f}H{frame.x(day.at + _DAY):.2f}" for day in days
        ),
        lines=[_line(value, base - unit * value) for value in _round_values(top)],
    )


def _midnight(at: datetime.datetime) -> datetime.date:
    return at.astimezone(datetime.UTC).date()


def _saw(sums: Sequence[tuple[datetime.datetime, int, int]], frame: Frame, base: float, unit: float) -> str:
    path = []
    for _date, group in itertools.groupby(sums, key=lambda each: _midnight(each[0])):
        day = list(group)
        path.append(f"M{frame.x(day[0][0]):.2f} {base:.2f}")
        path += [
            f"L{frame.x(at):.2f} {base - unit * before:.2f}L{frame.x(at + _HOUR):.2f} {base - unit * after:.2f}"
            for at, before, after in day
        ]
        path.append(f"V{base:.2f}Z")
    return "".join(path)


def _round_values(top: int) -> list[int]:
    """Two to four round amounts up to `top`: 1, 2 or 5 times a power of ten."""
    power = 10 ** (len(str(top)) - 1)
    steps = [max(1, power * tenths // 10) for tenths in (50, 20, 10, 5, 2)]
    step = next((step for step in steps if top // step >= 2), 1)
    return [step * number for number in range(1, min(top // step, 4) + 1)]


def shares(values: Sequence[int]) -> list[float]:
    """Each in per cent of the largest; whatever is more than nothing can be seen."""
    most = max(values, default=0)
    return [round(max(100 * value / most, 0.5), 2) if value > 0 else 0.0 for value in values]


# --- delays ---------------------------------------------------------------------------------------------------------
def waiting(delays: Sequence[float], senders: int, height: int = 180) -> Curve:
    """`delays` in seconds, ascending. Who was never answered keeps the curve below the top."""
    everybody = max(senders, len(delays), 1)
    longest = max(86_400.0, *delays, 0.0)
    base, unit = height - 1.0, (height - 1.0 - _ROOM) / 100

    def x(seconds: float) -> float:
        return math.log10(1 + max(seconds, 0.0)) / math.log10(1 + longest) * WIDTH

    stride = max(1, math.ceil(len(delays) / _MOST_COLUMNS))
    drawn = sorted({*range(0, len(delays), stride), len(delays) - 1}) if delays else []
    points = [
        f"0 {base:.2f}",
        *(f"{x(delays[at]):.2f} {base - unit * 100 * (at + 1) / everybody:.2f}" for at in drawn),
    ]
    last = base - unit * 100 * len(delays) / everybody
    line = "M" + "L".join([*points, f"{WIDTH} {last:.2f}"])
    return Curve(
        height=height,
        line=line,
        area=f"{line}V{base:.2f}H0Z",
        lines=[_line(value, base - unit * value) for value in (50, 100)],
        ticks=_apart(_tick(seconds, x(seconds)) for seconds in _DELAYS if seconds <= longest),
    )


def _apart(ticks: Iterable[Tick]) -> list[Tick]:
    """Those that leave each other room for a word."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick.left - kept[-1].left >= 12:
            kept.append(tick)
    return kept
