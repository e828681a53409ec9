"""What this process knows of its database: whether to ask it at all.

After a failure every thread would wait out its own time-out, and the few threads there are would answer nobody. So
the first failure opens a breaker: requests go to the spool at once, and only `drain` asks the database, until it
answers again and what waits is almost worked off. Messages then stay in their order, as far as one process goes.
"""

from __future__ import annotations

import logging
import threading
import time

from django.db import Error, InterfaceError, InternalError, OperationalError, connection

log = logging.getLogger("paravent.webhook")

#: Gone, hung, locked, full, or (InternalError) a server that became read-only: later it is well again.
NO_ANSWER = (OperationalError, InterfaceError, InternalError)
#: SQLSTATE classes of one statement that lost to another one: the database itself is well.
_CONTENTION = ("40", "55")
#: The statement took too long; it may be this one alone.
_TOO_SLOW = "57014"
#: Should nobody drain, requests ask the database again after this many seconds.
_LONGEST = 30.0

_lock = threading.Lock()
_since: float | None = None
_until = 0.0
_answered = False


class Presumed(OperationalError):
    """The database was not asked, because it did not answer a moment ago."""


def require_database() -> None:
    """Raises `Presumed` while the breaker is open."""
    if _since is not None and time.monotonic() < _until:
        raise Presumed


def answered() -> None:
    """Whoever drains has found the database well: what waits is being worked off."""
    global _answered  # noqa: PLW0603
    _answered = True


def is_answering() -> bool:
    """Whether the database may be asked by one who can wait nowhere: it is well, or was a moment ago."""
    return _since is None or _answered


def lasts() -> float | None:
    """Seconds since the database stopped answering, or None while it answers."""
    since = _since
    return None if since is None else time.monotonic() - since


def _code(error: Error) -> str:
    """PostgreSQL's or SQLite's own word for it; its text might name a sender."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or "without a code"


def noticed(error: Error) -> None:
    """Open the breaker, unless it was only this statement that failed."""
    global _since, _until, _answered  # noqa: PLW0603  the state of this process
    if isinstance(error, Presumed):
        return
    if not connection.in_atomic_block:
        connection.close()  # Django would ask a connection that failed whether it lives, and wait for its answer
    if not isinstance(error, NO_ANSWER) or _only_contention(error):
        log.error("database did not take it: %s %s", type(error).__name__, _code(error))
        return
    with _lock:
        if _since is None:
            log.error("database does not answer: %s %s", type(error).__name__, _code(error))
            _since = time.monotonic()
        _until = time.monotonic() + _LONGEST
        _answered = False


def over() -> None:
    """The database answers, and what waited is worked off."""
    global _since  # noqa: PLW0603
    with _lock:
        if _since is not None:
            log.warning("database answers again after %.0f s", time.monotonic() - _since)
        _since = None


def may_concern_one_record(error: Error) -> bool:
    """Whether another record may well succeed where this one failed. A full disk, or a server gone, spares none."""
    return _state(error).startswith((*_CONTENTION, _TOO_SLOW))


def _only_contention(error: Error) -> bool:
    return _state(error).startswith(_CONTENTION)


def _state(error: Error) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""
