"""Plivo's part of the contract: signed by its SDK."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from tests.providers import plivo_numbers
from tests.providers.contract.base import CallContract, Contract, LogContract, NumberContract, Text
from tests.providers.fake_plivo import FakePlivo
from tests.providers.plivo_protocol import report_fields, signed_headers
from tests.world import AUTH_ID

from providers.base import Credentials, Delivery, Knowledge, LogEntry, SignedRequest

FORM = "application/x-www-form-urlencoded"


def credentials(secret: str, previous: str = "") -> Credentials:
    return {"auth_id": AUTH_ID, "auth_token": secret, "previous_auth_token": previous}


def signed(url: str, secret: str, fields: dict[str, str]) -> SignedRequest:
    headers = {name.lower(): value for name, value in signed_headers(url, fields, secret).items()}
    return SignedRequest("POST", url, {**headers, "content-type": FORM}, urlencode(fields).encode())


def message(url: str, secret: str, message: Text) -> SignedRequest:
    fields = {
        "From": message.sender,
        "To": message.recipient,
        "Type": "sms",
        "Text": message.text,
        "MessageUUID": message.id,
        "Units": str(message.parts),
        "TotalRate": "0.00750",
        "TotalAmount": f"{0.0075 * message.parts:.5f}",
        "MessageIntent": "",
        "PowerpackUUID": "",
    }
    return signed(url, secret, fields)


def report(url: str, secret: str, provider_id: str, word: str, sequence: int) -> SignedRequest:
    return signed(url, secret, report_fields(provider_id, "33937000001", "33639980123", word, sequence))


def no_message(url: str, secret: str) -> SignedRequest:
    """A call, which came to the message's address by a mistake in the console."""
    fields = {"CallUUID": "97ceeb52-58b6-11e1-86da-77300b68f8bb", "From": "33639980123", "CallStatus": "ringing"}
    return signed(url, secret, fields)


def ringing(url: str, secret: str, caller: str, recipient: str, call: str, **more: str) -> SignedRequest:
    known = {"CallUUID": call, "From": caller or "anonymous", "To": recipient, "CallStatus": "ringing"}
    return signed(url, secret, {**known, "Direction": "inbound", "BillRate": "0.00850", **more})


def ended(url: str, secret: str, caller: str, recipient: str, call: str) -> SignedRequest:
    over = {"CallStatus": "completed", "HangupCause": "NORMAL_CLEARING", "Duration": "7", "TotalCost": "0.00850"}
    return ringing(url, secret, caller, recipient, call, **over)


@contextlib.contextmanager
def carrier(settings: Any) -> Iterator[FakePlivo]:
    with FakePlivo() as server:
        settings.PLIVO_API_URL = server.url
        yield server


def write_log(server: FakePlivo, entries: Sequence[LogEntry]) -> None:
    for entry in entries:
        at = entry.at.timestamp()
        if entry.inbound:
            server.log.receive(AUTH_ID, entry.sender, entry.recipient, entry.id, at=at, units=entry.units or 1)
        else:
            sent = {"accepted": True, "account": AUTH_ID, "src": entry.sender, "dst": entry.recipient}
            server.entries.append({**sent, "uuid": entry.id, "at": at, "units": entry.units or 1})


CONTRACT = Contract(
    credentials=credentials,
    message=message,
    report=report,
    no_message=no_message,
    words={
        "queued": Delivery.QUEUED,
        "sent": Delivery.SENT,
        "delivered": Delivery.DELIVERED,
        "undelivered": Delivery.UNDELIVERED,
        "rejected": Delivery.UNDELIVERED,
        "failed": Delivery.FAILED,
    },
    carrier=carrier,
    answers={
        "202": Knowledge.ACCEPTED,
        "400": Knowledge.REFUSED,
        "403": Knowledge.REFUSED,
        "401": Knowledge.ACCOUNT_REFUSED,
        "402": Knowledge.ACCOUNT_REFUSED,
        "429:3": Knowledge.REFUSED_FOR_NOW,
        "500": Knowledge.UNKNOWN,
        "503": Knowledge.UNKNOWN,
        "garbage": Knowledge.UNKNOWN,
        "reset-after": Knowledge.UNKNOWN,
    },
    calls=CallContract(ringing, ended, cost="0.00850"),
    log=LogContract(
        write=write_log,
        page=20,
        faults=[
            *("400", "401", "403", "404", "405", "500", "503", "307", "204", "206"),
            *("garbage", "empty", "huge", "truncated", "silent:2", "reset-before", "reset-after", "short"),
        ],
        wait="429:7",
    ),
    numbers=NumberContract(
        application=plivo_numbers.APPLICATION,
        script=lambda server, told: server.numbers.script(told),
        faults=["400", "401", "403", "404", "500", "503", "307"],
        done="500+done",
        wait="429:7",
    ),
)
