"""Vonage's SMS API on loopback (PROVIDERS.md 3): 200 whatever happened, and a status for each part."""

from __future__ import annotations

import re
import uuid
from urllib.parse import parse_qsl, urlsplit

from tests.providers.loopback import Asked, Deserved, Loopback

FIELDS = {
    *("api_key", "api_secret", "from", "to", "text", "type"),
    *("status-report-req", "callback", "client-ref", "ttl"),
}
_GSM_PART, _UNICODE_PART = 153, 67
#: 3GPP TS 23.038, 6.2.1 and 6.2.1.1.
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€\f"
)


class FakeVonageSms(Loopback):
    """`statuses` are those of the parts of the messages to come; those without one are accepted."""

    def __init__(self, key: str = "abcd1234", secret: str = "api-secret-not-real") -> None:
        super().__init__(self._judge)
        self._account = (key, secret)
        self.statuses: list[str] = []

    def _judge(self, asked: Asked) -> Deserved:
        if asked.method != "POST" or asked.path != "/sms/json":
            return Deserved(404, {}, entry={"complaints": [asked.path]})
        sent = dict(parse_qsl(asked.body.decode(), keep_blank_values=True))
        if (sent.get("api_key"), sent.get("api_secret")) != self._account:
            return Deserved(200, _answer(["4"], sent), entry={"complaints": ["credentials"]})
        wrong = complaints(sent)
        if wrong:
            return Deserved(200, _answer(["3"], sent), entry={"complaints": wrong})
        statuses = (self.statuses + ["0"] * parts(sent))[: parts(sent)]
        del self.statuses[: parts(sent)]
        answer = _answer(statuses, sent)
        names = [part["message-id"] for part in answer["messages"] if part["status"] == "0"]  # type: ignore[attr-defined]
        return Deserved(200, answer, good=bool(names), entry={"name": [*names, ""][0], "sent": sent})


def parts(sent: dict[str, str]) -> int:
    """Into how many the network cuts it, roughly."""
    size = _GSM_PART if sent["type"] == "text" else _UNICODE_PART
    return -(-len(sent["text"]) // size)


def _answer(statuses: list[str], sent: dict[str, str]) -> dict[str, object]:
    messages = [
        {"to": sent.get("to", ""), "status": "0", "message-id": uuid.uuid4().hex[:16].upper(), "network": "20801"}
        if status == "0"
        else {"status": status, "error-text": "an explanation"}
        for status in statuses
    ]
    return {"message-count": str(len(messages)), "messages": messages}


def complaints(sent: dict[str, str]) -> list[str]:
    found = [] if set(sent) == FIELDS else ["fields"]
    found += [] if sent["type"] in ("text", "unicode") else ["type"]
    found += [] if (sent["type"] == "text") == (set(sent["text"]) <= GSM) else ["alphabet"]
    found += [] if re.fullmatch(r"[1-9][0-9]{6,14}", sent["to"]) else ["to"]
    found += [] if 1 <= len(sent["text"]) <= 3200 else ["text"]
    found += [] if 20_000 <= int(sent["ttl"]) <= 604_800_000 else ["ttl"]
    found += [] if len(sent["client-ref"]) <= 100 else ["client-ref"]
    found += [] if urlsplit(sent["callback"]).netloc else ["callback"]
    return found
