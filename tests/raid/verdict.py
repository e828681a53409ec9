"""The bars of SECURITY.md 3.7, and what a table says of several seeds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: What a day's budget pays at a segment's price: 50 / 0.0763.
REPLIES_A_DAY = 655
#: Of all genuine senders together, and in the worst seed; within an hour; the seconds until a raid is noticed.
SERVED, SERVED_WORST, SERVED_IN_AN_HOUR, NOTICED = 0.999, 0.998, 0.95, 180
#: The most that the detector may hold, in bytes, and the 99th percentile of judging one sender, in seconds.
MEMORY, JUDGING = 100_000_000, 0.005


@dataclass(frozen=True)
class Run:
    """A trace and its options; `lookalikes` are those who cannot be told from genuine senders."""

    trace: str
    days: int = 3
    lookalikes: int = 0
    raided: bool = True

    @property
    def label(self) -> str:
        return f"{self.trace} {self.lookalikes}" if self.lookalikes else self.trace

    def arguments(self, raid: int) -> list[str]:
        arguments = [self.trace, "--days", str(self.days)]
        if self.lookalikes:
            arguments += ["--lookalikes", str(self.lookalikes)]
        return [*arguments, "--raid", str(raid)] if self.raided else arguments


RUNS = (
    Run("quiet", days=10, raided=False),
    Run("heavy"),
    Run("copy"),
    Run("farm"),
    Run("mix"),
    Run("mimic", lookalikes=2000),
    Run("mimic-waves", lookalikes=2000),
)


@dataclass(frozen=True)
class Bar:
    """A bar that was missed."""

    run: str
    what: str
    found: str

    def __str__(self) -> str:
        return f"{self.run}: {self.what}, found {self.found}"


def failures(run: Run, results: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """The bars that these seeds of one trace miss."""
    missed = [Bar(run.label, what, str(found)) for what, found, fine in _bars(run, results) if not fine]
    return missed if results else [Bar(run.label, "a result", "none")]


def _bars(run: Run, results: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, Any, bool]]:
    over = sum(result["days_over_budget"] for result in results)
    yield "no day above its budget", over, over == 0
    blocked = sum(result["false_blocks"] for result in results)
    yield "no genuine sender blocked early", blocked, blocked == 0
    alarms = max((result["false_alarms"] for result in results), default=0)
    yield "one false alarm at most", alarms, alarms <= 1
    memory = max((result["detector_bytes"] for result in results), default=0)
    yield "less than 100 MB", memory, memory < MEMORY
    judging = max((result["judging_seconds"] for result in results), default=0)
    yield "judged within 5 ms", judging, judging < JUDGING
    shares = [share(result, "served_in_a_day") for result in results]
    if run.lookalikes:
        floor = bound(run, results) - 0.1
        yield f"at least {floor:.0%} served", shares, min(shares, default=0) >= floor
        return
    if run.raided:
        late = [result["noticed_after_seconds"] for result in results]
        yield "noticed within 3 minutes", late, all(found is not None and found <= NOTICED for found in late)
    total = sum(result["served_in_a_day"] for result in results) / max(
        sum(result["genuine_senders"] for result in results), 1
    )
    yield "99.9 % served", total, total >= SERVED
    yield "99.8 % served in the worst seed", min(shares, default=0), min(shares, default=0) >= SERVED_WORST
    soon = min((share(result, "served_in_an_hour") for result in results), default=0)
    yield "95 % served within an hour", soon, soon >= SERVED_IN_AN_HOUR


def share(result: Mapping[str, Any], what: str) -> float:
    """Of the genuine senders of one seed."""
    return float(result[what]) / max(int(result["genuine_senders"]), 1)


def bound(run: Run, results: Sequence[Mapping[str, Any]]) -> float:
    """What any policy can serve, in expectation, of G genuine senders among X lookalikes (SECURITY.md 3.6)."""
    genuine = max((int(result["genuine_senders"]) for result in results), default=0)
    return min(1.0, REPLIES_A_DAY * run.days / max(genuine + run.lookalikes, 1))


_HEADS = (
    "trace",
    "seeds",
    "genuine served within a day (worst seed)",
    "within an hour",
    "replies to the raid",
    "EUR (most)",
    "EUR without the shield",
    "noticed after (longest)",
    "false alarms",
    "false blocks",
)


def table(found: Mapping[Run, Sequence[Mapping[str, Any]]], raid: int) -> str:
    """A page's table: a row for each trace, the worst of its seeds in brackets."""
    intro = (
        f"`make raid`: {raid:,} messages of a raid among those of 1,010 genuine senders in three days, after 14 quiet "
        "days; 50 EUR a day at 0.0763 EUR a segment, 60 replies an hour. *quiet* is ten days of people alone."
    )
    lines = [intro, "", f"| {' | '.join(_HEADS)} |", f"|{'---|' * len(_HEADS)}"]
    return "\n".join([*lines, *(_row(run, results) for run, results in found.items() if results)])


def _row(run: Run, results: Sequence[Mapping[str, Any]]) -> str:
    genuine = sum(result["genuine_senders"] for result in results)
    served = sum(result["served_in_a_day"] for result in results) / genuine
    soon = sum(result["served_in_an_hour"] for result in results) / genuine
    worst = min(share(result, "served_in_a_day") for result in results)
    raid = _mean(result["with_shield"]["replies_to_raid"] for result in results)
    money = [float(result["with_shield"]["cost"]["amount"]) for result in results]
    bare = _mean(float(result["without_shield"]["cost"]["amount"]) for result in results)
    late = [result["noticed_after_seconds"] for result in results]
    noticed = "no raid" if not run.raided else _longest(late)
    alarms = sum(result["false_alarms"] for result in results)
    blocked = sum(result["false_blocks"] for result in results)
    cells = (
        run.label,
        str(len(results)),
        f"{served:.2%} ({worst:.2%})",
        f"{soon:.2%}",
        f"{raid:.0f}",
        f"{_mean(money):.0f} ({max(money):.0f})",
        f"{bare:.0f}",
        noticed,
        str(alarms),
        str(blocked),
    )
    return f"| {' | '.join(cells)} |"


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def _longest(late: Sequence[float | None]) -> str:
    seconds = [found for found in late if found is not None]
    missed = len(late) - len(seconds)
    said = f"{_mean(seconds):.0f} s ({max(seconds):.0f} s)" if seconds else "never"
    return f"{said}, {missed} not" if missed and seconds else said
