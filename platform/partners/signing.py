"""How events are signed: both ways of the Standard Webhooks specification.

`v1` is HMAC-SHA256 with a key that both sides have (`whsec_`). `v1a` is Ed25519 (RFC 8032): we keep the private key
(`whsk_`), and who receives gets the public one (`whpk_`).
"""

from __future__ import annotations

import base64
import datetime
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook

SHARED, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"


def new_shared() -> str:
    """A key of 32 random bytes, as the specification writes it."""
    return SHARED + base64.b64encode(secrets.token_bytes(32)).decode()


def new_private() -> str:
    return PRIVATE + base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def public(secret: str) -> str:
    """What who receives checks with: the shared key itself, or the public one of the two."""
    if not secret.startswith(PRIVATE):
        return secret
    return PUBLIC + base64.b64encode(_private(secret).public_key().public_bytes_raw()).decode()


def sign(secret: str, message_id: str, at: datetime.datetime, body: bytes) -> str:
    """The value of `webhook-signature`."""
    if not secret.startswith(PRIVATE):
        signed: str = Webhook(secret).sign(message_id, at, body.decode())
        return signed
    content = f"{message_id}.{int(at.timestamp())}.".encode() + body
    return "v1a," + base64.b64encode(_private(secret).sign(content)).decode()


def _private(secret: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret.removeprefix(PRIVATE)))
