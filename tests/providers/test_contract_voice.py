"""What every provider that passes calls on must do, run for each line of the registry."""

from __future__ import annotations

import dataclasses
import decimal
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.cases import OTHER, SECRET, Case, case_of, text
from tests.providers.contract.base import CallContract
from tests.world import SENDER, Tenant

from conversations.models import Message, Reply
from hotlines.models import Account, Hotline
from providers import registry
from providers.base import Call, CallEnded, Calls, SignedRequest, Speech, Unusable
from replies.models import ReplyTemplate

URL = "https://hotline.example.org/hooks/x/call/"
OURS, CALL = "33937000001", "97ceeb52-58b6-11e1-86da-77300b68f8bb"
SPEAKING = [case_of(name) for name in sorted(registry.PROVIDERS) if registry.get(name).calls is not None]


@pytest.fixture
def contract(case: Case) -> CallContract:
    assert (case.provider.calls is None) == (case.contract.calls is None)
    if case.contract.calls is None:
        pytest.skip("a provider without calls")
    return case.contract.calls


def calls_of(case: Case) -> Calls:
    assert case.provider.calls is not None
    return case.provider.calls


def test_it_speaks_french_and_english_and_signs_calls(case: Case, contract: CallContract) -> None:
    assert {"fr", "en"} <= set(calls_of(case).voices)
    assert set(calls_of(case).schemes) <= set(case.provider.schemes)


@pytest.mark.parametrize(("caller", "said"), [(SENDER, SENDER), ("", "")])
def test_a_call_says_who_calls_whom(case: Case, contract: CallContract, caller: str, said: str) -> None:
    request = contract.ringing(URL, SECRET, caller, OURS, CALL)
    assert case.verifies(request, SECRET)
    assert not case.verifies(request, OTHER)
    found = calls_of(case).parse(request)
    assert isinstance(found, Call)
    assert (found.id, found.recipient.removeprefix("+")) == (CALL, OURS)
    if caller:
        assert found.caller.removeprefix("+") == said
    else:
        assert not any(char.isdigit() for char in found.caller)


def test_its_end_says_how_long_it_was(case: Case, contract: CallContract) -> None:
    request = contract.ended(URL, SECRET, SENDER, OURS, CALL)
    assert case.verifies(request, SECRET)
    found = calls_of(case).parse(request)
    assert isinstance(found, CallEnded)
    assert (found.id, found.seconds) == (CALL, 7)
    assert found.cost == (decimal.Decimal(contract.cost) if contract.cost else None)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{}", b"=&=&=", b"a" * 65_536])
def test_what_is_no_call_is_unusable(case: Case, contract: CallContract, body: bytes) -> None:
    request = dataclasses.replace(contract.ringing(URL, SECRET, SENDER, OURS, CALL), body=body)
    with pytest.raises(Unusable):
        calls_of(case).parse(request)
    with pytest.raises(Unusable):
        calls_of(case).parse(case.contract.message(URL, SECRET, text()))


@pytest.mark.parametrize("case", SPEAKING, ids=lambda case: case.name)
@given(words=st.text(max_size=3500), data=st.data())
def test_whatever_it_is_to_say_is_well_formed(case: Case, words: str, data: st.DataObject) -> None:
    calls = calls_of(case)
    language = data.draw(st.sampled_from(sorted(calls.voices)))
    said = calls.speak(Speech(words, language, calls.voices[language]))
    document = ET.fromstring(said.body)
    assert (document.tag, document[1].tag, len(document), len(document[0])) == ("Response", "Hangup", 2, 0)
    assert len(said.body) < 100_000
    assert all(document[0].attrib.values())


def test_its_rejection_is_well_formed_and_takes_no_call(case: Case, contract: CallContract) -> None:
    [verb] = ET.fromstring(calls_of(case).reject().body)
    assert verb.tag in {"Hangup", "Reject"}
    assert verb.attrib == {"reason": "busy"}


# --- at the webhook ---------------------------------------------------------------------------------------------------
def post(request: SignedRequest) -> tuple[int, bytes]:
    headers = {name: value for name, value in request.headers.items() if name != "content-type"}
    path = urlsplit(request.url).path
    answer = Client().post(path, request.body, content_type=request.headers["content-type"], headers=headers)
    return answer.status_code, answer.content


def test_a_caller_hears_the_message_once_and_what_it_cost_is_kept(
    case: Case, contract: CallContract, tenant: Tenant
) -> None:
    Account.objects.filter(pk=tenant.account.pk).update(price_call=decimal.Decimal("0.02"))
    Hotline.objects.filter(pk=tenant.hotline.pk).update(calls="speak")
    ReplyTemplate.objects.filter(hotline=tenant.hotline, language="fr").update(purpose="voice", text="Non & non.")
    url = f"https://hotline.example.org/hooks/{case.name}/{tenant.hotline.hook_token}/call/"
    for _ in range(2):
        status, said = post(contract.ringing(url, SECRET, SENDER, OURS, CALL))
        assert status == 200
        assert ET.fromstring(said)[0].text == "Non & non."
    assert post(contract.ended(url, SECRET, SENDER, OURS, CALL))[0] == 200
    assert (Message.objects.get().seconds, Reply.objects.get().channel) == (7, "call")
    assert Reply.objects.get().cost == (decimal.Decimal(contract.cost) if contract.cost else None)


def test_a_forged_call_is_refused(case: Case, contract: CallContract, tenant: Tenant) -> None:
    url = f"https://hotline.example.org/hooks/{case.name}/{tenant.hotline.hook_token}/call/"
    assert post(contract.ringing(url, OTHER, SENDER, OURS, CALL))[0] == 403
    assert Message.objects.count() == 0


def test_where_a_provider_has_no_calls_their_address_is_none(case: Case, tenant: Tenant) -> None:
    if case.provider.calls is not None:
        pytest.skip("a provider with calls")
    url = f"https://hotline.example.org/hooks/{case.name}/{tenant.hotline.hook_token}/call/"
    request = case.contract.message(url, SECRET, text())
    assert post(request)[0] == 404
