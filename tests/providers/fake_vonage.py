"""Vonage's Messages API on loopback (PROVIDERS.md 3)."""

from __future__ import annotations

import base64
import json
import re
import uuid
from urllib.parse import urlsplit

from tests.providers.loopback import Asked, Deserved, Loopback

FIELDS = {
    *("message_type", "channel", "from", "to", "text", "client_ref", "ttl"),
    *("webhook_url", "webhook_version"),
}


class FakeVonage(Loopback):
    def __init__(self, credentials: str = "abcd1234:api-secret-not-real") -> None:
        super().__init__(self._judge)
        self._basic = "Basic " + base64.b64encode(credentials.encode()).decode()

    def _judge(self, asked: Asked) -> Deserved:
        if asked.method != "POST" or asked.path != "/v1/messages":
            return Deserved(404, {}, entry={"complaints": [asked.path]})
        if asked.headers.get("authorization") != self._basic:
            return Deserved(401, {"title": "Unauthorized"}, entry={"complaints": ["credentials"]})
        wrong = complaints(json.loads(asked.body))
        if wrong:
            return Deserved(422, {"title": "Invalid params", "detail": wrong}, entry={"complaints": wrong})
        name = str(uuid.uuid4())
        return Deserved(202, {"message_uuid": name}, good=True, entry={"name": name, "sent": json.loads(asked.body)})


def complaints(sent: dict[str, object]) -> list[str]:
    found = [] if set(sent) == FIELDS else ["fields"]
    found += (
        [] if (sent["message_type"], sent["channel"], sent["webhook_version"]) == ("text", "sms", "v1") else ["kind"]
    )
    found += [] if re.fullmatch(r"[1-9][0-9]{6,14}", str(sent["to"])) else ["to"]
    found += [] if 1 <= len(str(sent["text"])) <= 3200 else ["text"]
    found += [] if isinstance(sent["ttl"], int) and 20 <= sent["ttl"] <= 604_800 else ["ttl"]
    found += [] if urlsplit(str(sent["webhook_url"])).netloc else ["webhook_url"]
    return found
