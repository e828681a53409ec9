"""The API of SMS Gateway for Android on loopback: an id is taken once, and a second time it is 409 (PROVIDERS.md 5)."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from tests.providers.loopback import Asked, Deserved, Loopback

#: What the API knows of a message; another name is refused as its schema does.
KNOWN = {"id", "textMessage", "phoneNumbers", "ttl", "withDeliveryReport", "deviceId", "simNumber", "priority"}


class FakeSmsGate(Loopback):
    """`credentials` is the user's name and password; `base` what an account enters as the gateway's address."""

    def __init__(self, credentials: str = "user:pass", path: str = "/3rdparty/v1") -> None:
        super().__init__(self._judge)
        self._basic = "Basic " + base64.b64encode(credentials.encode()).decode()
        self._path = path
        #: The text of each id that it has.
        self.messages: dict[str, dict[str, Any]] = {}

    @property
    def base(self) -> str:
        return f"{self.url}{self._path}"

    def _judge(self, asked: Asked) -> Deserved:
        name = "messages" if self._path.endswith("/v1") else "message"
        if asked.method != "POST" or asked.path != f"{self._path}/{name}":
            return Deserved(404, {"message": "not found"}, entry={"complaints": [asked.path]})
        if asked.headers.get("authorization") != self._basic:
            return Deserved(401, {"message": "unauthorized"}, entry={"complaints": ["credentials"]})
        try:
            payload = json.loads(asked.body)
        except ValueError:
            payload = None
        wrong = complaints(payload)
        if asked.query != "skipPhoneValidation=true":
            wrong.append("query")
        if wrong:
            return Deserved(400, {"message": "; ".join(wrong)}, entry={"complaints": wrong})
        if payload["id"] in self.messages:
            return Deserved(409, {"message": "duplicate id"}, entry={"complaints": ["known"]})
        state = {"id": payload["id"], "state": "Pending", "isHashed": False, "isEncrypted": False, "states": {}}
        return Deserved(202, state, good=True, entry={"payload": payload})

    def write(self, entry: dict[str, Any]) -> None:
        super().write(entry)
        if entry["taken"]:
            self.messages[entry["payload"]["id"]] = entry["payload"]


def complaints(payload: object) -> list[str]:
    """What is wrong with a message to send, in words."""
    if not isinstance(payload, dict):
        return ["not an object"]
    found = [f"unknown {name}" for name in payload.keys() - KNOWN]
    numbers, text = payload.get("phoneNumbers"), payload.get("textMessage")
    if not isinstance(numbers, list) or not all(re.fullmatch(r"\+[1-9][0-9]{6,14}", str(one)) for one in numbers):
        found.append("phoneNumbers")
    if not isinstance(text, dict) or set(text) != {"text"} or not text["text"]:
        found.append("textMessage")
    if not isinstance(payload.get("id"), str) or len(payload["id"]) > 36:
        found.append("id")
    if not isinstance(payload.get("ttl"), int) or payload["ttl"] < 5:
        found.append("ttl")
    return found
