"""Jasmin: its vectors in three alphabets, where it may call from, and what its words teach."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.contract import jasmin as contract
from tests.providers.fake_jasmin import FakeJasmin

from providers.base import Delivery, Knowledge, NotVerified, Outcome, OutgoingReply, SignedRequest, Unusable
from providers.jasmin import Jasmin

pytestmark = [pytest.mark.usefixtures("own_client"), pytest.mark.once]

VECTORS = Path(__file__).parent.parent / "vectors/jasmin"


def recorded(name: str) -> SignedRequest:
    _head, _blank, body = (VECTORS / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    return SignedRequest("POST", "https://x/", {}, body.strip(), client=contract.HERE)


# --- what it says -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "text"),
    [("mo_gsm7", "Salut été 5€"), ("mo_latin1", "Salut été"), ("mo_ucs2", "\u0633\u0644\u0627\u0645 🙂")],
)
def test_a_recorded_message_is_read_in_its_alphabet(name: str, text: str) -> None:
    """Its `content` is the same bytes, percent-encoded as if they were UTF-8: a form parser makes nonsense of it."""
    message = Jasmin().parse_message(recorded(name))
    assert (message.sender, message.recipient) == ("33639980123", "38055")
    assert message.text == text


def received(binary: str, coding: str) -> str:
    known = {"id": "1", "from": "33639980123", "to": "38055", "binary": binary, "coding": coding}
    return Jasmin().parse_message(contract.posted("https://x/", known)).text


@given(words=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=80))
def test_what_was_written_in_utf_16_is_read_as_it_was(words: str) -> None:
    for coding in ("8", "24", "25"):
        assert received(words.encode("utf-16-be").hex(), coding) == words


@given(binary=st.binary(max_size=60), coding=st.sampled_from(["0", "1", "3", "8", "16", "240", ""]))
def test_no_bytes_are_too_strange_to_be_kept(binary: bytes, coding: str) -> None:
    text = received(binary.hex(), coding)
    assert "\x00" not in text
    text.encode()


@pytest.mark.parametrize(
    ("binary", "coding"), [("00", "4"), ("00", "245"), ("0", "0"), ("zz", "8"), ("00", "-1"), ("00", "٣")]
)
def test_what_is_no_text_is_unusable(binary: str, coding: str) -> None:
    with pytest.raises(Unusable):
        received(binary, coding)


def test_a_recorded_report_and_the_two_levels() -> None:
    report = Jasmin().parse_report(recorded("dlr_level3"))
    assert (report.id, report.status, report.error_code) == (
        "07033084-5cfd-4812-90a4-e4d24ffb6e3d",
        Delivery.DELIVERED,
        "",
    )
    failed = contract.posted("https://x/", {"id": "1", "message_status": "UNDELIV", "level": "2", "err": "027"})
    assert Jasmin().parse_report(failed).error_code == "027"
    refused = contract.posted("https://x/", {"id": "1", "message_status": "ESME_RTHROTTLED", "level": "1"})
    assert Jasmin().parse_report(refused).error_code == "ESME_RTHROTTLED"


# --- where it comes from ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("client", "addresses", "fine"),
    [
        ("10.0.0.5", "10.0.0.5", True),
        ("10.0.0.5", "10.0.0.0/24, 192.168.1.1", True),
        ("::ffff:10.0.0.5", "10.0.0.5", True),
        ("fd00::5", "fd00::/8", True),
        ("fe80::1%eth0", "fe80::1", True),
        ("10.0.0.6", "10.0.0.5", False),
        ("10.0.1.5", "10.0.0.0/24", False),
        ("10.0.0.5", "", False),
        ("", "10.0.0.5", False),
        ("10.0.0.5", "everywhere", False),
        ("10.0.0.5 ", "10.0.0.5", False),
        ("10.0.0.5, 1.2.3.4", "10.0.0.5", False),
    ],
)
def test_only_from_its_addresses(client: str, addresses: str, fine: bool) -> None:
    request = SignedRequest("POST", "https://x/", {}, b"", client=client)
    try:
        verified = Jasmin().verify(request, {"addresses": addresses}).scheme == "address"
    except NotVerified:
        verified = False
    assert verified == fine


# --- sending ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def server(settings: Any) -> Iterator[FakeJasmin]:
    with FakeJasmin() as fake:
        settings.GATEWAYS = (fake.url,)
        yield fake


def call(server: FakeJasmin, text: str = "Non.", **changes: str) -> Outcome:
    reply = OutgoingReply(uuid.uuid4(), "38055", "33639980123", text, "https://hotline.example.org/r/")
    return Jasmin().send(reply, {**contract.credentials(""), "base_url": server.url, **changes})


@pytest.mark.parametrize(
    ("text", "coding", "encoded"),
    [
        ("Réponse à 5€", "0", "5205706f6e7365207f2035" + "1b65"),
        ("Ça va ?", "0", "0961207661203f"),
        ("être", "8", "00ea007400720065"),
    ],
)
def test_a_text_is_sent_in_the_cheaper_alphabet(server: FakeJasmin, text: str, coding: str, encoded: str) -> None:
    outcome = call(server, text)
    [entry] = server.taken
    assert (outcome.knowledge, outcome.provider_id) == (Knowledge.ACCEPTED, entry["name"])
    assert (entry["sent"]["coding"], entry["sent"]["hex-content"]) == (coding, encoded)
    assert (entry["sent"]["from"], entry["sent"]["to"]) == ("38055", "33639980123")


@pytest.mark.parametrize(
    "told", ["500", "500+accept", "garbage", "empty", "reset-before", "reset-after+accept", "silent+accept"]
)
def test_what_is_not_known_is_not_guessed(server: FakeJasmin, told: str) -> None:
    server.script(told)
    assert call(server).knowledge is Knowledge.UNKNOWN
    assert len(server.entries) == 1


def test_a_wrong_password_is_the_accounts_fault_and_is_told_to_nobody(server: FakeJasmin) -> None:
    outcome = call(server, password="stolen")
    assert (outcome.knowledge, outcome.detail) == (Knowledge.ACCOUNT_REFUSED, "403")


def test_a_private_address_needs_the_operators_word(server: FakeJasmin, settings: Any) -> None:
    settings.GATEWAYS, settings.WEBHOOKS_MAY_STAY_HERE = (), False
    assert call(server).detail == "refused address"
    assert server.entries == []
