"""Jasmin's HTTP API on loopback: a form in, a word out (PROVIDERS.md 6)."""

from __future__ import annotations

import re
import uuid
from urllib.parse import parse_qsl, urlsplit

from tests.providers.loopback import Asked, Deserved, Loopback

FIELDS = {
    *("username", "password", "from", "to", "coding", "hex-content"),
    *("dlr", "dlr-url", "dlr-level", "dlr-method", "validity-period"),
}


class FakeJasmin(Loopback):
    def __init__(self, username: str = "hotline", password: str = "pass-not-real") -> None:
        super().__init__(self._judge)
        self._user = (username, password)

    def _judge(self, asked: Asked) -> Deserved:
        sent = dict(parse_qsl(asked.body.decode(), keep_blank_values=True))
        if asked.method != "POST" or asked.path != "/send" or asked.query:
            return Deserved(404, b"", entry={"complaints": [asked.path]})
        if (sent.get("username"), sent.get("password")) != self._user:
            words = f'Error "Authentication failure for username:{sent.get("username")}"'
            return Deserved(403, words.encode(), entry={"complaints": ["credentials"]})
        wrong = complaints(sent)
        if wrong:
            return Deserved(400, f'Error "{wrong[0]}"'.encode(), entry={"complaints": wrong})
        name = str(uuid.uuid4())
        return Deserved(200, f'Success "{name}"'.encode(), good=True, entry={"name": name, "sent": sent})


def complaints(sent: dict[str, str]) -> list[str]:
    found = [] if set(sent) == FIELDS else ["fields"]
    found += [] if re.fullmatch(r"\+?[0-9]+", sent.get("to", "")) else ["to"]
    found += (
        [] if sent.get("coding") in {"0", "8"} and re.fullmatch(r"([0-9a-f]{2})+", sent["hex-content"]) else ["text"]
    )
    found += [] if (sent.get("dlr"), sent.get("dlr-level"), sent.get("dlr-method")) == ("yes", "3", "POST") else ["dlr"]
    found += [] if urlsplit(sent.get("dlr-url", "")).netloc else ["dlr-url"]
    return found
