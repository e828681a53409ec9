"""Codes as an authenticator app makes them, written from the RFC and not with the library that checks them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time


def code(secret: str, ahead: int = 0) -> str:
    """RFC 6238 with its usual values: six digits, half a minute, SHA-1. `ahead` counts half minutes."""
    counter = struct.pack(">Q", int(time.time()) // 30 + ahead)
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"
