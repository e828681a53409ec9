"""Requests as Plivo sends them, signed before any clock runs."""

from __future__ import annotations

import base64
import hmac
import uuid
from collections.abc import Mapping
from urllib.parse import urlencode

from tests import signing
from tests.processes import HOST, PUBLIC_URL


def message_fields(number: str, sender: str, text: str, message_uuid: str | None = None) -> dict[str, str]:
    """The parameters of one SMS to `number` (E.164); `sender` is digits only."""
    return {
        "From": sender,
        "To": number.removeprefix("+"),
        "Type": "sms",
        "Text": text,
        "MessageUUID": message_uuid or str(uuid.uuid4()),
        "Units": "1",
        "TotalRate": "0.00750",
        "TotalAmount": "0.00750",
        "MessageIntent": "",
        "PowerpackUUID": "",
    }


def signed(path: str, fields: Mapping[str, str], auth_token: str) -> bytes:
    """One HTTP/1.1 request with a fresh nonce, both signature families, behind one proxy."""
    url, nonce = PUBLIC_URL + path, signing.new_nonce()
    v2 = base64.b64encode(hmac.digest(auth_token.encode(), f"{url}{nonce}".encode(), "sha256")).decode()
    body = urlencode(fields).encode()
    headers = {
        "Host": HOST,
        "User-Agent": "python-requests/2.31.0",
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Content-Type": signing.FORM,
        "Content-Length": str(len(body)),
        "X-Forwarded-For": "54.215.5.80",
        "X-Forwarded-Proto": "https",
        "X-Plivo-Signature-V2": v2,
        "X-Plivo-Signature-V2-Nonce": nonce,
        **signing.v3_headers(url, fields, auth_token, nonce),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def read(path: str, etag: str = "") -> bytes:
    """A GET as a website's server sends it; with `etag` of who has an answer already."""
    headers = {
        "Host": HOST,
        "Accept": "application/json",
        "X-Forwarded-For": "54.215.5.80",
        "X-Forwarded-Proto": "https",
    }
    if etag:
        headers["If-None-Match"] = etag
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()


def sender(number: int) -> str:
    """The `number`-th of a hundred million French mobile numbers, in no order."""
    return f"336{(number * 48_271_337 + 39_980_123) % 100_000_000:08}"
