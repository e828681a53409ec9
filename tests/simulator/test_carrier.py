"""The loopback carrier takes what our provider's file sends, and refuses everything else as Plivo would."""

from __future__ import annotations

import datetime
import json
import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from tests.world import World

from hotlines.models import Account, Hotline
from providers.base import Knowledge, LogQuery, OutgoingReply, Unavailable
from providers.simulator import Simulator
from simulator import phones
from simulator.models import PhoneText

from .conftest import PHONE, basic

pytestmark = pytest.mark.once

PUBLIC = "https://hotline.example.org"


def report_url(hotline: Hotline) -> str:
    return f"{PUBLIC}/hooks/simulator/{hotline.hook_token}/report/{uuid.uuid4()}/"


def order(hotline: Hotline, **changes: Any) -> dict[str, Any]:
    """What `Plivo.send` posts, with changes; a change to None leaves the field out."""
    fields = {
        "src": hotline.number.removeprefix("+"),
        "dst": PHONE,
        "text": "Bonjour",
        "type": "sms",
        "url": report_url(hotline),
        "method": "POST",
        "log": "false",
        "trackable": False,
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def deliver(hotline: Hotline, body: Any, *, auth: str | None = None, content_type: str = "application/json") -> Any:
    credentials = hotline.account.credentials
    auth = basic(credentials["auth_id"], credentials["auth_token"]) if auth is None else auth
    return Client().post(
        f"/simulator/carrier/v1/Account/{credentials['auth_id']}/Message/",
        body if isinstance(body, bytes) else json.dumps(body),
        content_type=content_type,
        headers={"Authorization": auth} if auth else {},
    )


@pytest.mark.usefixtures("carrier_reachable")
def test_what_our_provider_sends_is_taken_and_lies_sealed_on_the_phone(hotline: Hotline) -> None:
    reply = uuid.uuid4()
    outgoing = OutgoingReply(
        uuid=reply,
        source=hotline.number.removeprefix("+"),
        recipient=PHONE,
        text="Ça va ? \N{WAVING HAND SIGN}",
        report_url=f"{PUBLIC}/hooks/simulator/{hotline.hook_token}/report/{reply}/",
    )
    outcome = Simulator().send(outgoing, hotline.account.credentials)
    text = PhoneText.objects.get()
    assert (outcome.knowledge, outcome.provider_id) == (Knowledge.ACCEPTED, str(text.uuid))
    assert (text.hotline_id, text.reply_uuid, text.text) == (hotline.pk, reply, "Ça va ? \N{WAVING HAND SIGN}")
    assert b"va ?" not in bytes(text.text_sealed)


@pytest.mark.usefixtures("carrier_reachable")
def test_a_wrong_token_is_what_pauses_an_account(hotline: Hotline) -> None:
    outgoing = OutgoingReply(uuid.uuid4(), hotline.number[1:], PHONE, "Bonjour", report_url(hotline))
    outcome = Simulator().send(outgoing, {**hotline.account.credentials, "auth_token": "another"})
    assert (outcome.knowledge, outcome.detail) == (Knowledge.ACCOUNT_REFUSED, "401")
    assert not PhoneText.objects.exists()


def test_it_answers_as_plivo_does(hotline: Hotline) -> None:
    answer = deliver(hotline, order(hotline))
    assert answer.status_code == 202
    body = answer.json()
    assert (set(body), body["message"]) == ({"api_id", "message", "message_uuid"}, "message(s) queued")
    assert body["message_uuid"] == [str(PhoneText.objects.get().uuid)]


@pytest.mark.parametrize(
    "changes",
    [
        {"dst": "+33639980123"},
        {"dst": "33639980123<33639980124"},
        {"dst": "٣٣٦٣٩٩٨٠١٢٣"},
        {"dst": "33639980123\n"},
        {"dst": "0639980123"},
        {"dst": "38055"},
        {"dst": ["33639980123"]},
        {"dst": 33639980123},
        {"dst": "33199001217"},
        {"dst": None},
        {"src": "33199009999"},
        {"src": "Paravent"},
        {"text": ""},
        {"text": "a" * 1601},
        {"text": "ç" * 738},
        {"text": "\N{WAVING HAND SIGN}" * 369},
        {"text": None},
        {"type": "mms"},
        {"method": "GET"},
        {"log": "true"},
        {"log": False},
        {"trackable": 0},
        {"trackable": True},
        {"media_urls": ["https://example.org/a.png"]},
        {"url": "https://example.org/"},
        {"url": "/hooks/"},
        {"url": None},
    ],
    ids=lambda changes: next(f"{name}={str(value)[:24]}" for name, value in changes.items()),
)
def test_anything_else_is_refused_and_nothing_arrives(hotline: Hotline, changes: dict[str, Any]) -> None:
    answer = deliver(hotline, order(hotline, **changes))
    assert (answer.status_code, set(answer.json())) == (400, {"api_id", "error"})
    assert not PhoneText.objects.exists()


@pytest.mark.parametrize("text", ["a" * 1600, "ç" * 737])
def test_the_longest_texts_are_taken(hotline: Hotline, text: str) -> None:
    assert deliver(hotline, order(hotline, text=text)).status_code == 202


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("{public}/hooks/plivo/{token}/report/{reply}/", "another provider"),
        ("{public}/hooks/simulator/{other}/report/{reply}/", "another hotline's token"),
        ("{public}/hooks/simulator/{token}/message/", "the message's address"),
        ("{public}/hooks/simulator/{token}/report/{reply}/?a=b", "a query"),
        ("{public}.example.net/hooks/simulator/{token}/report/{reply}/", "a host that begins like ours"),
        ("http://hotline.example.org/hooks/simulator/{token}/report/{reply}/", "in clear"),
    ],
    ids=lambda value: None if "{" in value else value,
)
def test_the_report_address_must_be_this_hotlines(
    hotline: Hotline, delayed_hotline: Hotline, path: str, why: str
) -> None:
    url = path.format(
        public=PUBLIC, token=hotline.hook_token, other=delayed_hotline.hook_token, reply=str(uuid.uuid4())
    )
    assert deliver(hotline, order(hotline, url=url)).status_code == 400, why
    assert not PhoneText.objects.exists()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"{" + b" " * 70_000 + b"}"])
def test_a_body_that_is_no_message_is_refused(hotline: Hotline, body: bytes) -> None:
    assert deliver(hotline, body).status_code == 400
    assert not PhoneText.objects.exists()


def test_a_form_is_refused(hotline: Hotline) -> None:
    answer = deliver(hotline, b"src=1", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400


@pytest.mark.parametrize("auth", ["", "Basic", "Basic ###", "Basic w7/Dvw==", "Bearer {token}", "Basic /w=="])
def test_without_the_accounts_credentials_nothing_is_told(hotline: Hotline, auth: str) -> None:
    answer = deliver(hotline, order(hotline), auth=auth.format(token=hotline.account.credentials["auth_token"]))
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Basic realm="carrier"')
    assert not PhoneText.objects.exists()


def test_right_credentials_on_another_accounts_path_are_refused(hotline: Hotline) -> None:
    credentials = hotline.account.credentials
    answer = Client().post(
        "/simulator/carrier/v1/Account/MAXXXXXXXXXXXXXXXXXX/Message/",
        json.dumps(order(hotline)),
        content_type="application/json",
        headers={"Authorization": basic(credentials["auth_id"], credentials["auth_token"])},
    )
    assert answer.status_code == 401


def test_a_plivo_accounts_credentials_open_nothing_here(world: World, hotline: Hotline) -> None:
    credentials = world.north.account.credentials
    answer = Client().post(
        f"/simulator/carrier/v1/Account/{credentials['auth_id']}/Message/",
        json.dumps(order(world.north.hotline)),
        content_type="application/json",
        headers={"Authorization": basic(credentials["auth_id"], credentials["auth_token"])},
    )
    assert answer.status_code == 401
    assert not PhoneText.objects.exists()


def test_another_name_with_the_right_token_is_refused(hotline: Hotline) -> None:
    credentials = hotline.account.credentials
    answer = deliver(hotline, order(hotline), auth=basic("MAXXXXXXXXXXXXXXXXXX", credentials["auth_token"]))
    assert answer.status_code == 401


def test_a_number_of_another_account_cannot_be_the_source(world: World, hotline: Hotline) -> None:
    Account.objects.filter(pk=world.north.account.pk).update(provider="simulator")
    other = world.north.hotline
    assert deliver(hotline, order(other)).json()["error"] == "src is not a number of this account"
    assert not PhoneText.objects.exists()


# --- its list ---------------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("carrier_reachable")
def test_its_list_is_what_our_provider_reads(hotline: Hotline) -> None:
    """Both directions by themselves, page by page, each text once, and no number of a phone."""
    credentials = hotline.account.credentials
    written = [phones.remember(hotline, PHONE, f"Salut {n}") for n in range(25)]
    arrived = phones.remember(hotline, PHONE, "Bonjour", reply_uuid=uuid.uuid4())
    now = timezone.now()
    since, until = now - datetime.timedelta(hours=1), now + datetime.timedelta(minutes=1)
    found, cursor = [], ""
    while cursor is not None:
        page = Simulator().read_log(LogQuery(since, until, inbound=True), credentials, cursor)
        found += page.entries
        cursor = page.next  # type: ignore[assignment]
    assert sorted(entry.id for entry in found) == sorted(str(text.uuid) for text in written)
    assert {(entry.sender, entry.recipient) for entry in found} == {("XXX", hotline.number.removeprefix("+"))}
    (sent,) = Simulator().read_log(LogQuery(since, until, inbound=False), credentials).entries
    assert (sent.id, sent.at, sent.recipient) == (str(arrived.uuid), arrived.created_at, "XXX")
    assert Simulator().read_log(LogQuery(until, until, inbound=False), credentials).entries == ()


@pytest.mark.usefixtures("carrier_reachable")
def test_its_list_is_the_accounts_own(hotline: Hotline) -> None:
    query = LogQuery(timezone.now(), timezone.now(), inbound=True)
    with pytest.raises(Unavailable, match="401"):
        Simulator().read_log(query, {**hotline.account.credentials, "auth_token": "another"})
    credentials = hotline.account.credentials
    address = f"/simulator/carrier/v1/Account/{credentials['auth_id']}/Message/"
    headers = {"Authorization": basic(credentials["auth_id"], credentials["auth_token"])}
    assert Client().get(address, {"message_direction": "inbound"}, headers=headers).status_code == 400


# --- its numbers ------------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("carrier_reachable")
def test_a_number_that_is_taken_off_brings_no_text_until_it_is_attached_again(hotline: Hotline) -> None:
    provider, credentials = Simulator(), hotline.account.credentials
    home = provider.application(hotline.number, credentials)
    assert home
    written = {"hotline": str(hotline.uuid), "phone": PHONE, "text": "Salut"}

    def texted() -> int:
        return Client().post("/simulator/sign/", json.dumps(written), content_type="application/json").status_code

    assert texted() == 200
    for application, status in (("", 400), ("", 400), (home, 200)):
        provider.attach(hotline.number, application, credentials)
        assert provider.application(hotline.number, credentials) == application
        assert texted() == status


@pytest.mark.usefixtures("carrier_reachable")
def test_what_is_no_number_or_no_application_of_the_account_is_refused(hotline: Hotline) -> None:
    provider, credentials = Simulator(), hotline.account.credentials
    with pytest.raises(Unavailable, match="404"):
        provider.application("+33937999999", credentials)
    with pytest.raises(Unavailable, match="400"):
        provider.attach(hotline.number, "another", credentials)
    with pytest.raises(Unavailable, match="401"):
        provider.application(hotline.number, {**credentials, "auth_token": "wrong"})
    assert provider.application(hotline.number, credentials)
