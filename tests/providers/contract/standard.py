"""The part of a gateway of one's own, signed as the specification says, by hand."""

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
from tests.providers.fake_standard import FakeStandard

from providers.base import Credentials, Delivery, Knowledge, SignedRequest

SEND_SECRET = "whsec_" + base64.b64encode(b"what we sign replies with, 32 by").decode()
_address = {"send_url": "http://127.0.0.1:9/send"}


def whsec(secret: str) -> str:
    return "whsec_" + base64.b64encode(secret.encode()).decode() if secret else ""


def credentials(secret: str, previous: str = "") -> Credentials:
    return {"secret": whsec(secret), "previous_secret": whsec(previous), "send_secret": SEND_SECRET, **_address}


def signed(url: str, secret: str, kind: str, data: dict[str, Any], at: float | None = None) -> SignedRequest:
    stamp = str(int(time.time() if at is None else at))
    body = json.dumps({"type": kind, "timestamp": "2026-11-02T10:00:00Z", "data": data}, ensure_ascii=False)
    name = f"msg_{uuid.uuid4().hex}"
    signature = hmac.new(secret.encode(), f"{name}.{stamp}.{body}".encode(), hashlib.sha256).digest()
    headers = {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1a,AAAA v1,{base64.b64encode(signature).decode()}",
        "content-type": "application/json",
    }
    return SignedRequest("POST", url, headers, body.encode())


def message(url: str, secret: str, message: Text) -> SignedRequest:
    data = {"id": message.id, "from": f"+{message.sender}", "to": f"+{message.recipient}", "text": message.text}
    return signed(url, secret, "sms.received", {**data, "units": message.parts})


def report(url: str, secret: str, provider_id: str, word: str, _sequence: int) -> SignedRequest:
    return signed(url, secret, "sms.report", {"id": provider_id, "status": word})


def no_message(url: str, secret: str) -> SignedRequest:
    return signed(url, secret, "mms.received", {"id": "1"})


@contextlib.contextmanager
def carrier(settings: Any) -> Iterator[FakeStandard]:
    with FakeStandard(SEND_SECRET) as server:
        settings.GATEWAYS = (server.url,)
        before, _address["send_url"] = _address["send_url"], server.address
        yield server
        _address["send_url"] = before


CONTRACT = Contract(
    credentials=credentials,
    message=message,
    report=report,
    no_message=no_message,
    words={delivery.value: delivery for delivery in Delivery},
    carrier=carrier,
    answers={
        "ok": Knowledge.ACCEPTED,
        "garbage": Knowledge.ACCEPTED,
        "400": Knowledge.REFUSED,
        "401": Knowledge.ACCOUNT_REFUSED,
        "429:3": Knowledge.REFUSED_FOR_NOW,
        "500": Knowledge.REFUSED_FOR_NOW,
        "reset-after": Knowledge.REFUSED_FOR_NOW,
    },
    proof=Proof(url=False, seconds=300),
    sequenced=False,
    one_address=True,
    idempotent=True,
)
