"""The Android gateway's part of the contract: signed as its documentation's example does."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from tests.providers.contract.base import Contract, Proof, Text
from tests.providers.fake_smsgate import FakeSmsGate

from providers.base import Credentials, Delivery, InboundMessage, Knowledge, Provider, SignedRequest

DEVICE, HOOK = "ffffffffceb0b1db0000018e937c815b", "LreFUt-Z3sSq0JufY9uWB"
_address = {"base_url": "http://127.0.0.1:9/3rdparty/v1"}


def credentials(secret: str, previous: str = "") -> Credentials:
    known = {"signing_key": secret, "previous_signing_key": previous, "username": "user", "password": "pass"}
    return {**known, **_address}


def signed(url: str, secret: str, event: str, payload: dict[str, Any], at: float | None = None) -> SignedRequest:
    content = {
        "deviceId": DEVICE,
        "event": event,
        "id": uuid.uuid4().hex[:21],
        "payload": payload,
        "webhookId": HOOK,
    }
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    stamp = str(int(time.time() if at is None else at))
    signature = hmac.new(secret.encode(), (body + stamp).encode(), hashlib.sha256).hexdigest()
    headers = {"x-timestamp": stamp, "x-signature": signature, "content-type": "application/json"}
    return SignedRequest("POST", url, headers, body.encode())


def message(url: str, secret: str, message: Text) -> SignedRequest:
    payload = {
        "messageId": hashlib.sha256(message.id.encode()).hexdigest()[:8],
        "message": message.text,
        "sender": f"+{message.sender}",
        "recipient": f"+{message.recipient}",
        "phoneNumber": f"+{message.sender}",
        "simNumber": 1,
        "receivedAt": "2026-11-02T10:00:00.000+01:00",
    }
    return signed(url, secret, "sms:received", payload)


def message_id(provider: Provider, request: SignedRequest, _message: Text) -> str:
    """A digest of what a repetition shares; that it is one is what tests/providers/test_smsgate.py is about."""
    parsed = provider.parse_message(request)
    assert isinstance(parsed, InboundMessage)
    return parsed.id


def report(url: str, secret: str, provider_id: str, word: str, _sequence: int) -> SignedRequest:
    payload = {"messageId": provider_id, "sender": "+33937000001", "recipient": "+33639980123", "simNumber": 1}
    return signed(url, secret, word, payload)


def no_message(url: str, secret: str) -> SignedRequest:
    return signed(url, secret, "mms:received", {"messageId": "1", "subject": "x"})


@contextlib.contextmanager
def carrier(settings: Any) -> Iterator[FakeSmsGate]:
    with FakeSmsGate() as server:
        settings.GATEWAYS = (server.url,)
        before, _address["base_url"] = _address["base_url"], server.base
        yield server
        _address["base_url"] = before


CONTRACT = Contract(
    credentials=credentials,
    message=message,
    report=report,
    no_message=no_message,
    words={
        "sms:sent": Delivery.SENT,
        "sms:delivered": Delivery.DELIVERED,
        "sms:failed": Delivery.FAILED,
        "sms:cancelled": Delivery.FAILED,
    },
    carrier=carrier,
    answers={
        "ok": Knowledge.ACCEPTED,
        "400": Knowledge.REFUSED,
        "401": Knowledge.ACCOUNT_REFUSED,
        "429:3": Knowledge.REFUSED_FOR_NOW,
        "500": Knowledge.REFUSED_FOR_NOW,
        "503": Knowledge.REFUSED_FOR_NOW,
        "garbage": Knowledge.REFUSED_FOR_NOW,
        "reset-after": Knowledge.REFUSED_FOR_NOW,
    },
    proof=Proof(url=False, seconds=300),
    journey=("sms:sent", "sms:sent", "sms:delivered"),
    sequenced=False,
    one_address=True,
    idempotent=True,
    tells_parts=False,
    message_id=message_id,
)
