"""Jasmin's part of the contract: nothing is signed, and what is proven is where it comes from."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from tests.providers.contract.base import Contract, Proof, Text
from tests.providers.fake_jasmin import FakeJasmin

from providers.base import Credentials, Delivery, Knowledge, SignedRequest

HERE = "127.0.0.1"
_address = {"base_url": "http://127.0.0.1:9"}


def credentials(_secret: str, _previous: str = "") -> Credentials:
    return {"username": "hotline", "password": "pass-not-real", "addresses": f"10.0.0.0/8, {HERE}", **_address}


def posted(url: str, fields: Mapping[str, str]) -> SignedRequest:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return SignedRequest("POST", url, headers, urlencode(fields).encode(), client=HERE)


def message(url: str, _secret: str, message: Text) -> SignedRequest:
    raw = message.text.encode("utf-16-be")
    known = {"id": message.id, "from": message.sender, "to": message.recipient, "origin-connector": "smppc_orange"}
    return posted(url, {**known, "content": raw.decode("latin-1"), "binary": raw.hex(), "priority": "1", "coding": "8"})


def report(url: str, _secret: str, provider_id: str, word: str, _sequence: int) -> SignedRequest:
    known = {"id": provider_id, "message_status": word, "connector": "smppc_orange"}
    if word.startswith("ESME_"):
        return posted(url, {**known, "level": "1"})
    more = {"id_smsc": "2567", "sub": "001", "dlvrd": "001", "subdate": "2611021000", "donedate": "2611021000"}
    return posted(url, {**known, "level": "2", **more, "err": "000", "text": "Bonjour"})


def no_message(url: str, secret: str) -> SignedRequest:
    return report(url, secret, "07033084-5cfd-4812-90a4-e4d24ffb6e3d", "DELIVRD", 1)


@contextlib.contextmanager
def carrier(settings: Any) -> Iterator[FakeJasmin]:
    with FakeJasmin() as server:
        settings.GATEWAYS = (server.url,)
        before, _address["base_url"] = _address["base_url"], server.url
        yield server
        _address["base_url"] = before


CONTRACT = Contract(
    credentials=credentials,
    message=message,
    report=report,
    no_message=no_message,
    words={
        "ACCEPTD": Delivery.SENT,
        "ENROUTE": Delivery.SENT,
        "DELIVRD": Delivery.DELIVERED,
        "UNDELIV": Delivery.UNDELIVERED,
        "EXPIRED": Delivery.UNDELIVERED,
        "DELETED": Delivery.UNDELIVERED,
        "REJECTD": Delivery.FAILED,
        "ESME_ROK": Delivery.SENT,
        "ESME_RINVDSTADR": Delivery.FAILED,
    },
    carrier=carrier,
    answers={
        "ok": Knowledge.ACCEPTED,
        "400": Knowledge.REFUSED,
        "412": Knowledge.REFUSED,
        "403": Knowledge.ACCOUNT_REFUSED,
        "429:3": Knowledge.REFUSED_FOR_NOW,
        "500": Knowledge.UNKNOWN,
        "garbage": Knowledge.UNKNOWN,
        "reset-after": Knowledge.UNKNOWN,
    },
    proof=Proof(url=False, body=False, secret=False),
    forged=lambda request: dataclasses.replace(request, client="203.0.113.9"),
    journey=("ESME_ROK", "ACCEPTD", "DELIVRD"),
    sequenced=False,
    tells_parts=False,
)
