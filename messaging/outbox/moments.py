"""The moment of a query that was compiled before: a placeholder that Django writes as a parameter."""

from __future__ import annotations

import datetime
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Expression

_NO_TIME = datetime.timedelta(0)


class Moment(Expression):
    """The moment at which a compiled query is run, and so much later; a placeholder until then."""

    output_field = DateTimeField()

    def __init__(self, later: datetime.timedelta = _NO_TIME) -> None:
        super().__init__()
        self.later = later

    def __add__(self, more: Any) -> Moment:  # type: ignore[override]
        return Moment(self.later + more)

    def as_sql(self, _compiler: Any, _connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        return "%s", [self]

    def at(self, now: datetime.datetime) -> Any:
        """What the driver is given when the query runs at `now`."""
        return connection.ops.adapt_datetimefield_value(now + self.later)
