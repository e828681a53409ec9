"""The Android gateway: its vectors, what its phone writes, its ids, and what its answers teach."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.contract import smsgate as contract
from tests.providers.fake_smsgate import FakeSmsGate
from tests.services import free_port

from providers.base import (
    Delivery,
    DeliveryReport,
    InboundMessage,
    Knowledge,
    NotVerified,
    Outcome,
    OutgoingReply,
    SignedRequest,
    SignOfLife,
    Unusable,
)
from providers.smsgate import SmsGate

pytestmark = [pytest.mark.usefixtures("own_client"), pytest.mark.once]

VECTORS = Path(__file__).parent.parent / "vectors/smsgate"
RECORDED = 1_793_613_600
NAMES = sorted(path.stem for path in VECTORS.glob("sms_*.json"))
KEY = "sms-gate-signing-key-not-real"


def recorded(name: str) -> SignedRequest:
    head, _blank, body = (VECTORS / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return SignedRequest("POST", "https://x/", {key.lower(): value for key, value in headers.items()}, body)


def verifies(request: SignedRequest, key: str = KEY, at: float = RECORDED) -> bool:
    with time_machine.travel(at, tick=False):
        try:
            return SmsGate().verify(request, {"signing_key": key}).scheme == "hmac"
        except NotVerified:
            return False


# --- proof ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_request_verifies_and_an_altered_one_does_not(name: str) -> None:
    request = recorded(name)
    assert verifies(request)
    assert not verifies(request, at=RECORDED + 301)
    assert not verifies(request, key="another")
    for index in range(0, len(request.body), 7):
        changed = request.body[:index] + bytes([request.body[index] ^ 4]) + request.body[index + 1 :]
        assert not verifies(dataclasses.replace(request, body=changed))


@given(body=st.binary(max_size=200), at=st.integers(0, 10**11), key=st.text(min_size=1, max_size=30))
def test_the_signature_is_that_of_the_documentation(body: bytes, at: int, key: str) -> None:
    try:
        secret = key.encode()
    except UnicodeEncodeError:
        return
    signature = hmac.new(secret, body + str(at).encode(), hashlib.sha256).hexdigest()
    request = SignedRequest("POST", "", {"x-timestamp": str(at), "x-signature": signature}, body)
    with time_machine.travel(min(at, 4 * 10**9), tick=False):
        inside = abs(min(at, 4 * 10**9) - at) <= 300
        assert verifies(request, key, min(at, 4 * 10**9)) == inside


@pytest.mark.parametrize("stamp", ["", "now", "-1", "1793613600.0", "٣", "1" * 13, " 1793613600"])
def test_a_time_stamp_that_is_none_proves_nothing(stamp: str) -> None:
    body = recorded("sms_received").body
    signature = hmac.new(KEY.encode(), body + stamp.encode(), hashlib.sha256).hexdigest()
    assert not verifies(SignedRequest("POST", "", {"x-timestamp": stamp, "x-signature": signature}, body))


# --- what it says -----------------------------------------------------------------------------------------------------
def parsed(name: str) -> InboundMessage | DeliveryReport | SignOfLife:
    return SmsGate().parse_message(recorded(name))


def test_recorded_messages_say_who_and_what() -> None:
    message = parsed("sms_received")
    assert isinstance(message, InboundMessage)
    assert (message.sender, message.recipient, message.text) == ("+33639980123", "+33639980001", "salut ça va")
    national = parsed("sms_received_no_recipient")
    assert isinstance(national, InboundMessage)
    assert (national.sender, national.recipient, national.national) == ("0639980123", None, True)


def received(**changes: Any) -> str:
    """The id of a message whose payload, or its device, is changed so."""
    found = json.loads(recorded("sms_received").body)
    found |= {name: value for name, value in changes.items() if name in found}
    found["payload"] |= {name: value for name, value in changes.items() if name not in found}
    message = SmsGate().parse_message(SignedRequest("POST", "", {}, json.dumps(found).encode()))
    assert isinstance(message, InboundMessage)
    return message.id


def test_a_message_that_is_exported_again_is_the_same_and_its_twin_is_not() -> None:
    """The outer id is of a delivery, and the inner one of a content: two people who write alike share it."""
    same = received()
    assert received(id="another-delivery", webhookId="another") == same
    assert received(receivedAt="2026-11-02T09:00:00.000+00:00") == same
    others = {
        received(sender="+33639980124"),
        received(receivedAt="2026-11-02T10:00:01.000+01:00"),
        received(messageId="3f2a91bd"),
        received(deviceId="another-phone"),
    }
    assert len(others | {same}) == 5


def event(name: str, payload: object) -> Any:
    body = json.dumps({"deviceId": "d", "event": name, "id": "x", "payload": payload, "webhookId": "w"})
    return SmsGate().parse_message(SignedRequest("POST", "", {}, body.encode()))


def test_a_report_names_our_reply_and_why_it_failed() -> None:
    reply = uuid.uuid4()
    report = event("sms:failed", {"messageId": str(reply), "reason": "RESULT_ERROR_LIMIT_EXCEEDED"})
    assert (report.reply, report.status, report.error_code) == (reply, Delivery.FAILED, "LIMIT_EXCEEDED")
    with pytest.raises(Unusable):
        parsed("sms_sent")  # of a message that the app itself has sent


@pytest.mark.parametrize(
    ("payload", "sign"),
    [
        (
            {"health": {"checks": {"battery:level": {"observedValue": 94}, "messages:failed": {"observedValue": 2}}}},
            SignOfLife(94, 2),
        ),
        ({"health": {"checks": {"battery:level": {"observedValue": 101}}}}, SignOfLife()),
        ({"health": {"checks": {"battery:level": {"observedValue": "94"}, "messages:failed": True}}}, SignOfLife()),
        ({"health": []}, SignOfLife()),
        ({}, SignOfLife()),
    ],
)
def test_a_ping_says_how_the_phone_is(payload: object, sign: SignOfLife) -> None:
    assert event("system:ping", payload) == sign


@pytest.mark.parametrize(
    "payload",
    [None, [], {"sender": "x"}, {"sender": 1, "message": "x", "receivedAt": "x"}, {"sender": "x", "message": None}],
)
def test_what_lacks_something_is_unusable(payload: object) -> None:
    for name in ("sms:received", "sms:sent", "mms:received", "", 7):
        with pytest.raises(Unusable):
            event(name, payload)  # type: ignore[arg-type]


# --- sending ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def phone(settings: Any) -> Iterator[FakeSmsGate]:
    with FakeSmsGate() as server:
        settings.GATEWAYS = (server.url,)
        yield server


def call(server: FakeSmsGate, reply: uuid.UUID | None = None, **changes: str) -> Outcome:
    known = {"username": "user", "password": "pass", "base_url": server.base, **changes}
    return SmsGate().send(
        OutgoingReply(reply or uuid.uuid4(), "33937000001", "33639980123", "Non.", "https://x/"), known
    )


def test_it_sends_what_the_api_asks_for(phone: FakeSmsGate) -> None:
    reply = uuid.uuid4()
    outcome = call(phone, reply, device_id="d1", sim_number="2")
    assert (outcome.knowledge, outcome.provider_id) == (Knowledge.ACCEPTED, str(reply))
    [entry] = phone.taken
    assert entry["payload"] == {
        "id": str(reply),
        "textMessage": {"text": "Non."},
        "phoneNumbers": ["+33639980123"],
        "ttl": 3600,
        "withDeliveryReport": True,
        "deviceId": "d1",
        "simNumber": 2,
    }


@pytest.mark.parametrize(
    "told",
    ["500", "500+accept", "504+accept", "garbage", "empty", "reset-before", "reset-after+accept", "silent+accept"],
)
def test_whatever_happened_it_is_asked_again_and_sent_once(phone: FakeSmsGate, told: str) -> None:
    reply = uuid.uuid4()
    phone.script(told)
    assert call(phone, reply).knowledge is Knowledge.REFUSED_FOR_NOW
    assert call(phone, reply).knowledge is Knowledge.ACCEPTED
    assert len(phone.messages) == len(phone.taken) == 1


@pytest.mark.parametrize(
    ("told", "knowledge", "wait"),
    [
        ("slow:0.1", Knowledge.ACCEPTED, None),
        ("400", Knowledge.REFUSED, None),
        ("403", Knowledge.REFUSED, None),
        ("401", Knowledge.ACCOUNT_REFUSED, None),
        ("402", Knowledge.ACCOUNT_REFUSED, None),
        ("429:7", Knowledge.REFUSED_FOR_NOW, 7),
        ("503", Knowledge.REFUSED_FOR_NOW, 300),
    ],
)
def test_what_its_answers_teach(phone: FakeSmsGate, told: str, knowledge: Knowledge, wait: float | None) -> None:
    phone.script(told)
    outcome = call(phone)
    assert (outcome.knowledge, outcome.retry_after) == (knowledge, wait)
    assert bool(phone.taken) == (knowledge is Knowledge.ACCEPTED)


def test_a_phones_own_server_has_another_path(settings: Any) -> None:
    with FakeSmsGate(path="") as server:
        settings.GATEWAYS = (server.url,)
        assert call(server).knowledge is Knowledge.ACCEPTED


def test_wrong_credentials_and_a_dead_phone(phone: FakeSmsGate, settings: Any) -> None:
    assert call(phone, password="wrong").knowledge is Knowledge.ACCOUNT_REFUSED
    settings.GATEWAYS = (gone := f"http://127.0.0.1:{free_port()}",)
    assert call(phone, base_url=gone).knowledge is Knowledge.REFUSED_FOR_NOW


def test_an_address_that_nobody_vouches_for_may_not_lead_into_a_private_network(
    phone: FakeSmsGate, settings: Any
) -> None:
    settings.GATEWAYS, settings.WEBHOOKS_MAY_STAY_HERE = (), False
    for base in (phone.base, phone.base.replace("http:", "https:"), "https://169.254.169.254/v1"):
        outcome = call(phone, base_url=base)
        assert (outcome.knowledge, outcome.detail) == (Knowledge.ACCOUNT_REFUSED, "refused address")
    assert phone.entries == []


def test_the_contracts_requests_are_the_documentations() -> None:
    made = contract.message("https://x/", KEY, contract.Text("1", "33639980123", "33639980001", "salut ça va"))
    ours, theirs = json.loads(made.body), json.loads(recorded("sms_received").body)
    assert ours.keys() == theirs.keys()
    assert ours["payload"].keys() == theirs["payload"].keys()
