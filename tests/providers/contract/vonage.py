"""Vonage's part of the contract: a token as its library makes one, with the hash of the body."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from tests.providers.contract.base import Contract, Proof, Text
from tests.providers.fake_vonage import FakeVonage

from providers.base import Credentials, Delivery, Knowledge, SignedRequest

KEY = "abcd1234"


def long(secret: str) -> str:
    """As long as Vonage's secrets are."""
    return f"{secret}-{secret}-{secret}" if secret else ""


def credentials(secret: str, previous: str = "") -> Credentials:
    return {
        "api_key": KEY,
        "api_secret": "api-secret-not-real",
        "signature_secret": long(secret),
        "previous_signature_secret": long(previous),
    }


def token(secret: str, claims: dict[str, Any], header: dict[str, str] | None = None) -> str:
    """By hand, so that a token may be wrong in every way (RFC 7515)."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signed = f"{part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    mac = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def claims_of(body: bytes, **changes: Any) -> dict[str, Any]:
    return {
        "iat": int(time.time()),
        "jti": str(uuid.uuid4()),
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(body).hexdigest(),
        "api_key": KEY,
        "application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
        **changes,
    }


def signed(url: str, secret: str, content: dict[str, Any]) -> SignedRequest:
    body = json.dumps(content, ensure_ascii=False).encode()
    headers = {"authorization": f"Bearer {token(long(secret), claims_of(body))}", "content-type": "application/json"}
    return SignedRequest("POST", url, headers, body)


def message(url: str, secret: str, message: Text) -> SignedRequest:
    return signed(
        url,
        secret,
        {
            "channel": "sms",
            "message_uuid": message.id,
            "to": message.recipient,
            "from": message.sender,
            "timestamp": "2026-11-02T10:00:00Z",
            "text": message.text,
            "sms": {"num_messages": str(message.parts), "keyword": "SALUT"},
            "usage": {"currency": "EUR", "price": "0.0057"},
            "message_type": "text",
        },
    )


def report(url: str, secret: str, provider_id: str, word: str, _sequence: int) -> SignedRequest:
    numbers = {"to": "33639980123", "from": "33937000001"}
    return signed(url, secret, {"message_uuid": provider_id, **numbers, "channel": "sms", "status": word})


def no_message(url: str, secret: str) -> SignedRequest:
    """A status, which came to the message's address by a mistake in the dashboard."""
    return report(url, secret, str(uuid.uuid4()), "delivered", 1)


@contextlib.contextmanager
def carrier(settings: Any) -> Iterator[FakeVonage]:
    with FakeVonage() as server:
        settings.VONAGE_API_URL = server.url
        yield server


CONTRACT = Contract(
    credentials=credentials,
    message=message,
    report=report,
    no_message=no_message,
    words={
        "submitted": Delivery.QUEUED,
        "delivered": Delivery.DELIVERED,
        "read": Delivery.DELIVERED,
        "undeliverable": Delivery.UNDELIVERED,
        "rejected": Delivery.FAILED,
    },
    carrier=carrier,
    answers={
        "ok": Knowledge.ACCEPTED,
        "422": Knowledge.REFUSED,
        "403": Knowledge.REFUSED,
        "401": Knowledge.ACCOUNT_REFUSED,
        "402": Knowledge.ACCOUNT_REFUSED,
        "429:3": Knowledge.REFUSED_FOR_NOW,
        "500": Knowledge.UNKNOWN,
        "garbage": Knowledge.UNKNOWN,
        "reset-after": Knowledge.UNKNOWN,
    },
    proof=Proof(url=False, seconds=300),
    journey=("submitted", "submitted", "delivered"),
    sequenced=False,
)
