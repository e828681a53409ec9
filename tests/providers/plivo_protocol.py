"""What Plivo's message API asks of a request, what it knows of it, and how it signs what it posts back.

Sources: PROVIDERS.md 1.6 to 1.8, which quote Plivo's documentation and SDK.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from plivo.utils import signature_v3

PATH = re.compile(r"(?P<prefix>(?:/[\w-]+)*)/v1/Account/(?P<account>[MS]A[A-Z0-9]{18})/Message/", re.ASCII)
DESTINATION = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"
)
KNOWN_FIELDS = {"src", "dst", "text", "type", "url", "method", "log", "trackable", "message_expiry"}


class Ledger:
    """One JSON object per request, on disk before the answer: what stands here, the provider knows."""

    def __init__(self, path: Path | None = None) -> None:
        self.entries: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if path else None

    def write(self, entry: dict[str, Any]) -> None:
        with self._lock:
            entry = {"n": len(self.entries) + 1, "at": time.time(), **entry}
            self.entries.append(entry)
            if self._file is not None:
                os.write(self._file, json.dumps(entry).encode() + b"\n")

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)


def complaints(payload: object) -> list[str]:
    """What is wrong with a request's JSON, in words. Pure."""
    if not isinstance(payload, dict):
        return ["not a JSON object"]
    found = [f"unknown field {name}" for name in payload.keys() - KNOWN_FIELDS]
    strings = ("src", "dst", "text", "type", "url", "method", "log")
    found += [f"{name} is not a string" for name in strings if not isinstance(payload.get(name), str)]
    if found:
        return found
    if not DESTINATION.fullmatch(payload["dst"]):
        found.append("dst is not one number in digits")
    if not re.fullmatch(r"[A-Za-z0-9]{1,15}", payload["src"], re.ASCII) or payload["src"] == payload["dst"]:
        found.append("src is no sender, or the destination itself")
    if payload["type"] != "sms" or payload["method"] not in {"GET", "POST"}:
        found.append("type or method")
    if payload["log"] not in {"true", "false", "content_only", "number_only"}:
        found.append("log is not one of the four words")
    if not urlsplit(payload["url"]).netloc or urlsplit(payload["url"]).scheme not in {"http", "https"}:
        found.append("url is not absolute")
    text = payload["text"]
    longest = 1600 if set(text) <= GSM else 737
    if not text or len(text.encode("utf-16-be", "surrogatepass")) // 2 > longest:
        found.append("text is empty or too long")
    return found


def report_fields(message_uuid: str, src: str, dst: str, status: str, sequence: int) -> dict[str, str]:
    """The parameters of one delivery report, its destination redacted as `log=false` makes it (PROVIDERS.md 1.6)."""
    failed = status in {"failed", "undelivered", "rejected"}
    return {
        "MessageUUID": message_uuid,
        "ParentMessageUUID": message_uuid,
        "PartInfo": "1 of 1",
        "From": src,
        "To": dst[:-3] + "XXX",
        "Type": "sms",
        "Status": status,
        "Units": "1",
        "TotalRate": "0.07627",
        "TotalAmount": "0.00000" if status == "failed" else "0.07627",
        "MCC": "208",
        "MNC": "01",
        "ErrorCode": "300" if failed else "",
        "Sequence": str(sequence),
        "PowerpackUUID": "",
    }


def signed_headers(url: str, fields: Mapping[str, str], token: str, nonce: str | None = None) -> dict[str, str]:
    """The headers of both families, computed by Plivo's SDK."""
    nonce = nonce or "".join(secrets.choice("0123456789") for _ in range(20))
    v3 = signature_v3.get_signature_v3(token, signature_v3.construct_post_url(url, dict(fields)).decode(), nonce)
    v2 = signature_v3.encode(signature_v3.sign(token.encode(), (url + nonce).encode(), signature_v3.sha256).digest())
    return {
        "X-Plivo-Signature-V3": v3.decode(),
        "X-Plivo-Signature-V3-Nonce": nonce,
        "X-Plivo-Signature-V2": v2.strip().decode(),
        "X-Plivo-Signature-V2-Nonce": nonce,
    }


def post_signed(url: str, fields: Mapping[str, str], token: str, to: str = "") -> int:
    """POST a webhook request as Plivo would; returns the status, 0 where nobody answered."""
    parts, target = urlsplit(url), urlsplit(to or url)
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.hostname or "127.0.0.1", target.port, timeout=8)
    headers = {"Content-Type": "application/x-www-form-urlencoded", **signed_headers(url, fields, token)}
    try:
        connection.request("POST", parts.path, urlencode(fields), headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return 0
    else:
        return answer.status
    finally:
        connection.close()
