"""What the load is aimed at: one hotline, and senders of whom we know how often they wrote."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench import requests

BLOCKED_SENDERS = 200
REPLY_LIMIT = 5


@dataclass
class Target:
    """The hotline under load, and the next sender nobody has seen."""

    path: str
    number: str
    auth_token: str
    #: The address of the number to show, and the version that is shown.
    current: str = ""
    etag: str = ""
    senders: int = 0

    def request(self, sender: int) -> bytes:
        fields = requests.message_fields(self.number, requests.sender(sender), "Salut, on se voit quand ?")
        return requests.signed(self.path, fields, self.auth_token)

    def empty(self, view: str = "empty") -> bytes:
        fields = requests.message_fields(self.number, requests.sender(0), "Salut, on se voit quand ?")
        return requests.signed(f"/bench/{view}/", fields, self.auth_token)

    def prepared(self, key: str, count: int) -> list[bytes]:
        match key:
            case "a":
                return [self.empty() for _ in range(count)]
            case "a'":
                return [self.empty("bare") for _ in range(count)]
            case "b":
                self.senders += count
                return [self.request(BLOCKED_SENDERS + self.senders - i) for i in range(count)]
            case "c":
                return [self.request(i % BLOCKED_SENDERS) for i in range(count)]
            case "d":
                return [self.request(BLOCKED_SENDERS + self.senders - i) for i in range(count)]
            case "f":
                return [requests.read("/bench/read/")] * count
            case "g":
                return [requests.read(self.current)] * count
            case "h":
                return [requests.read(self.current, self.etag)] * count
            case _:
                return [self.request(0) for _ in range(count)]
