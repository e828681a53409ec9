"""Twilio's message API on loopback: a form in, a SID out, errors with codes of its own (PROVIDERS.md 2)."""

from __future__ import annotations

import base64
import re
import secrets
from urllib.parse import parse_qsl, urlsplit

from tests.providers.loopback import Asked, Deserved, Loopback

SID = "AC" + "0" * 32


class FakeTwilio(Loopback):
    def __init__(self, token: str = "the-secret-of-this-account") -> None:
        super().__init__(self._judge)
        self._basic = "Basic " + base64.b64encode(f"{SID}:{token}".encode()).decode()

    def _judge(self, asked: Asked) -> Deserved:
        if asked.method != "POST" or asked.path != f"/2010-04-01/Accounts/{SID}/Messages.json":
            return Deserved(404, {"code": 20404}, entry={"complaints": [asked.path]})
        if asked.headers.get("authorization") != self._basic:
            return Deserved(401, {"code": 20003, "message": "Authenticate"}, entry={"complaints": ["credentials"]})
        fields = parse_qsl(asked.body.decode(), keep_blank_values=True, strict_parsing=True)
        wrong = complaints(fields)
        if asked.headers.get("content-type") != "application/x-www-form-urlencoded":
            wrong.append("content type")
        if wrong:
            return Deserved(400, {"code": 21211, "message": "; ".join(wrong)}, entry={"complaints": wrong})
        sid = f"SM{secrets.token_hex(16)}"
        answer = {"sid": sid, "status": "queued", "num_segments": "1", "price": None, "error_code": None}
        return Deserved(201, answer, good=True, entry={"sid": sid, "fields": dict(fields)})


def complaints(fields: list[tuple[str, str]]) -> list[str]:
    """What is wrong with the form of a message, in words."""
    found, named = [], dict(fields)
    if len(named) != len(fields) or set(named) != {"From", "To", "Body", "StatusCallback", "ValidityPeriod"}:
        found.append("other fields")
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", named.get("To", "")):
        found.append("To")
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}|[0-9]{3,6}", named.get("From", "")):
        found.append("From")
    if not 1 <= len(named.get("Body", "")) <= 1600:
        found.append("Body")
    if not urlsplit(named.get("StatusCallback", "")).netloc:
        found.append("StatusCallback")
    if not 1 <= int(named.get("ValidityPeriod", "0")) <= 36_000:
        found.append("ValidityPeriod")
    return found
