"""What our logs must not say: a hotline's webhook token, and a line per request of a flood."""

from __future__ import annotations

import logging
import re
import traceback
from typing import Any

#: The token where it stands in a path, as Django, gunicorn or an exception's text write it.
_HOOK = re.compile(r"(/hooks/[^/\s]+/)[^/\s]+")


def without_secrets(text: str) -> str:
    """`text` with every webhook token replaced by an ellipsis."""
    return _HOOK.sub("\\1\N{HORIZONTAL ELLIPSIS}", text)


class Line(logging.Formatter):
    """Formats a record, and takes the secrets out last, wherever in it they came from.

    Of an exception it tells the kind and the places, and not what it says: a database's error names the row's values,
    and a log is kept longer and read by more people than what was erased (SECURITY.md 4.1).
    """

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text, written = None, record.exc_text  # by another handler, with what the exception says
        try:
            return without_secrets(super().format(record))
        finally:
            record.exc_text = written

    def formatException(self, ei: Any) -> str:  # noqa: N802  as the standard library calls it
        lines: list[str] = []
        error: BaseException | None = ei[1]
        told: set[int] = set()
        # Causes may go in a circle: django-redis raises the cause of its own error from that error.
        while error is not None and id(error) not in told:
            told.add(id(error))
            kind = type(error)
            places = "".join(traceback.format_tb(error.__traceback__))
            lines.insert(0, f"Traceback (most recent call last):\n{places}{kind.__module__}.{kind.__qualname__}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\nwhich led to\n".join(lines)


class Floods(logging.Filter):
    """Drops Django's line on each request refused for its rate: it would cost more than the refusal."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(record, "status_code", None) != 429


class NoTraceback(logging.Filter):
    """For what anybody on the network can cause: one line says all, and a traceback would only fill the disk."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True
