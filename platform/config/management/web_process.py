"""What a web process does around the application: it starts as a copy of a server that has loaded everything, and ends
when it should, once the reply it is sending is sent."""

from __future__ import annotations

import atexit
import gc
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

#: Seconds a call to a provider may still take when the process is told to end.
LAST_CALL = 8.0


#: What tells a process to end.
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds between two looks at who our parent is.
_LOOK_AGAIN = 1.0


def fork_cleanly(processes: int) -> threading.Event:
    """Make web processes copies of this one, which answer at once; the event is set when there are so many of them.

    A fresh interpreter would read all modules again: half a second of a processor, much more on a busy host, in which
    nobody answers. Call it when all is loaded and no connection is open. Until the event is set no thread may hold
    anything, because its copy would hold it for ever.
    """
    multiprocessing.set_start_method("fork", force=True)
    started, waiting = threading.Event(), [*range(processes)]

    def before() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)

    def in_server() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
        if waiting:
            waiting.pop()
        if not waiting:
            started.set()

    def in_web_process() -> None:
        # The server's handlers would swallow a signal of the first moments; one that came meanwhile ends us now.
        for number in _ENDINGS:
            signal.signal(number, signal.SIG_DFL)
        # Ctrl-C reaches the whole group, and the server then tells us to end as well: of two signals, the second one
        # would stop the shutdown that the first began. One is enough.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number for number in _ENDINGS if number != signal.SIGINT])

    os.register_at_fork(before=before, after_in_parent=in_server, after_in_child=in_web_process)
    # What is loaded stays. A collector that looked at it in each copy would find nothing, and touch all of its memory.
    gc.collect()
    gc.freeze()
    return started


def load(_target: str) -> Callable[..., Any]:
    """The WSGI application. Called once in each web process, by the server, in the main thread."""
    threading.Thread(target=_end_with_parent, name="paravent-parent", daemon=True).start()
    from config.wsgi import application  # noqa: PLC0415  it starts the embedded engine, so not before it is wanted

    atexit.register(_end)
    return application


def _end_with_parent() -> None:
    """A server that was killed leaves its web processes behind, on its port: they notice, and end."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    # It tells at once, unless another copy of it holds the pipe's other end: hence the look.
    while os.getppid() == parent.pid:
        parent.join(_LOOK_AGAIN)
    os.kill(os.getpid(), signal.SIGTERM)


def _end() -> None:
    """Let the embedded engine finish its call, then leave at once.

    The server's threads would otherwise meet an interpreter that is being taken down, and abort the process.
    """
    from outbox import embedded  # noqa: PLC0415  needs the settings, which are read by the application

    embedded.stop()
    until = time.monotonic() + LAST_CALL
    for thread in threading.enumerate():
        if thread.name == embedded.THREAD:
            thread.join(max(until - time.monotonic(), 0))
    logging.shutdown()
    os._exit(0)
