"""A gateway that speaks docs/providers/standard.md, on loopback: it takes each id once."""

from __future__ import annotations

import re
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from tests.providers.loopback import Asked, Deserved, Loopback


class FakeStandard(Loopback):
    def __init__(self, secret: str) -> None:
        super().__init__(self._judge)
        self._webhook = Webhook(secret)
        self.messages: dict[str, dict[str, Any]] = {}

    @property
    def address(self) -> str:
        return f"{self.url}/send"

    def _judge(self, asked: Asked) -> Deserved:
        if asked.method != "POST" or asked.path != "/send":
            return Deserved(404, {}, entry={"complaints": [asked.path]})
        try:
            event = self._webhook.verify(asked.body, dict(asked.headers))
        except WebhookVerificationError as error:
            return Deserved(401, {}, entry={"complaints": [str(error)]})
        wrong = complaints(event)
        if asked.headers.get("webhook-id") != event.get("data", {}).get("id"):
            wrong.append("webhook-id")
        if wrong:
            return Deserved(400, {}, entry={"complaints": wrong})
        if event["data"]["id"] in self.messages:
            return Deserved(409, {}, entry={"complaints": ["known"]})
        return Deserved(202, {}, good=True, entry={"data": event["data"]})

    def write(self, entry: dict[str, Any]) -> None:
        super().write(entry)
        if entry["taken"]:
            self.messages[entry["data"]["id"]] = entry["data"]


def complaints(event: dict[str, Any]) -> list[str]:
    """What is wrong with an event, in words."""
    data = event.get("data", {})
    found = [] if set(event) == {"type", "timestamp", "data"} and event["type"] == "sms.send" else ["event"]
    found += [] if set(data) == {"id", "from", "to", "text"} and all(data.values()) else ["data"]
    found += [] if re.fullmatch(r"\+[1-9][0-9]{6,14}", str(data.get("to"))) else ["to"]
    return found
