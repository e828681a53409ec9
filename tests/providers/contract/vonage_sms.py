"""The contract of Vonage's older SMS API: a signature as its page describes it, among the fields."""

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
from tests.providers.contract.vonage import KEY, credentials, long
from tests.providers.fake_vonage_sms import FakeVonageSms

from providers.base import Delivery, Knowledge, SignedRequest


def signature(secret: str, fields: dict[str, str], method: str = "sha256") -> str:
    """By hand (developer.vonage.com, "Signing messages"), upper case, as Vonage sends it."""
    signed = ""
    for name in sorted(fields):
        signed += "&" + name + "=" + fields[name].replace("&", "_").replace("=", "_")
    return hmac.new(secret.encode(), signed.encode(), getattr(hashlib, method)).hexdigest().upper()


def signed(url: str, secret: str, fields: dict[str, str], method: str = "sha256") -> SignedRequest:
    all_fields = {
        "api-key": KEY,
        "message-timestamp": "2026-11-02 10:00:00",
        "timestamp": str(int(time.time())),
        "nonce": str(uuid.uuid4()),
        **fields,
    }
    all_fields["sig"] = signature(long(secret), all_fields, method)
    headers = {"content-type": "application/json"}
    return SignedRequest("POST", url, headers, json.dumps(all_fields, ensure_ascii=False).encode())


def fields_of(message: Text) -> dict[str, str]:
    return {
        "msisdn": message.sender,
        "to": message.recipient,
        "messageId": message.id,
        "text": message.text,
        "type": "text" if message.text.isascii() else "unicode",
        "keyword": (message.text.split() or [""])[0].upper(),
    }


def message(url: str, secret: str, message: Text) -> SignedRequest:
    return signed(url, secret, fields_of(message))


def part(url: str, secret: str, message: Text, number: int, reference: str = "42") -> SignedRequest:
    """One of `message.parts` parts; `message` holds the part's own id and text."""
    concat = {"concat": "true", "concat-ref": reference, "concat-total": str(message.parts), "concat-part": str(number)}
    return signed(url, secret, fields_of(message) | concat)


def report(url: str, secret: str, provider_id: str, word: str, _sequence: int) -> SignedRequest:
    said = {"messageId": provider_id, "status": word, "price": "0.06840000", "err-code": "0", "network-code": "20801"}
    return signed(url, secret, {"msisdn": "33639980123", "to": "33937000001", "scts": "2611021000", **said})


def no_message(url: str, secret: str) -> SignedRequest:
    """A delivery receipt, which came to the message's address by a mistake in the dashboard."""
    return report(url, secret, str(uuid.uuid4()), "delivered", 1)


@contextlib.contextmanager
def carrier(settings: Any) -> Iterator[FakeVonageSms]:
    with FakeVonageSms() as server:
        settings.VONAGE_SMS_API_URL = server.url
        yield server


CONTRACT = Contract(
    credentials=credentials,
    message=message,
    report=report,
    no_message=no_message,
    words={
        "accepted": Delivery.QUEUED,
        "buffered": Delivery.SENT,
        "delivered": Delivery.DELIVERED,
        "expired": Delivery.UNDELIVERED,
        "rejected": Delivery.FAILED,
        "failed": Delivery.FAILED,
    },
    carrier=carrier,
    answers={
        "ok": Knowledge.ACCEPTED,
        "401": Knowledge.ACCOUNT_REFUSED,
        "402": Knowledge.ACCOUNT_REFUSED,
        "420": Knowledge.REFUSED,
        "429:3": Knowledge.REFUSED_FOR_NOW,
        "500": Knowledge.UNKNOWN,
        "garbage": Knowledge.UNKNOWN,
        "reset-after": Knowledge.UNKNOWN,
    },
    proof=Proof(url=False, header=False, seconds=300),
    journey=("accepted", "buffered", "delivered"),
    sequenced=False,
    tells_parts=False,
)
