"""Signing requests as Plivo does, independently of our own code: by its SDK."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.test import Client
from plivo.utils import signature_v3

if TYPE_CHECKING:
    from hotlines.models import Hotline

PUBLIC = "https://hotline.example.org"
FORM = "application/x-www-form-urlencoded"


def new_nonce() -> str:
    return "".join(str(secrets.randbelow(10)) for _ in range(20))


def v3_headers(url: str, fields: Mapping[str, str], token: str, nonce: str | None = None) -> dict[str, str]:
    nonce = nonce or new_nonce()
    base = signature_v3.construct_post_url(url, dict(fields)).decode()
    signature = signature_v3.get_signature_v3(token, base, nonce)
    text = signature.decode() if isinstance(signature, bytes) else signature
    return {"X-Plivo-Signature-V3": text, "X-Plivo-Signature-V3-Nonce": nonce}


def message_path(hotline: Hotline) -> str:
    return f"/hooks/{hotline.account.provider}/{hotline.hook_token}/message/"


def post_signed(path: str, fields: Mapping[str, str], token: str, *, nonce: str | None = None) -> Any:
    """POST as Plivo would; returns the response."""
    headers = v3_headers(PUBLIC + path, fields, token, nonce)
    return Client().post(path, urlencode(fields), content_type=FORM, headers=headers)


def post_message(hotline: Hotline, fields: Mapping[str, str], token: str, *, nonce: str | None = None) -> Any:
    return post_signed(message_path(hotline), fields, token, nonce=nonce)
