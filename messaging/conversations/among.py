"""`Q(state__among=[...])`: as `__in`, for constraints of tables that are written in a webhook or for every reply."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField
from django.db.models.lookups import In
from django.db.models.sql.compiler import SQLCompiler


@CharField.register_lookup
class Among(In):
    """One constant in PostgreSQL, where `__in` is one for each value with two casts.

    PostgreSQL reads a constraint's expression anew for every statement that writes to its table: 33 KB of them were a
    third of what storing a message cost there.
    """

    lookup_name = "among"

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        """`varchar` is compared as `text`; a list of it would be cast anew each time."""
        column, parameters = self.process_lhs(compiler, connection)
        words = ",".join(f'"{word}"' for word in self.rhs)
        return f"{column}::text = ANY(%s::text[])", [*parameters, f"{{{words}}}"]
