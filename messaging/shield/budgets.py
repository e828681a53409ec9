"""Budgets, as arithmetic: the windows they run in, what still fits, what comes at this pace. Pure.

A budget is a row for one scope and one window (SECURITY.md 3.2). Everything that is promised is counted in it before
it is sent, at its worst price, so what is counted is never less than what will be billed for it.
"""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass, field


class Window(enum.StrEnum):
    """By UTC, as providers bill: a day has 24 hours in autumn too."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"

    def start(self, moment: datetime.datetime) -> datetime.datetime:
        """When the window that `moment` falls in began."""
        hour = moment.astimezone(datetime.UTC).replace(minute=0, second=0, microsecond=0)
        if self is Window.HOUR:
            return hour
        return hour.replace(hour=0) if self is Window.DAY else hour.replace(hour=0, day=1)

    def end(self, moment: datetime.datetime) -> datetime.datetime:
        """When the window that `moment` falls in is over, and the next begins."""
        start = self.start(moment)
        if self is Window.HOUR:
            return start + datetime.timedelta(hours=1)
        if self is Window.DAY:
            return start + datetime.timedelta(days=1)
        return (start + datetime.timedelta(days=32)).replace(day=1)


class Scope(enum.StrEnum):
    """Whose budget it is."""

    PLATFORM = "platform"
    ORGANIZATION = "organization"
    HOTLINE = "hotline"
    ACCOUNT = "account"
    COUNTRY = "country"
    DESTINATION = "destination"
    SUSPECTS = "suspects"
    INBOUND = "inbound"


@dataclass(frozen=True)
class Caps:
    """The most that a window may hold; None where nothing limits it."""

    micros: int | None = None
    messages: int | None = None
    recipients: int | None = None


@dataclass(frozen=True)
class Kept:
    """What a reply must leave of a window to others who come before it: millionths, messages."""

    micros: int = 0
    messages: int = 0


_NOTHING = Kept()
_MANY = 1_000_000


@dataclass(frozen=True)
class Name:
    """Which budget: one row. `key` tells rows of a scope apart and is no number of a person."""

    scope: Scope
    key: str
    window: Window
    starts_at: datetime.datetime


@dataclass
class Line:
    """What a budget's row holds, while replies are fitted into it; `added_*` is what must be written back."""

    name: Name
    caps: Caps
    micros: int = 0
    messages: int = 0
    recipients: int = 0
    added_micros: int = field(default=0, init=False)
    added_messages: int = field(default=0, init=False)
    added_recipients: int = field(default=0, init=False)

    def refuses(self, micros: int, *, new_recipient: bool = False, kept: Kept = _NOTHING) -> bool:
        """Whether a reply of this price does not fit."""
        caps = self.caps
        return (
            _over(self.micros + self.added_micros + micros + kept.micros, caps.micros)
            or _over(self.messages + self.added_messages + 1 + kept.messages, caps.messages)
            or (new_recipient and _over(self.recipients + self.added_recipients + 1, caps.recipients))
        )

    def room(self, micros: int, kept: Kept = _NOTHING) -> int:
        """How many replies of this price fit, to recipients who are counted already; `_MANY` without a limit."""
        caps, left = self.caps, [_MANY]
        if caps.micros is not None:
            money = caps.micros - self.micros - self.added_micros - kept.micros
            left.append(money // micros if micros else _MANY if money >= 0 else 0)
        if caps.messages is not None:
            left.append(caps.messages - self.messages - self.added_messages - kept.messages)
        return max(min(left), 0)

    def mean_price(self, unknown: int) -> int:
        """What a message of this window costs, in millionths; `unknown` until there is one."""
        messages = self.messages + self.added_messages
        return (self.micros + self.added_micros) // messages if messages else unknown

    def add(self, micros: int, *, new_recipient: bool = False) -> None:
        """Count a reply that fits."""
        self.added_micros += micros
        self.added_messages += 1
        self.added_recipients += new_recipient


def _over(sum_: int, cap: int | None) -> bool:
    return cap is not None and sum_ > cap


class Fate(enum.Enum):
    """What is known of a reply that was released, as far as it matters to a budget."""

    OPEN = enum.auto()
    NEVER_SENT = enum.auto()
    SENT = enum.auto()


#: A provider that has named no price by then names none any more: what was reserved stays spent.
REPORTS_COME_WITHIN = datetime.timedelta(days=3)


def settled(fate: Fate, reserved: int, billed: int | None, age: datetime.timedelta) -> int | None:
    """What a reply costs in the end, in millionths; None where that is not known yet.

    `billed` is what the provider asked for, `age` the time since it ended. What is in doubt stays reserved in full.
    """
    match fate:
        case Fate.OPEN:
            return None
        case Fate.NEVER_SENT:
            return 0
        case Fate.SENT if billed is not None:
            return billed
    return reserved if age >= REPORTS_COME_WITHIN else None


#: At a pace that takes a thousand windows, or more, nothing is used up.
_NEVER = 1000


def spent_at(spent: int, cap: int, name: Name, now: datetime.datetime) -> datetime.datetime | None:
    """When `cap` is reached at the pace of its window so far; None where that takes longer than anybody plans.

    A window that has only begun has no pace: what is spent counts as spent in a twenty-fourth of it at least.
    """
    if spent >= cap:
        return now
    if spent * _NEVER <= cap:
        return None
    elapsed = max(now - name.starts_at, (name.window.end(now) - name.starts_at) / 24)
    return now + elapsed * ((cap - spent) / spent)
