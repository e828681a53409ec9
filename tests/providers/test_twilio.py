"""Twilio: its vectors, its library as oracle, the newer signature, and what its answers teach."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inbox.webhook import path_of
from tests.providers.cases import text
from tests.providers.contract import twilio as contract
from tests.providers.fake_twilio import SID, FakeTwilio
from tests.signing import PUBLIC
from tests.world import World
from twilio.request_validator import RequestValidator

from hotlines.models import EndpointPin
from providers.base import Knowledge, NotVerified, Outcome, OutgoingReply, SignedRequest
from providers.twilio import Twilio

pytestmark = [pytest.mark.usefixtures("own_client"), pytest.mark.once]

VECTORS = Path(__file__).parent.parent / "vectors/twilio"
POSTED = [path.stem for path in sorted(VECTORS.glob("*.json")) if json.loads(path.read_text())["method"] == "POST"]
TOKEN, KEY = "twilio-test-auth-token-not-real0", "the-secret-of-a-webhook-key"


def recorded(name: str) -> tuple[SignedRequest, str]:
    described = json.loads((VECTORS / f"{name}.json").read_text())
    _head, _blank, body = (VECTORS / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    headers = {key.lower(): value for key, value in described["headers"].items()}
    return SignedRequest("POST", described["url"], headers, body), described["auth_token"]


def scheme_of(request: SignedRequest, **credentials: str) -> str | None:
    try:
        return Twilio().verify(request, credentials).scheme
    except NotVerified:
        return None


# --- proof ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", POSTED)
def test_a_recorded_request_verifies_and_an_altered_one_does_not(name: str) -> None:
    request, token = recorded(name)
    assert scheme_of(request, auth_token=token) == "sha1"
    assert scheme_of(request, auth_token="another") is None
    assert scheme_of(dataclasses.replace(request, url=request.url + "x"), auth_token=token) is None
    for index in range(0, len(request.body), 11):
        changed = request.body[:index] + bytes([request.body[index] ^ 2]) + request.body[index + 1 :]
        assert scheme_of(dataclasses.replace(request, body=changed), auth_token=token) is None


pairs = st.dictionaries(st.text(max_size=12), st.text(max_size=30), max_size=8)


@given(
    fields=pairs, token=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), key=st.sampled_from(["", "k"])
)
def test_it_is_the_signature_of_twilios_library(fields: dict[str, str], token: str, key: str) -> None:
    try:
        request = contract.signed("https://hotline.example.org/hooks/x/", token, fields, key)
    except UnicodeEncodeError:
        return  # half a surrogate pair is in no form
    algorithm = "HMAC_SHA256" if key else None
    offered = request.headers["x-twilio-signature"]
    assert RequestValidator(token).validate(request.url, fields, offered, algorithm)
    wanted = "sha256" if key else "sha1"
    assert scheme_of(request, auth_token=token, shared_key=token) == wanted
    changed = dataclasses.replace(request, headers={**request.headers, "x-twilio-signature": offered[:-2] + "A="})
    assert (scheme_of(changed, auth_token=token, shared_key=token) == wanted) == (offered[-2:] == "A=")


def test_what_says_it_is_signed_with_a_key_is_not_believed_by_the_token() -> None:
    """Whoever could choose the weaker method would."""
    message = contract.message_fields(text())
    by_key = contract.signed("https://x/", KEY, message, "k")
    by_token = contract.signed("https://x/", TOKEN, message)
    assert scheme_of(by_key, auth_token=TOKEN, shared_key=KEY) == "sha256"
    assert scheme_of(by_key, auth_token=KEY) is None
    assert scheme_of(by_token, shared_key=TOKEN) is None
    for settings in ("key=k,algorithm=HMAC_SHA1", "key=k,algorithm=HMAC_MD5", "key=k", "x"):
        headers = {**by_token.headers, "x-twilio-webhooks-signature-settings": settings}
        request = dataclasses.replace(by_token, headers=headers)
        assert scheme_of(request, auth_token=TOKEN, shared_key=TOKEN) is None


def test_after_a_key_the_token_alone_is_refused(world: World, client: Any) -> None:
    account = world.north.account
    account.provider, account.credentials = "twilio", {"account_sid": SID, "auth_token": TOKEN, "shared_key": KEY}
    account.save()
    world.north.hotline.refresh_from_db()
    path = path_of(world.north.hotline)

    def post(secret: str, key: str) -> int:
        request = contract.signed(PUBLIC + path, secret, contract.message_fields(text()), key)
        headers = {name: value for name, value in request.headers.items() if name != "content-type"}
        answer = client.generic("POST", path, request.body, content_type=contract.FORM, headers=headers)
        return int(answer.status_code)

    assert post(TOKEN, "") == 200
    assert post(KEY, "k") == 200
    assert EndpointPin.objects.get().scheme == "sha256"
    assert post(TOKEN, "") == 403


# --- sending ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def server(settings: Any) -> Iterator[FakeTwilio]:
    with FakeTwilio(TOKEN) as fake:
        settings.TWILIO_API_URL = fake.url
        yield fake


def call(source: str = "33937000001", token: str = TOKEN) -> Outcome:
    reply = OutgoingReply(uuid.uuid4(), source, "33639980123", "Réponse & « non »", "https://hotline.example.org/r/")
    return Twilio().send(reply, {"account_sid": SID, "auth_token": token})


def test_it_sends_what_the_api_asks_for(server: FakeTwilio) -> None:
    outcome = call()
    [entry] = server.taken
    assert (outcome.knowledge, outcome.provider_id) == (Knowledge.ACCEPTED, entry["sid"])
    assert entry["fields"] == {
        "From": "+33937000001",
        "To": "+33639980123",
        "Body": "Réponse & « non »",
        "StatusCallback": "https://hotline.example.org/r/",
        "ValidityPeriod": "3600",
    }
    assert call(source="38055").knowledge is Knowledge.ACCEPTED
    assert server.taken[-1]["fields"]["From"] == "38055"


@pytest.mark.parametrize(
    ("told", "knowledge", "detail", "wait"),
    [
        ("slow:0.1", Knowledge.ACCEPTED, "201", None),
        ("400", Knowledge.REFUSED, "400 21610", None),
        ("400", Knowledge.REFUSED, "400 21408", None),
        ("400", Knowledge.ACCOUNT_REFUSED, "400 90010", None),
        ("401", Knowledge.ACCOUNT_REFUSED, "401 20003", None),
        ("403", Knowledge.ACCOUNT_REFUSED, "403 20005", None),
        ("404", Knowledge.REFUSED, "404 20404", None),
        ("429:7", Knowledge.REFUSED_FOR_NOW, "429 20429", 7),
        ("400", Knowledge.REFUSED_FOR_NOW, "400 14107", 30),
        ("500", Knowledge.UNKNOWN, "500 20500", None),
        ("500+accept", Knowledge.UNKNOWN, "500 20500", None),
        ("503", Knowledge.UNKNOWN, "503 20503", None),
    ],
)
def test_what_its_errors_teach(
    server: FakeTwilio, told: str, knowledge: Knowledge, detail: str, wait: float | None
) -> None:
    server.script(told)
    server.code = int(detail.partition(" ")[2] or 0)
    outcome = call()
    assert (outcome.knowledge, outcome.retry_after) == (knowledge, wait)
    assert outcome.detail == (detail if knowledge not in {Knowledge.REFUSED, Knowledge.UNKNOWN} else outcome.detail)
    certain = {Knowledge.REFUSED, Knowledge.REFUSED_FOR_NOW, Knowledge.ACCOUNT_REFUSED}
    assert not (server.taken and knowledge in certain)


@pytest.mark.parametrize("told", ["garbage", "empty", "reset-before", "reset-after", "reset-after+accept", "silent"])
def test_what_is_not_known_is_not_guessed(server: FakeTwilio, told: str) -> None:
    server.script(told)
    assert call().knowledge is Knowledge.UNKNOWN
    assert len(server.entries) == 1


def test_a_wrong_token_is_the_accounts_fault(server: FakeTwilio) -> None:
    assert call(token="stolen").knowledge is Knowledge.ACCOUNT_REFUSED
    assert server.entries[0]["complaints"] == ["credentials"]
