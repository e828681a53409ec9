"""Vonage's older SMS API: a request its SDK signed, every algorithm, what a signature covers, and every status."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.cases import SECRET, text
from tests.providers.contract import vonage_sms as contract
from tests.providers.fake_vonage_sms import FakeVonageSms
from vonage_http_client.auth import Auth

from providers.base import Knowledge, NotVerified, Outcome, OutgoingReply, Part, SignedRequest, Unusable
from providers.vonage_sms import VonageSms

pytestmark = [pytest.mark.usefixtures("own_client"), pytest.mark.once]

VECTORS = Path(__file__).parent.parent / "vectors/vonage"
SIGNED_AT = 1793613600


def verifies(request: SignedRequest, credentials: dict[str, str]) -> str:
    try:
        return VonageSms().verify(request, credentials).scheme
    except NotVerified:
        return ""


# --- proof ------------------------------------------------------------------------------------------------------------
def test_a_recorded_request_verifies_in_its_time_and_not_altered() -> None:
    described = json.loads((VECTORS / "inbound_sms_api.json").read_text())
    request = SignedRequest("POST", "https://x/", {}, described["body"].encode())
    account = {"signature_secret": described["signature_secret"], "api_key": "abcd1234"}
    with time_machine.travel(SIGNED_AT, tick=False):
        assert verifies(request, account) == "sha256"
        assert not verifies(request, account | {"signature_secret": described["signature_secret"] + "x"})
        assert not verifies(request, account | {"api_key": "another"})
        for old, new in (
            (b"salut", b"salue"),
            (b"33639980123", b"33639980124"),
            (b"0A0", b"0A1"),
            (b"ca=va", b"ca_va"),
        ):
            altered = dataclasses.replace(request, body=request.body.replace(old, new))
            assert not verifies(altered, account) or altered.body == request.body
    for late in (-301, 301):
        with time_machine.travel(SIGNED_AT + late, tick=False):
            assert not verifies(request, account)
    message = VonageSms().parse_message(request)
    assert (message.sender, message.recipient, message.text) == ("33639980123", "33639980001", "salut & ça=va")
    assert message.part is None


@pytest.mark.parametrize("method", VonageSms.schemes)
def test_each_algorithm_proves_and_is_named(method: str) -> None:
    request = contract.signed("https://x/", SECRET, contract.fields_of(text()), method)
    assert verifies(request, dict(contract.credentials(SECRET))) == method


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="&="), min_size=1, max_size=12)


@given(
    fields=st.dictionaries(NAMES, st.one_of(st.text(max_size=60), st.integers(0, 10**12)), max_size=12),
    method=st.sampled_from(VonageSms.schemes),
)
def test_what_its_sdk_signs_is_proven(fields: dict[str, Any], method: str) -> None:
    auth = Auth(api_key=contract.KEY, signature_secret=contract.long(SECRET), signature_method=method)
    signed = {**fields, "api-key": contract.KEY, "timestamp": str(int(time.time()))}
    signed.pop("sig", None)
    signed["sig"] = auth.sign_params(dict(signed))
    request = SignedRequest("POST", "https://x/", {}, json.dumps(signed).encode())
    assert verifies(request, dict(contract.credentials(SECRET))) == method
    assert auth.check_signature(dict(signed))


@pytest.mark.parametrize("field", ["sig", "timestamp", "api-key", "nonce", "text"])
@pytest.mark.parametrize("value", [None, "", "x", "é" * 32, "9" * 300, 7, True, [], "\ud800"])
def test_a_field_that_is_another_proves_nothing(field: str, value: object) -> None:
    fields = json.loads(contract.message("https://x/", SECRET, text()).body)
    request = SignedRequest("POST", "https://x/", {}, json.dumps({**fields, field: value}).encode())
    assert not verifies(request, dict(contract.credentials(SECRET)))


@pytest.mark.parametrize("when", ["", "x", "1e9", "-1", "99999999999", "²"])
def test_a_time_that_is_none_proves_nothing_though_it_is_signed(when: str) -> None:
    request = contract.signed("https://x/", SECRET, contract.fields_of(text()) | {"timestamp": when})
    assert not verifies(request, dict(contract.credentials(SECRET)))


def test_a_text_that_no_database_takes_is_proven_as_it_came_and_kept_without_it() -> None:
    request = contract.signed("https://x/", SECRET, contract.fields_of(text("a\x00b")))
    assert verifies(request, dict(contract.credentials(SECRET)))
    assert VonageSms().parse_message(request).text == "ab"


# --- parts ------------------------------------------------------------------------------------------------------------
def test_a_part_says_which_it_is() -> None:
    request = contract.part("https://x/", SECRET, text("un deux", parts=3), 2, reference="7")
    assert VonageSms().parse_message(request).part == Part("7", 2, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"concat-part": one} for one in ("0", "4", "-1", "x", "", "256")),
        *({"concat-total": one} for one in ("0", "1", "x", "300")),
    ],
    ids=str,
)
def test_a_part_of_no_message_is_unusable(wrong: dict[str, str]) -> None:
    message = text("un deux", parts=3)
    fields = json.loads(contract.part("https://x/", SECRET, message, 2).body) | wrong
    with pytest.raises(Unusable, match="part of no message"):
        VonageSms().parse_message(SignedRequest("POST", "https://x/", {}, json.dumps(fields).encode()))


def test_one_part_of_one_is_a_message() -> None:
    message = VonageSms().parse_message(contract.part("https://x/", SECRET, text("seul", parts=1), 1))
    assert (message.text, message.part) == ("seul", None)


@pytest.mark.parametrize("changes", [{"type": "binary"}, {"text": None}, {"messageId": ""}, {"status": "delivered"}])
def test_what_is_no_text_is_unusable(changes: dict[str, Any]) -> None:
    fields = json.loads(contract.message("https://x/", SECRET, text()).body) | changes
    with pytest.raises(Unusable, match=r"without|no text"):
        VonageSms().parse_message(SignedRequest("POST", "https://x/", {}, json.dumps(fields).encode()))


# --- sending ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def server(settings: Any) -> Iterator[FakeVonageSms]:
    with contract.carrier(settings) as fake:
        yield fake


def call(said: str = "Réponse", **changes: str) -> Outcome:
    reply = OutgoingReply(uuid.uuid4(), "33937000001", "33639980123", said, "https://hotline.example.org/r/")
    return VonageSms().send(reply, {**contract.credentials(SECRET), **changes})


@pytest.mark.parametrize(
    ("said", "kind"),
    [("Réponse à toi", "text"), ("Ça {ne} va € pas", "text"), ("Où ça ?", "unicode"), ("سلام", "unicode")],
)
def test_it_sends_what_the_api_asks_for(server: FakeVonageSms, said: str, kind: str) -> None:
    outcome = call(said)
    [entry] = server.taken
    assert (outcome.knowledge, outcome.provider_id) == (Knowledge.ACCEPTED, entry["name"])
    assert (entry["sent"]["to"], entry["sent"]["text"], entry["sent"]["type"]) == ("33639980123", said, kind)
    assert entry["sent"]["callback"] == "https://hotline.example.org/r/"


@pytest.mark.parametrize(
    ("status", "knowledge"),
    [
        ("1", Knowledge.REFUSED_FOR_NOW),
        ("3", Knowledge.REFUSED),
        ("4", Knowledge.ACCOUNT_REFUSED),
        ("5", Knowledge.UNKNOWN),
        ("7", Knowledge.REFUSED),
        ("9", Knowledge.ACCOUNT_REFUSED),
        ("10", Knowledge.REFUSED_FOR_NOW),
        ("29", Knowledge.REFUSED),
        ("33", Knowledge.REFUSED),
        ("999", Knowledge.UNKNOWN),
    ],
)
def test_a_status_in_a_200_teaches_what_it_says(server: FakeVonageSms, status: str, knowledge: Knowledge) -> None:
    server.statuses = [status]
    assert call().knowledge is knowledge
    assert len(server.entries) == 1


@pytest.mark.parametrize("statuses", [["0", "5"], ["5", "0"], ["1", "0", "1"]])
def test_what_was_accepted_in_part_is_never_sent_again(server: FakeVonageSms, statuses: list[str]) -> None:
    server.statuses = list(statuses)
    outcome = call("long " * 31 * len(statuses))
    assert outcome.knowledge is Knowledge.ACCEPTED
    assert outcome.provider_id == server.taken[0]["name"]


def test_wrong_credentials_are_the_accounts_fault(server: FakeVonageSms) -> None:
    assert call(api_secret="stolen").knowledge is Knowledge.ACCOUNT_REFUSED
    assert server.entries[0]["complaints"] == ["credentials"]


@pytest.mark.parametrize("told", ["500", "503+accept", "garbage", "empty", "reset-before", "reset-after+accept"])
def test_what_is_not_known_is_not_guessed(server: FakeVonageSms, told: str) -> None:
    server.script(told)
    assert call().knowledge is Knowledge.UNKNOWN
    assert len(server.entries) == 1
