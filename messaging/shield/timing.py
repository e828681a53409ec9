"""When a reply is due: the safety delay, its jitter, and quiet hours. Pure."""

from __future__ import annotations

import datetime

from hotlines.policy import Policy

_DAY = datetime.timedelta(days=1)


def due_at(policy: Policy, now: datetime.datetime, chance: float) -> datetime.datetime:
    """The moment a reply decided at `now` may leave; `chance` in [0, 1) picks the jitter.

    Without a safety delay there is no jitter either: every message up to the limit is answered at once.
    """
    due = now + policy.safety_delay + policy.jitter * chance if policy.safety_delay else now
    return outside_quiet_hours(policy, due, chance)


def outside_quiet_hours(policy: Policy, moment: datetime.datetime, chance: float) -> datetime.datetime:
    """`moment`, or one after the quiet hours it falls in.

    Never earlier, and spread by the jitter, so that not all replies of a night leave at its very end.
    """
    hours = _quiet_hours(policy)
    if hours is None or not is_quiet(policy, moment):
        return moment
    start, end = hours
    local = moment.astimezone(policy.time_zone)
    tomorrow = start > end and local.time() >= start
    ends = _latest(policy, local.date() + _DAY if tomorrow else local.date(), end)
    spread = ends + min(policy.jitter, _next(policy, ends, start) - ends) * chance
    if not is_quiet(policy, spread):
        return spread
    # Clocks skipped what was left of the waking hours in spring: without the spread, or on the day after.
    return outside_quiet_hours(policy, ends, chance) if ends > moment else moment


def is_quiet(policy: Policy, moment: datetime.datetime) -> bool:
    """Whether the hotline's clock shows a quiet hour; the end itself is quiet no more."""
    hours = _quiet_hours(policy)
    if hours is None:
        return False
    start, end = hours
    clock = moment.astimezone(policy.time_zone).time()
    return start <= clock < end if start < end else clock >= start or clock < end


def _quiet_hours(policy: Policy) -> tuple[datetime.time, datetime.time] | None:
    start, end = policy.quiet_from, policy.quiet_until
    return None if start is None or end is None or start == end else (start, end)


def _latest(policy: Policy, day: datetime.date, clock: datetime.time) -> datetime.datetime:
    """When the clock shows `clock` for the last time that day: in autumn an hour comes twice.

    A time that clocks skip in spring comes as much later as they skip.
    """
    written = datetime.datetime.combine(day, clock, tzinfo=policy.time_zone)
    return max(written.replace(fold=fold).astimezone(datetime.UTC) for fold in (0, 1))


def _next(policy: Policy, after: datetime.datetime, clock: datetime.time) -> datetime.datetime:
    """When the clock next shows `clock`, strictly after `after`."""
    today = after.astimezone(policy.time_zone).date()
    written = [datetime.datetime.combine(today + _DAY * days, clock, tzinfo=policy.time_zone) for days in (0, 1, 2)]
    moments = [day.replace(fold=fold).astimezone(datetime.UTC) for day in written for fold in (0, 1)]
    return min(moment for moment in moments if moment > after)
