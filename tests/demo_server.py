"""The demo as `make run` starts it: a process of its own on a free port, with a data folder that may be kept.

In a test: `with DemoServer(tmp_path) as server: ...`; where it must crash, `server.kill()` and `server.start()`.
"""

from __future__ import annotations

import base64
import http.client
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Self

from tests import migrated, processes
from tests.services import Guarded, free_port, wait_until


class DemoServer:
    """`url` is where it answers, `user` and `password` sign in to its admin. Changes are `PARAVENT_...` variables."""

    user = "demo"

    def __init__(self, folder: Path, **changes: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "serve.log"
        self.environment = self._environment(changes)
        self._process: Guarded | None = None
        migrated.migrate(self.environment)
        printed = processes.manage(self.environment, "demo")
        found = re.search(r"password +(\S+)", printed)
        if found is None:
            raise RuntimeError(f"the demo printed no password: {printed}")
        self.password = found[1]

    def _environment(self, changes: dict[str, str]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PARAVENT_", "DJANGO_"))}
        return {
            **inherited,
            "PARAVENT_DEMO": "1",
            "PARAVENT_DATA_DIR": str(self.folder),
            "PARAVENT_SECRET_KEY": secrets.token_urlsafe(50),
            "PARAVENT_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "PARAVENT_PUBLIC_URL": self.url,
            "NO_PROXY": "127.0.0.1",
            **changes,
        }

    def start(self) -> None:
        """Start it, and return when it answers. Raises `RuntimeError` with its log when it does not."""
        command = [sys.executable, processes.ROOT / "manage.py", "serve", "--port", str(self.port)]
        self._process = Guarded(command, log=self.log, environment=self.environment)
        wait_until(self._answers, self._process, self.log, "the demo")

    def kill(self) -> None:
        """SIGKILL to every process of it: nothing gets to clean up."""
        assert self._process is not None
        self._process.kill()
        self._process.stop()  # only the pipe is left to close

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process is not None and self._process.running:
            self._process.stop()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/simulator/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
