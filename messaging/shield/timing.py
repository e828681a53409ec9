"""When a reply is due: the safety delay, its jitter, and quiet hours. Pure."""

from __future__ import annotations

import datetime

from hotlines.policy import Policy


def due_at(policy: Policy, now: datetime.datetime, chance: float) -> datetime.datetime:
    """The moment a reply decided at `now` may leave; `chance` in [0, 1) picks the jitter.

    Without a safety delay there is no jitter either: every message up to the limit is answered at once.
    """
    due = now + policy.safety_delay + policy.jitter * chance if policy.safety_delay else now
    return _after_quiet_hours(policy, due, chance)


def _after_quiet_hours(policy: Policy, due: datetime.datetime, chance: float) -> datetime.datetime:
    """`due`, or a moment after the quiet hours it falls in: never at their very end, when all of them would leave."""
    start, end = policy.quiet_from, policy.quiet_until
    if start is None or end is None or start == end:
        return due
    local = due.astimezone(policy.time_zone)
    clock = local.time().replace(tzinfo=None)
    quiet = start <= clock < end if start < end else clock >= start or clock < end
    if not quiet:
        return due
    day = local.date() + datetime.timedelta(days=1 if start > end and clock >= start else 0)
    ends = datetime.datetime.combine(day, end, tzinfo=policy.time_zone).astimezone(datetime.UTC)
    # The hour that clocks skip in spring maps to an end that may lie before `due`; a reply never moves back.
    return max(ends, due) + policy.jitter * chance
