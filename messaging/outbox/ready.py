"""Which reply leaves next. One query over seven tables, asked for every reply and by every worker.

Django takes longer to write this query than PostgreSQL to answer it, so it is compiled once in a process: the moments
in it are placeholders, filled in at each run, and the same text each time lets the driver and the server keep its plan.
"""

from __future__ import annotations

import datetime
import functools
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef
from django.db.models.expressions import Combinable

from conversations.models import Reply
from conversations.words import ReplyState

from . import restored, routing
from .moments import Moment


def first(now: datetime.datetime) -> Reply | None:
    """The most urgent released reply that may leave at `now`, with all that sending needs.

    Inside a transaction, and locked by it where the database can lock a row and pass over those that others locked.
    """
    statement, parameters = _compiled(restored.here())
    with connection.cursor() as cursor:
        cursor.execute(statement, [value.at(now) if isinstance(value, Moment) else value for value in parameters])
        row = cursor.fetchone()
    if row is None:
        return None
    related = ("conversation", "hotline__account", "hotline__stand_in__account", "hotline__organization")
    return Reply.objects.select_related(*related).get(pk=row[0])


@functools.lru_cache(maxsize=1)
def _compiled(_here: Combinable) -> tuple[str, tuple[Any, ...]]:
    """Statement and parameters. `_here` stands in it as a value on SQLite: another file needs another statement."""
    now = Moment()
    of_sender = Reply.objects.filter(conversation=OuterRef("conversation"))
    in_flight = of_sender.filter(state__in=Reply.IN_FLIGHT)
    # A worker that has locked his first reply has not yet put it in flight, and we would skip to the second.
    earlier = of_sender.filter(state=ReplyState.RELEASED, pk__lt=OuterRef("pk"))
    ready = Reply.objects.filter(
        routing.may_leave(now),
        restored.is_the_same(),
        ~Exists(in_flight),
        ~Exists(earlier),
        state=ReplyState.RELEASED,
        due_at__lte=now,
    ).order_by("slot", "due_at", "pk")
    if connection.features.has_select_for_update_skip_locked:
        ready = ready.select_for_update(skip_locked=True, of=("self",))
    query = ready.values_list("pk")[:1].query
    statement, parameters = query.get_compiler(connection=connection).as_sql()
    return statement, tuple(parameters)
