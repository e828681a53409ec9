"""Twilio's part of the contract: signed by its library."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from tests.providers.contract.base import CallContract, Contract, Text
from tests.providers.fake_twilio import SID, FakeTwilio
from twilio.request_validator import RequestValidator

from providers.base import Credentials, Delivery, Knowledge, Provider, SignedRequest

FORM = "application/x-www-form-urlencoded"


def credentials(secret: str, previous: str = "") -> Credentials:
    return {"account_sid": SID, "auth_token": secret, "previous_auth_token": previous}


def signed(url: str, secret: str, fields: Mapping[str, str], key: str = "") -> SignedRequest:
    """By the account's token, or by a webhook key of which `key` is the name."""
    headers = {"content-type": FORM}
    if key:
        headers["x-twilio-webhooks-signature-settings"] = f"key={key},algorithm=HMAC_SHA256"
    algorithm = "HMAC_SHA256" if key else None
    headers["x-twilio-signature"] = RequestValidator(secret).compute_signature(url, dict(fields), algorithm)
    return SignedRequest("POST", url, headers, urlencode(fields).encode())


def sid_of(text: str) -> str:
    return "SM" + hashlib.sha256(text.encode()).hexdigest()[:32]


def message(url: str, secret: str, message: Text) -> SignedRequest:
    return signed(url, secret, message_fields(message))


def message_fields(message: Text) -> dict[str, str]:
    sid = sid_of(message.id)
    return {
        "ToCountry": "FR",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "SmsSid": sid,
        "SmsStatus": "received",
        "Body": message.text,
        "To": f"+{message.recipient}",
        "NumSegments": str(message.parts),
        "MessageSid": sid,
        "AccountSid": SID,
        "From": f"+{message.sender}",
        "ApiVersion": "2010-04-01",
    }


def message_id(_provider: Provider, _request: SignedRequest, message: Text) -> str:
    return sid_of(message.id)


def report(url: str, secret: str, provider_id: str, word: str, _sequence: int) -> SignedRequest:
    known = {"SmsSid": provider_id, "MessageSid": provider_id, "AccountSid": SID, "ApiVersion": "2010-04-01"}
    numbers = {"To": "+33639980123", "From": "+33937000001"}
    return signed(url, secret, {**known, **numbers, "SmsStatus": word, "MessageStatus": word})


def no_message(url: str, secret: str) -> SignedRequest:
    """A call, which came to the message's address by a mistake in the console."""
    return signed(url, secret, {"CallSid": "CA" + "3" * 32, "From": "+33639980123", "CallStatus": "ringing"})


def ringing(url: str, secret: str, caller: str, recipient: str, call: str, **more: str) -> SignedRequest:
    number = f"+{caller}" if caller else "+266696687"
    known = {"CallSid": call, "AccountSid": SID, "From": number, "To": f"+{recipient}", "CallStatus": "ringing"}
    return signed(url, secret, {**known, "Direction": "inbound", "ApiVersion": "2010-04-01", "Caller": number, **more})


def ended(url: str, secret: str, caller: str, recipient: str, call: str) -> SignedRequest:
    return ringing(url, secret, caller, recipient, call, CallStatus="completed", CallDuration="7", Duration="1")


@contextlib.contextmanager
def carrier(settings: Any) -> Iterator[FakeTwilio]:
    with FakeTwilio() as server:
        settings.TWILIO_API_URL = server.url
        yield server


CONTRACT = Contract(
    credentials=credentials,
    message=message,
    report=report,
    no_message=no_message,
    words={
        "accepted": Delivery.QUEUED,
        "scheduled": Delivery.QUEUED,
        "queued": Delivery.QUEUED,
        "sending": Delivery.QUEUED,
        "sent": Delivery.SENT,
        "delivered": Delivery.DELIVERED,
        "read": Delivery.DELIVERED,
        "undelivered": Delivery.UNDELIVERED,
        "failed": Delivery.FAILED,
        "canceled": Delivery.FAILED,
    },
    carrier=carrier,
    answers={
        "ok": Knowledge.ACCEPTED,
        "400": Knowledge.REFUSED,
        "401": Knowledge.ACCOUNT_REFUSED,
        "429:3": Knowledge.REFUSED_FOR_NOW,
        "500": Knowledge.UNKNOWN,
        "503": Knowledge.UNKNOWN,
        "garbage": Knowledge.UNKNOWN,
        "reset-after": Knowledge.UNKNOWN,
    },
    calls=CallContract(ringing, ended),
    sequenced=False,
    message_id=message_id,
)
