"""What a web process does around the application: it ends when it should, once the reply it is sending is sent."""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

#: Seconds a call to a provider may still take when the process is told to end.
LAST_CALL = 8.0


def load(_target: str) -> Callable[..., Any]:
    """The WSGI application. Called once in each web process, by the server, in the main thread."""
    # Ctrl-C reaches the whole group, and the server then tells us to end as well: of two signals, the second one
    # would stop the shutdown that the first began. One is enough.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, name="paravent-parent", daemon=True).start()
    from config.wsgi import application  # noqa: PLC0415  it starts the embedded engine, so not before it is wanted

    atexit.register(_end)
    return application


def _end_with_parent() -> None:
    """A server that was killed leaves its web processes behind, on its port: they notice, and end."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _end() -> None:
    """Let the embedded engine finish its call, then leave at once.

    The server's threads would otherwise meet an interpreter that is being taken down, and abort the process.
    """
    from outbox import embedded  # noqa: PLC0415  needs the settings, which are read by the application

    embedded.stop()
    for thread in threading.enumerate():
        if thread.name == embedded.THREAD:
            thread.join(LAST_CALL)
    logging.shutdown()
    os._exit(0)
