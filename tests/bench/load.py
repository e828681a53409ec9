"""A closed-loop load generator: each of its connections sends the next prepared request when the last was answered.

One thread and raw sockets, because it shares the machine with what it measures; it reports what it used of it.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass
class Measured:
    """One round: seconds from the first byte to the last answer, seconds of CPU the generator used itself."""

    requests: int
    seconds: float
    own_cpu: float
    statuses: Counter[int]
    latencies: list[float] = field(repr=False)

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def latency(self, share: float) -> float:
        """The latency in seconds below which `share` of the answers came."""
        return sorted(self.latencies)[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


class Connection:
    """One kept-alive connection to a web process of this machine."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def answered(self) -> int | None:
        """The status once the whole answer is here, or None."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed a connection that was to stay open")
        self.received += chunk
        head_end = self.received.find(_HEAD_END)
        if head_end < 0:
            return None
        at = self.received[:head_end].lower().find(_LENGTH)
        length = int(self.received[at + len(_LENGTH) : head_end].split(b"\r\n", 1)[0]) if at >= 0 else 0
        return int(self.received[9:12]) if len(self.received) >= head_end + len(_HEAD_END) + length else None

    def exchange(self, request: bytes) -> int:
        """Send `request` and wait for the whole answer; returns its status. Raises `OSError` where none comes."""
        self.send(request)
        while (status := self.answered()) is None:
            pass
        return status

    def close(self) -> None:
        self.socket.close()


def run(port: int, requests: Sequence[bytes], connections: int) -> Measured:
    """Send every request of `requests` once, over `connections` kept-alive connections."""
    waiting: Iterator[bytes] = iter(requests)
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    open_connections = [Connection(port) for _ in range(connections)]
    with selectors.DefaultSelector() as selector:
        for connection in open_connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        cpu, start = time.process_time(), time.perf_counter()
        busy = 0
        for connection, request in zip(open_connections, waiting, strict=False):
            connection.send(request)
            busy += 1
        while busy:
            for key, _events in selector.select(timeout=30):
                connection = key.data
                status = connection.answered()
                if status is None:
                    continue
                statuses[status] += 1
                latencies.append(time.perf_counter() - connection.sent_at)
                following = next(waiting, None)
                if following is None:
                    busy -= 1
                else:
                    connection.send(following)
        seconds, own_cpu = time.perf_counter() - start, time.process_time() - cpu
    for connection in open_connections:
        connection.close()
    return Measured(len(requests), seconds, own_cpu, statuses, latencies)
