"""The numbers that govern a hotline, as a value that the deciding code can use without a database."""

from __future__ import annotations

import datetime
import decimal
import zoneinfo
from dataclasses import dataclass, field

#: No hotline may answer one sender more often than this in an episode, whatever is typed into its page.
MAX_REPLY_LIMIT = 10
#: Messages per second of one number. Carriers hold a French long number to one in two seconds, Plivo a long code to one
#: a second; no short code is allowed as many as the last.
SLOWEST, USUAL, FASTEST = decimal.Decimal("0.10"), decimal.Decimal("1.00"), decimal.Decimal("500.00")


@dataclass(frozen=True)
class Policy:
    """See DESIGN.md, "Words". Durations are `timedelta`, quiet hours are local times of `time_zone`."""

    reply_limit: int
    window: datetime.timedelta
    block_time: datetime.timedelta
    safety_delay: datetime.timedelta = datetime.timedelta(0)
    jitter: datetime.timedelta = datetime.timedelta(0)
    quiet_from: datetime.time | None = None
    quiet_until: datetime.time | None = None
    time_zone: zoneinfo.ZoneInfo = field(default_factory=lambda: zoneinfo.ZoneInfo("UTC"))
    countries: frozenset[str] = frozenset()
    answering: bool = True
