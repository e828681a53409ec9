"""Somebody's server that receives events: it answers as it is told, and checks signatures with the library."""

from __future__ import annotations

import ssl
import threading
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from standardwebhooks.webhooks import Webhook


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> dict[str, Any]:
        """The event. Raises `WebhookVerificationError`."""
        return dict(Webhook(secret).verify(self.body, self.headers))


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        told = self.server.script.popleft() if self.server.script else "200"
        what, _colon, argument = told.partition(":")
        if what == "silent":
            self.server.closing.wait(float(argument or 30))
            self.close_connection = True
            return
        self.send_response(int(what))
        if what.startswith("3"):
            self.send_header("Location", argument)
        if argument == "drip":
            self.end_headers()
            while not self.server.closing.wait(0.02):
                self.wfile.write(b"x" * 4096)
            return
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


class Receiver(ThreadingHTTPServer):
    """`script` holds what the next requests meet: a status, `302:address`, `200:drip`, `silent:seconds`."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.received: list[Received] = []
        self.script: deque[str] = deque()
        self.closing = threading.Event()

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
        """A client that went away, or did not like the certificate, is what some tests are about."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"
