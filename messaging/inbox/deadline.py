"""No request waits for its database longer than a provider waits for us.

The server's own limits (`statement_timeout`, `lock_timeout`) end nothing where the server itself hangs: a stopped
backend keeps its connection open and says nothing (SECURITY.md F5). So one thread looks at the requests that are
waiting, and shuts down the connection of one that is too late; the driver then raises as for a server that is gone.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

from django.conf import settings
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

_LOOK_EVERY = 0.1

#: By thread: until when it may wait, and for which connection. Single dictionary operations need no lock.
_waiting: dict[int, tuple[float, BaseDatabaseWrapper]] = {}
_started = threading.Lock()
_never = threading.Event()


@contextlib.contextmanager
def armed() -> Iterator[None]:
    """Within the block, this thread waits `DATABASE_DEADLINE` seconds for PostgreSQL in all, and not longer.

    Connecting has its own limit (`connect_timeout`). SQLite is a file, with a limit of its own on waiting for locks.
    """
    if connection.vendor != "postgresql":
        yield
        return
    if _started.acquire(blocking=False):
        threading.Thread(target=_look, name="paravent-deadline", daemon=True).start()
    me = threading.get_ident()
    _waiting[me] = (time.monotonic() + settings.DATABASE_DEADLINE, connections["default"])
    try:
        yield
    finally:
        _waiting.pop(me, None)


def _look() -> None:
    while not _never.wait(_LOOK_EVERY):
        now = time.monotonic()
        for until, waiting in list(_waiting.values()):
            if until <= now:
                _shut(waiting)


def _shut(waiting: BaseDatabaseWrapper) -> None:
    """End the connection under whoever reads from it. One that is just being closed needs no help."""
    session = waiting.connection
    if session is None:
        return
    with contextlib.suppress(Exception), socket.socket(fileno=os.dup(session.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
