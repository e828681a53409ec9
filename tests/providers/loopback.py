"""A provider's API on loopback: it checks what it gets, writes it down before it answers, and fails as it is told.

A fake is a `Judge`: it says what a request deserves. `script` says what the next requests meet besides, of

    ok                    what the request deserves              reset-before    connection reset, nothing read
    400, 503, ...         that status, and nothing is taken      reset-after     connection reset after reading
    429:7                 the same, with Retry-After: 7          silent          read, never answered
    garbage, empty        a good status, and no answer in it     slow:0.2        what it deserves, after so many seconds

and `+accept` says that the message is taken all the same: `500+accept`. Without it only `ok`, `garbage`, `empty` and
`slow` take it. The `entries` of the ledger are what the provider knows, and the verdict of a test.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Deserved:
    """`entry` stands in the ledger; where `good`, the request is a message that is to be taken."""

    status: int
    answer: object
    good: bool = False
    entry: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class Judge(Protocol):
    def __call__(self, asked: Asked) -> Deserved:
        """What a request deserves, whatever the script says."""


_TAKES = {"ok", "garbage", "empty", "slow"}


class _Handler(BaseHTTPRequestHandler):
    server: Loopback
    protocol_version = "HTTP/1.1"
    # Headers and body in one segment: two writes would meet Nagle's algorithm and wait 40 ms for an ACK.
    wbufsize = -1
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        pass

    def handle_one_request(self) -> None:
        try:
            first = self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            first = b""
        if not first:
            self.close_connection = True
            return
        self.told = self.server.next_told()
        if self.told.startswith("reset-before"):
            self.server.entries.append({"told": self.told, "taken": False})
            self._reset()
            return
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        asked = Asked(self.command, parts.path, parts.query, {k.lower(): v for k, v in self.headers.items()}, body)
        head, _plus, accept = self.told.partition("+")
        what, _colon, argument = head.partition(":")
        deserved = self.server.judge(asked)
        taken = deserved.good and (bool(accept) or what in _TAKES)
        self.server.write({"told": what, "taken": taken, **deserved.entry})
        if not deserved.good:
            self._answer(deserved.status, deserved.answer, deserved.headers)
            return
        match what:
            case "reset-after":
                self._reset()
            case "silent":
                self.close_connection = True
                self.server.closing.wait(30)
            case "garbage" | "empty":
                self._answer(deserved.status, b"" if what == "empty" else b"{'id': ")
            case "ok" | "slow":
                self.server.closing.wait(float(argument) if what == "slow" else 0)
                self._answer(deserved.status, deserved.answer, deserved.headers)
            case status:
                answer = {"message": "as told", **({"code": self.server.code} if self.server.code else {})}
                self._answer(int(status), answer, {"Retry-After": argument} if argument else {})

    def do_GET(self) -> None:
        self.do_POST()

    def _answer(self, status: int, answer: object, headers: Mapping[str, str] | None = None) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _reset(self) -> None:
        """RST instead of FIN: a client sees the connection reset and not closed."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class Loopback(ThreadingHTTPServer):
    """The server, as a context; `entries` is its ledger."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, judge: Judge) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.judge = judge
        self.closing = threading.Event()
        self.entries: list[dict[str, Any]] = []
        #: The provider's own number for what a scripted status says, where it has such numbers.
        self.code = 0
        self._scripted: deque[str] = deque()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def taken(self) -> list[dict[str, Any]]:
        """The messages that the provider has."""
        return [entry for entry in self.entries if entry["taken"]]

    def script(self, *told: str) -> None:
        """What the next requests meet; after them, "ok"."""
        for one in told:
            what = one.partition("+")[0].partition(":")[0]
            if not what.isdigit() and what not in {*_TAKES, "reset-before", "reset-after", "silent"}:
                raise ValueError(one)
        self._scripted.extend(told)

    def next_told(self) -> str:
        with self._lock:
            return self._scripted.popleft() if self._scripted else "ok"

    def write(self, entry: dict[str, Any]) -> None:
        with self._lock:
            self.entries.append(entry)
