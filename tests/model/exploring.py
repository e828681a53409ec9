"""Visits every state that a design can reach, and judges it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.model.delivery import FAULTS, Bounds, Reply, State, beginning
from tests.model.designs import Design


class Fault(StrEnum):
    """What must not happen (SECURITY.md 2.1), and what may where it is recorded."""

    #: S1: acknowledged and not stored.
    LOST_MESSAGE = "lost message"
    #: L1: promised, and neither sent nor recorded as unknown.
    LOST_REPLY = "lost reply"
    #: S2: two replies to one message.
    DUPLICATE = "duplicate reply"
    #: S3: more replies than the limit.
    OVER_LIMIT = "over the limit"
    #: Not sent, and a row says that nobody knows. Not a violation: the price of never sending twice.
    UNKNOWN = "missing, recorded as unknown"


@dataclass(frozen=True)
class Explored:
    """How many states a design can reach, and for each fault in one of them the shortest way there."""

    states: int
    faults: dict[Fault, tuple[str, ...]]


def explore(design: Design, bounds: Bounds) -> Explored:
    """Breadth first, so that the story of a fault is a shortest one."""
    start = beginning(bounds, has_broker=design.has_broker)
    came_from: dict[State, tuple[State, str] | None] = {start: None}
    waiting, found = deque([start]), dict[Fault, State]()
    while waiting:
        state, at_the_end = waiting.popleft(), True
        for what, after in design.steps(state, bounds):
            at_the_end = at_the_end and what in FAULTS
            if after in came_from:
                continue
            came_from[after] = (state, what)
            for fault in ever_wrong(after, bounds):
                found.setdefault(fault, after)
            # A design that sends without end would never come to one here.
            if max(after.sent) <= 2:
                waiting.append(after)
        if at_the_end:
            for fault in finally_wrong(state, design, bounds):
                found.setdefault(fault, state)
    return Explored(len(came_from), {fault: _story(came_from, found[fault]) for fault in Fault if fault in found})


def ever_wrong(state: State, bounds: Bounds) -> Iterator[Fault]:
    """What is wrong in a state, whatever comes after."""
    if sum(state.sent) > bounds.limit:
        yield Fault.OVER_LIMIT
    if max(state.sent) > 1:
        yield Fault.DUPLICATE


def finally_wrong(state: State, design: Design, bounds: Bounds) -> Iterator[Fault]:
    """What is wrong in a state after which nothing happens any more, but perhaps a kill."""
    stored = [bool(rows) for rows in state.stored]
    if any(taken and not kept for taken, kept in zip(state.acknowledged, stored, strict=True)):
        yield Fault.LOST_MESSAGE
    # A message that the provider gave up on and that never reached us promises nothing.
    if not (all(state.acknowledged) or all(stored)):
        return
    due = min(bounds.limit, sum(stored))
    sent = sum(1 for number in state.sent if number)
    unknown = sum(
        1 for number, reply in zip(state.sent, state.outbox, strict=True) if not number and reply == Reply.UNKNOWN
    )
    if sent + unknown < due:
        yield Fault.LOST_REPLY
    elif sent < due and design.records_unknown:
        yield Fault.UNKNOWN


def _story(came_from: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    steps: list[str] = []
    while (before := came_from[state]) is not None:
        state, what = before
        steps.append(what)
    return tuple(reversed(steps))
