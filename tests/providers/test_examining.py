"""The test of a connection, for each provider that can be asked: what is right, what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation
from tests.providers.cases import SECRET, Case
from tests.providers.loopback import Asked, Deserved, Loopback
from tests.world import AUTH_ID, Tenant, World

from hotlines.models import Account, Hotline
from providers import examining
from providers.base import Finding, Line
from providers.plivo import Plivo
from providers.smsgate import EVENTS, SmsGate
from providers.twilio import Twilio

pytestmark = [pytest.mark.usefixtures("own_client"), pytest.mark.once]

MESSAGE, CALL = "https://hotline.example.org/hooks/x/t/message/", "https://hotline.example.org/hooks/x/t/call/"
LINE = Line("+33937000001", MESSAGE, CALL)
SID = "AC" + "0" * 32


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


class Api(Loopback):
    """Answers GETs from a table; what is not in it is 404."""

    def __init__(self, **answers: Any) -> None:
        super().__init__(self._judge)
        self.answers: dict[str, Any] = answers

    def _judge(self, asked: Asked) -> Deserved:
        key = next((key for key in self.answers if asked.path.endswith(key)), None)
        if key is None:
            return Deserved(404, {})
        status, answer = self.answers[key] if isinstance(self.answers[key], tuple) else (200, self.answers[key])
        return Deserved(status, answer)


def said(findings: Any) -> list[tuple[bool | None, str]]:
    return [(finding.ok, finding.says) for finding in findings]


# --- Plivo ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def plivo(settings: Any) -> Iterator[Api]:
    with Api() as api:
        settings.PLIVO_API_URL = api.url
        api.answers = {
            "/Number/33937000001/": {"application": f"/v1/Account/{AUTH_ID}/Application/7/"},
            "/Application/7/": {"message_url": f"{MESSAGE}#rc=3", "answer_url": CALL, "hangup_url": CALL},
            f"/{AUTH_ID}/": {"cash_credits": "4.88860"},
        }
        yield api


def ask_plivo(line: Line = LINE) -> list[tuple[bool | None, str]]:
    return said(Plivo().examine([line], {"auth_id": AUTH_ID, "auth_token": SECRET}))


def test_plivo_where_all_is_right(plivo: Api) -> None:
    assert ask_plivo() == [
        (True, "The provider knows the account. Credit: 4.88860."),
        (True, "+33937000001: message_url is right."),
        (True, "+33937000001: answer_url is right."),
        (True, "+33937000001: hangup_url is right."),
    ]
    assert len(ask_plivo(Line(LINE.number, MESSAGE))) == 2


def test_plivo_says_what_is_wrong(plivo: Api) -> None:
    plivo.answers["/Application/7/"] = {"message_url": "https://evil.example/", "answer_url": "", "hangup_url": None}
    assert [ok for ok, _says in ask_plivo()] == [True, False, False, False]
    assert ask_plivo()[1][1] == "+33937000001: message_url is another address. Enter the one below."
    assert ask_plivo()[2][1] == "+33937000001: answer_url is empty. Enter the address below."
    plivo.answers["/Number/33937000001/"] = {"application": None}
    assert ask_plivo()[1] == (False, "+33937000001: it is attached to no application, so nothing arrives.")
    del plivo.answers["/Number/33937000001/"]
    assert "Does the account own it?" in ask_plivo()[1][1]
    plivo.answers[f"/{AUTH_ID}/"] = (401, {})
    assert ask_plivo() == [(False, "The provider refuses the credentials (401). Enter them again.")]


# --- Twilio -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def twilio(settings: Any) -> Iterator[Api]:
    with Api() as api:
        settings.TWILIO_API_URL = api.url
        row = {"sms_url": MESSAGE, "voice_url": CALL, "status_callback": CALL}
        api.answers = {
            "/IncomingPhoneNumbers.json": {"incoming_phone_numbers": [row]},
            f"/{SID}.json": {"status": "active"},
        }
        yield api


def ask_twilio() -> list[tuple[bool | None, str]]:
    return said(Twilio().examine([LINE], {"account_sid": SID, "auth_token": SECRET}))


def test_twilio_right_and_wrong(twilio: Api) -> None:
    assert [ok for ok, _says in ask_twilio()] == [True] * 4
    twilio.answers["/IncomingPhoneNumbers.json"]["incoming_phone_numbers"][0]["voice_url"] = "https://demo.twilio.com/"
    assert [ok for ok, _says in ask_twilio()] == [True, True, False, True]
    twilio.answers["/IncomingPhoneNumbers.json"]["incoming_phone_numbers"] = []
    assert "Does the account own it?" in ask_twilio()[1][1]
    twilio.answers[f"/{SID}.json"] = {"status": "suspended"}
    assert ask_twilio()[0] == (False, "The provider knows the account. It is suspended.")


# --- the Android gateway ----------------------------------------------------------------------------------------------
def test_a_phone_says_which_events_it_posts(settings: Any) -> None:
    with Api() as api:
        settings.GATEWAYS = (api.url,)
        api.answers = {"/webhooks": [{"url": MESSAGE, "event": event} for event in ("sms:received", *EVENTS)]}
        known = {"base_url": f"{api.url}/3rdparty/v1", "username": "user", "password": "pass"}
        found = said(SmsGate().examine([LINE], known))
        assert [ok for ok, _says in found] == [True] * 6 + [False]
        assert found[-1][1] == "system:ping is not registered. Register the address below for it."
        api.answers = {"/webhooks": {"message": "?"}}
        assert [ok for ok, _says in said(SmsGate().examine([LINE], known))] == [False]


# --- every provider ---------------------------------------------------------------------------------------------------
def test_a_provider_that_cannot_be_reached_is_a_finding(case: Case, settings: Any) -> None:
    settings.PLIVO_API_URL = settings.TWILIO_API_URL = "http://127.0.0.1:9"
    findings = case.provider.examine([LINE], case.contract.credentials(SECRET, ""))
    assert findings
    assert all(isinstance(finding, Finding) and finding.says.endswith(".") for finding in findings)
    assert not any(SECRET in finding.says for finding in findings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda account: setattr(account, "provider", "gone"), "This provider is not offered here."),
        (lambda account: setattr(account, "credentials_sealed", b""), "The account has no credentials yet."),
        (lambda account: setattr(account, "credentials_sealed", b"\x01" * 60), "enter them again"),
    ],
)
def test_what_is_missing_here_is_said_first(world: World, change: Callable[[Account], None], words: str) -> None:
    account = world.north.account
    change(account)
    account.save()
    examined = examining.examine(account)
    assert words in examined.findings[0].says
    assert [hotline for hotline, _line in examined.lines] == [world.north.hotline]


# --- the page ---------------------------------------------------------------------------------------------------------
def page(tenant: Tenant, user: Any) -> Any:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client.get(reverse("admin:hotlines_account_connection", args=(tenant.account.pk,)))


def test_an_owner_tests_the_connection_and_sees_what_to_enter(world: World, plivo: Api) -> None:
    Hotline.objects.filter(pk=world.north.hotline.pk).update(calls="text")
    shown = page(world.north, world.north.owner).content.decode()
    token = world.north.hotline.hook_token
    assert f"/hooks/plivo/{token}/message/" in shown
    assert f"/hooks/plivo/{token}/call/" in shown
    assert "message_url is another address" in shown
    assert "No signed request has arrived yet." in shown


def test_others_may_neither_ask_nor_see_the_addresses(world: World, plivo: Api) -> None:
    for user in (world.north.editor, world.north.viewer, world.south.owner):
        answer = page(world.north, user)
        assert answer.status_code in {302, 403, 404}
        assert world.north.hotline.hook_token not in answer.content.decode()
    assert plivo.entries == []
