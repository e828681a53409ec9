"""What our logs must not say: a hotline's webhook token, and a line per request of a flood."""

from __future__ import annotations

import logging
import re

#: The token where it stands in a path, as Django, gunicorn or an exception's text write it.
_HOOK = re.compile(r"(/hooks/[^/\s]+/)[^/\s]+")


def without_secrets(text: str) -> str:
    """`text` with every webhook token replaced by an ellipsis."""
    return _HOOK.sub("\\1\N{HORIZONTAL ELLIPSIS}", text)


class Line(logging.Formatter):
    """Formats a record, its traceback included, and takes the secrets out last, wherever in it they came from."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


class Floods(logging.Filter):
    """Drops Django's line on each request refused for its rate: it would cost more than the refusal."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(record, "status_code", None) != 429


class NoTraceback(logging.Filter):
    """For what anybody on the network can cause: one line says all, and a traceback would only fill the disk."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True
