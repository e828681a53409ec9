"""The hotline that is rehearsed; `manage.py rehearse` has an option for each of its fields. Pure."""

from __future__ import annotations

import datetime
import decimal
from dataclasses import dataclass, field

from organizations import money


@dataclass(frozen=True)
class Terms:
    """Money is the hotline's own, durations are seconds."""

    reply_limit: int = field(default=5, metadata={"help": "replies to one sender"})
    price_out: decimal.Decimal = field(default=decimal.Decimal("0.0763"), metadata={"help": "a reply's segment"})
    price_in: decimal.Decimal = field(default=decimal.Decimal("0.0075"), metadata={"help": "an inbound message"})
    day_budget: decimal.Decimal = field(default=decimal.Decimal(50), metadata={"help": "for the replies of a day"})
    inbound_budget: decimal.Decimal = field(
        default=decimal.Decimal(0),
        metadata={"help": "for the messages of a day, after which the number is disconnected; 0 for no limit"},
    )
    replies_per_hour: int = field(default=60, metadata={"help": "replies to all senders in an hour"})
    delay_seconds: int = field(default=0, metadata={"help": "the safety delay"})

    @property
    def month_budget(self) -> decimal.Decimal:
        """It leaves every day its budget."""
        return 31 * self.day_budget

    @property
    def out_micros(self) -> int:
        """A reply's segment, in millionths of the currency."""
        return money.micros(self.price_out)

    @property
    def in_micros(self) -> int:
        """An inbound message, in millionths of the currency."""
        return money.micros(self.price_in)

    @property
    def cap_micros(self) -> int:
        """A day's budget, in millionths of the currency."""
        return money.micros(self.day_budget)

    @property
    def delay(self) -> datetime.timedelta:
        return datetime.timedelta(seconds=self.delay_seconds)
