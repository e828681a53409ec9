"""Vonage: its vectors, its library as oracle, the body's hash that it does not look at, and every wrong token."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import time_machine
from tests.providers.cases import SECRET, text
from tests.providers.contract import vonage as contract
from tests.providers.fake_vonage import FakeVonage
from vonage_jwt import verify_signature

from providers.base import Delivery, Knowledge, NotVerified, Outcome, OutgoingReply, SignedRequest
from providers.vonage import Vonage

pytestmark = [pytest.mark.usefixtures("own_client"), pytest.mark.once]

VECTORS = Path(__file__).parent.parent / "vectors/vonage"


def recorded(name: str) -> tuple[SignedRequest, str, int]:
    described = json.loads((VECTORS / f"{name}.json").read_text())
    headers = {key.lower(): value for key, value in described["headers"].items()}
    issued = jwt.decode(headers["authorization"].split()[1], options={"verify_signature": False})["iat"]
    return (
        SignedRequest("POST", "https://x/", headers, described["body"].encode()),
        described["signature_secret"],
        issued,
    )


def verifies(request: SignedRequest, secret: str, at: float, key: str = contract.KEY) -> bool:
    with time_machine.travel(at, tick=False):
        try:
            return bool(Vonage().verify(request, {"signature_secret": secret, "api_key": key}).nonce)
        except NotVerified:
            return False


@pytest.mark.parametrize("name", ["inbound_messages_api", "status_messages_api"])
def test_a_recorded_request_verifies_in_its_time_and_not_altered(name: str) -> None:
    request, secret, issued = recorded(name)
    bearer = request.headers["authorization"].split()[1]
    with time_machine.travel(issued, tick=False):
        assert verify_signature(bearer, secret)
    assert verifies(request, secret, issued)
    assert not verifies(request, secret, issued + 301)
    assert not verifies(request, secret, issued - 301)
    assert not verifies(request, secret + "x", issued)
    assert not verifies(request, secret, issued, key="another")
    altered = dataclasses.replace(request, body=request.body.replace(b"salut", b"salue").replace(b"deliv", b"xeliv"))
    assert not verifies(altered, secret, issued)


def test_what_was_recorded_says_who_and_what() -> None:
    message = Vonage().parse_message(recorded("inbound_messages_api")[0])
    assert (message.sender, message.recipient, message.text) == ("33639980123", "33639980001", "salut ça va")
    assert (message.units, str(message.cost)) == (1, "0.00570")
    assert Vonage().parse_report(recorded("status_messages_api")[0]).status in set(Delivery)


BODY = b"{}"
GOOD = contract.long(SECRET)
WRONG: list[tuple[str, dict[str, Any], dict[str, str] | None]] = [
    ("another algorithm", {}, {"alg": "HS512", "typ": "JWT"}),
    ("none", {}, {"alg": "none"}),
    ("no algorithm", {}, {"typ": "JWT"}),
    ("no time", {"iat": None}, None),
    ("a time in words", {"iat": "now"}, None),
    ("a time that is true", {"iat": True}, None),
    ("over", {"exp": 1}, None),
    ("no hash", {"payload_hash": None}, None),
    ("another's hash", {"payload_hash": "0" * 64}, None),
    ("no account", {"api_key": None}, None),
]


@pytest.mark.parametrize(("claims", "header"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_token_that_is_wrong_in_one_thing_proves_nothing(
    claims: dict[str, Any], header: dict[str, str] | None
) -> None:
    def request(**changes: Any) -> SignedRequest:
        made = contract.token(GOOD, contract.claims_of(BODY, **changes), header if changes or header else None)
        return SignedRequest("POST", "https://x/", {"authorization": f"bearer {made}"}, BODY)

    with pytest.raises(NotVerified):
        Vonage().verify(request(**claims), {"signature_secret": GOOD, "api_key": contract.KEY})
    right = contract.token(GOOD, contract.claims_of(BODY))
    proven = SignedRequest("POST", "https://x/", {"authorization": f"bearer {right}"}, BODY)
    assert Vonage().verify(proven, {"signature_secret": GOOD, "api_key": contract.KEY}).scheme == "jwt"


@pytest.mark.parametrize("said", ["", "Bearer", "Bearer ", "Basic x", "Bearer a.b.c", "Bearer ....", "Bearer é"])
def test_what_is_no_token_proves_nothing(said: str) -> None:
    request = SignedRequest("POST", "https://x/", {"authorization": said}, BODY)
    with pytest.raises(NotVerified):
        Vonage().verify(request, {"signature_secret": GOOD, "api_key": contract.KEY})


# --- sending ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def server(settings: Any) -> Iterator[FakeVonage]:
    with FakeVonage() as fake:
        settings.VONAGE_API_URL = fake.url
        yield fake


def call(**changes: str) -> Outcome:
    reply = OutgoingReply(uuid.uuid4(), "33937000001", "33639980123", "Réponse", "https://hotline.example.org/r/")
    return Vonage().send(reply, {**contract.credentials(SECRET), **changes})


def test_it_sends_what_the_api_asks_for(server: FakeVonage) -> None:
    outcome = call()
    [entry] = server.taken
    assert (outcome.knowledge, outcome.provider_id) == (Knowledge.ACCEPTED, entry["name"])
    assert (entry["sent"]["to"], entry["sent"]["text"]) == ("33639980123", "Réponse")
    assert entry["sent"]["webhook_url"] == "https://hotline.example.org/r/"


@pytest.mark.parametrize(
    "told", ["500", "503+accept", "garbage", "empty", "reset-before", "reset-after+accept", "silent"]
)
def test_what_is_not_known_is_not_guessed(server: FakeVonage, told: str) -> None:
    server.script(told)
    assert call().knowledge is Knowledge.UNKNOWN
    assert len(server.entries) == 1


def test_wrong_credentials_are_the_accounts_fault(server: FakeVonage) -> None:
    assert call(api_secret="stolen").knowledge is Knowledge.ACCOUNT_REFUSED
    assert server.entries[0]["complaints"] == ["credentials"]


def test_a_message_of_another_channel_is_unusable() -> None:
    for changes in ({"channel": "whatsapp"}, {"message_type": "image"}, {"text": None}, {"message_uuid": ""}):
        content = json.loads(contract.message("https://x/", SECRET, text()).body) | changes
        with pytest.raises(Exception, match=r"without|no text"):
            Vonage().parse_message(contract.signed("https://x/", SECRET, content))
