"""The processes of one run by their names; what is killed is started again at once, as systemd would."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests import processes
from tests.services import Guarded, wait_until

Start = Callable[[], Guarded]


@dataclass
class Fleet:
    """`folder` gets one log for each process. Leaving the `with` block ends them all."""

    folder: Path
    running: dict[str, Guarded] = field(default_factory=dict)
    web_ports: list[int] = field(default_factory=list)
    kills: int = 0
    #: Names of processes that ended though nobody killed them.
    ended_alone: list[str] = field(default_factory=list)
    _starts: dict[str, Start] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def add(self, name: str, start: Start) -> None:
        """Start a process, now and whenever it was killed."""
        self._starts[name] = start
        self.running[name] = start()

    def add_web(self, environment: dict[str, str], port: int, *, threads: int = 4) -> None:
        name = f"web {len(self.web_ports)}"
        self.web_ports.append(port)
        self.add(name, lambda: processes.serve(environment, port, self.log(name), workers=1, threads=threads))

    def wait_for_web(self, number: int) -> None:
        """Return when the web process answers. Raises `RuntimeError` with what it said when it does not."""
        name, port = f"web {number}", self.web_ports[number]
        wait_until(lambda: processes.answers(port), self.running[name], self.log(name), name)

    def kill(self, name: str) -> None:
        """SIGKILL to all of a process, children included, and a new start."""
        self.running[name].kill()
        self.kills += 1
        self.running[name] = self._starts[name]()

    def kill_child(self, name: str) -> bool:
        """SIGKILL to one of the processes that do the work; whoever started it starts another. False without one."""
        inner = children(self.running[name].pid)
        workers = [pid for child in inner for pid in children(child) if not _is_helper(pid)]
        if not workers:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(workers[self.kills % len(workers)], signal.SIGKILL)
            self.kills += 1
        return True

    def tend(self) -> None:
        """Start again what ended by itself, and remember that it did."""
        for name, process in self.running.items():
            if not process.running:
                self.ended_alone.append(name)
                self.running[name] = self._starts[name]()

    def ended(self) -> list[str]:
        """Processes that ended though nobody killed them, whether started again or not."""
        return self.ended_alone + [name for name, process in self.running.items() if not process.running]

    def stop(self) -> None:
        for process in self.running.values():
            process.let_go()
        for process in self.running.values():
            process.stop()
        self.running.clear()


def children(pid: int) -> list[int]:
    """The processes that `pid` started and that still run."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def _is_helper(pid: int) -> bool:
    """Whether it is multiprocessing's resource tracker, which does no work."""
    try:
        return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
