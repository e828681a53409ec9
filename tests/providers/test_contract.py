"""What every provider must do, run for each line of the registry.

A new provider adds `tests/providers/contract/<name>.py` with its `CONTRACT`, and inherits all of this.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from tests.providers.cases import OTHER, SECRET, Case, text
from tests.world import Tenant

from conversations import senders
from conversations.models import Conversation, DeliveryReport, Message, Reply
from outbox import release, send
from providers import base, http, registry
from providers.base import (
    InboundMessage,
    NotVerified,
    SignedRequest,
    Unusable,
)

pytestmark = pytest.mark.usefixtures("own_client")

URL = "https://hotline.example.org/hooks/x/message/"
TEXTS = [
    "Salut",
    "",
    " ",
    "Ça va être l'été… « œuf » ñ ß",
    "مرحبا كيف حالك",
    "Привіт 你好 こんにちは",
    "👩‍👩‍👧 🇫🇷 😀",
    "a&b=c%20d+e?f#g;h,i\r\nj\tk",
    "\u202eevil\u2066\u200b",
    "x" * 1600,
]


def deliver(request: SignedRequest) -> int:
    headers = {name: value for name, value in request.headers.items() if name != "content-type"}
    path = urlsplit(request.url).path
    answer = Client(REMOTE_ADDR=request.client or "127.0.0.1").post(
        path, request.body, content_type=request.headers["content-type"], headers=headers
    )
    return answer.status_code


def message_url(case: Case, tenant: Tenant) -> str:
    return f"https://hotline.example.org/hooks/{case.name}/{tenant.hotline.hook_token}/message/"


def test_every_provider_has_its_contract_and_no_contract_is_left_over() -> None:
    files = {path.stem for path in (Path(__file__).parent / "contract").glob("*.py")} - {"base"}
    assert files == set(registry.PROVIDERS)


# --- what it is -------------------------------------------------------------------------------------------------------
def test_it_describes_itself(case: Case) -> None:
    provider = case.provider
    assert provider.name == case.name
    assert str(provider.label)
    assert len(set(provider.schemes)) == len(provider.schemes) > 0
    names = [field.name for field in provider.credential_fields]
    assert len(set(names)) == len(names)
    assert set(case.contract.credentials(SECRET, OTHER)) <= set(names)
    assert all(re.compile(field.pattern) and str(field.label) for field in provider.credential_fields)
    assert [field.name for field in provider.credential_fields if field.required and field.secret]


def test_its_acknowledgement_holds_no_reply(case: Case) -> None:
    """What it answers is fixed, whoever asks: a reply never leaves in the answer (SECURITY.md 2.4)."""
    assert case.provider.acknowledgement == case.provider.acknowledgement
    assert len(case.provider.acknowledgement.body) < 64
    assert b"Message" not in case.provider.acknowledgement.body


# --- proof ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("body", TEXTS, ids=range(len(TEXTS)))
def test_a_valid_message_verifies_and_says_what_was_sent(case: Case, body: str) -> None:
    if not (body or case.contract.empty_texts):
        pytest.skip("it sends no empty messages")
    message = text(body, parts=11 if len(body) > 160 else 1)
    request = case.contract.message(URL, SECRET, message)
    assert case.verifies(request, SECRET)
    parsed = case.provider.parse_message(request)
    assert isinstance(parsed, InboundMessage)
    assert parsed.id == case.contract.message_id(case.provider, request, message)
    assert senders.same_number(parsed.sender, message.sender)
    assert senders.same_number(parsed.recipient or message.recipient, message.recipient)
    assert (parsed.recipient is not None) == case.contract.tells_recipient
    assert parsed.text == body
    assert parsed.units == (message.parts if case.contract.tells_parts else 1)
    assert parsed.received_at.tzinfo is not None


def test_an_altered_body_does_not_verify(case: Case) -> None:
    if not case.contract.proof.body:
        pytest.skip("its signature covers no body")
    request = case.contract.message(URL, SECRET, text("Salut, ça va ?"))
    for index in range(len(request.body)):
        changed = request.body[:index] + bytes([request.body[index] ^ 1]) + request.body[index + 1 :]
        assert not case.verifies(dataclasses.replace(request, body=changed), SECRET), index
    for changed in (b"", request.body * 2, request.body + b"&x=y", b"&" * 200 + request.body):
        assert not case.verifies(dataclasses.replace(request, body=changed), SECRET), changed


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("https", "http"),
        URL.replace(".org", ".org:443"),
        URL.replace("hotline.", "evil."),
        URL.rstrip("/"),
        URL + "/",
        URL.replace("/x/", "/y/"),
        URL.replace("/message/", "/report/"),
        URL + "?a=b",
    ],
)
def test_an_altered_url_does_not_verify(case: Case, url: str) -> None:
    if not case.contract.proof.url:
        pytest.skip("its signature covers no address")
    request = case.contract.message(URL, SECRET, text())
    assert not case.verifies(dataclasses.replace(request, url=url), SECRET)


def test_only_the_accounts_own_secret_verifies(case: Case) -> None:
    if case.contract.forged is not None:
        request = case.contract.message(URL, SECRET, text())
        assert case.verifies(request, SECRET)
        assert not case.verifies(case.contract.forged(request), SECRET)
        with pytest.raises(NotVerified):
            case.provider.verify(request, {})
        pytest.skip("nothing is signed with its secret")
    request = case.contract.message(URL, SECRET, text())
    assert not case.verifies(request, OTHER)
    assert not case.verifies(request, SECRET + " ")
    assert not case.verifies(request, "")
    with pytest.raises(NotVerified):
        case.provider.verify(request, {})


def test_what_is_old_or_of_the_future_does_not_verify(case: Case) -> None:
    seconds = case.contract.proof.seconds
    if seconds is None:
        pytest.skip("its signature has no time")
    with time_machine.travel(timezone.now().replace(microsecond=0), tick=False) as clock:
        request = case.contract.message(URL, SECRET, text())
        for shift in (0, seconds, -2 * seconds):
            clock.shift(shift)
            assert case.verifies(request, SECRET), shift
        clock.shift(-2)
        assert not case.verifies(request, SECRET)
        clock.shift(2 * seconds + 4)
        assert not case.verifies(request, SECRET)


def test_while_a_secret_changes_both_verify_and_afterwards_only_the_new(case: Case) -> None:
    if not case.contract.proof.secret:
        pytest.skip("nothing is signed with its secret")
    old, new = (case.contract.message(URL, secret, text()) for secret in (SECRET, OTHER))
    assert [case.verifies(request, OTHER, previous=SECRET) for request in (old, new)] == [True, True]
    assert [case.verifies(request, OTHER) for request in (old, new)] == [False, True]


def test_without_any_one_of_its_signature_headers_it_does_not_verify_more_easily(case: Case) -> None:
    signed_in_header = case.contract.proof.secret and case.contract.proof.header
    assert bool(case.provider.signature_headers) == signed_in_header
    if not signed_in_header:
        pytest.skip("it has none")
    request = case.contract.message(URL, SECRET, text())
    bare = {"content-type": request.headers["content-type"]}
    assert not case.verifies(dataclasses.replace(request, headers=bare), SECRET)
    for name in request.headers.keys() - bare.keys():
        for value in ("", "x", "é", "," * 50):
            headers = {**bare, name: value}
            assert not case.verifies(dataclasses.replace(request, headers=headers), SECRET)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{}", b"[1]", b"=&=&=", b"%", b"\x00" * 9, b"a" * 65_536])
def test_no_bytes_make_it_raise_anything_else(case: Case, body: bytes) -> None:
    request = dataclasses.replace(case.contract.message(URL, SECRET, text()), body=body)
    assert case.verifies(request, SECRET) != case.contract.proof.body
    for parse in (case.provider.parse_message, case.provider.parse_report):
        with pytest.raises(Unusable):
            parse(request)


def test_what_is_no_message_is_unusable(case: Case) -> None:
    request = case.contract.no_message(URL, SECRET)
    assert case.verifies(request, SECRET)
    with pytest.raises(Unusable):
        case.provider.parse_message(request)


# --- reports ----------------------------------------------------------------------------------------------------------
def test_every_documented_status_is_known_and_others_are_none(case: Case) -> None:
    provider_id = str(uuid.uuid4())

    def reported(word: str) -> base.DeliveryReport:
        request = case.contract.report(URL, SECRET, provider_id, word, 3)
        assert case.verifies(request, SECRET)
        read = case.provider.parse_message if case.contract.one_address else case.provider.parse_report
        report = read(request)
        assert isinstance(report, base.DeliveryReport)
        assert report.id == provider_id
        assert report.reply == (uuid.UUID(provider_id) if case.contract.one_address else None)
        return report

    for word, delivery in case.contract.words.items():
        report = reported(word)
        assert (report.status, report.sequence) == (delivery, 3 if case.contract.sequenced else 0)
    ranks = [case.contract.words[word].rank for word in case.contract.journey]
    assert (ranks, ranks[-1]) == (sorted(ranks), 3)
    if not case.contract.one_address:  # there a word that is not known is an event that is not known
        for word in ("", "teleported", "sent\x00", "é"):
            assert reported(word).status == case.contract.words.get(word.replace("\x00", ""))


# --- at the webhook ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("body", TEXTS, ids=range(len(TEXTS)))
def test_a_message_is_stored_once_however_often_it_comes(case: Case, tenant: Tenant, body: str) -> None:
    if not (body or case.contract.empty_texts):
        pytest.skip("it sends no empty messages")
    message = text(body)
    request = case.contract.message(message_url(case, tenant), SECRET, message)
    resent = case.contract.message(message_url(case, tenant), SECRET, message)  # the same, signed anew
    assert [deliver(each) for each in (request, request, resent, request)] == [200] * 4
    stored = Message.objects.get()
    assert stored.provider_id == case.contract.message_id(case.provider, request, message)
    assert (stored.text or "") == body
    assert Conversation.objects.get().messages_received == 1
    assert Reply.objects.count() == 1


def test_what_is_not_proven_changes_nothing(case: Case, tenant: Tenant) -> None:
    forged = case.contract.message(message_url(case, tenant), OTHER, text())
    assert deliver(case.contract.forged(forged) if case.contract.forged else forged) == 403
    if case.contract.proof.url:
        elsewhere = case.contract.message(URL, SECRET, text())
        assert deliver(dataclasses.replace(elsewhere, url=message_url(case, tenant))) == 403
    assert Message.objects.count() + Conversation.objects.count() == 0


def test_what_is_proven_and_no_message_is_kept_and_acknowledged(case: Case, tenant: Tenant) -> None:
    request = case.contract.no_message(message_url(case, tenant), SECRET)
    assert [deliver(request), deliver(request)] == [200, 200]
    assert [message.disposition for message in Message.objects.all()] == ["unreadable"]
    assert Reply.objects.count() == 0


def sent_reply(case: Case, tenant: Tenant, settings: Any) -> Reply:
    public = settings.PUBLIC_URL
    assert deliver(case.contract.message(message_url(case, tenant), SECRET, text())) == 200
    assert release.release_due(timezone.now()) == 1
    with case.contract.carrier(settings):
        tenant.account.credentials = dict(case.contract.credentials(SECRET, ""))  # where the carrier is, if they say it
        tenant.account.save()
        assert send.send_one(timezone.now())
        http.client().close()
    http.client.cache_clear()
    settings.PUBLIC_URL = public
    reply = Reply.objects.get()
    assert reply.state == "sent"
    return reply


def test_reports_end_in_the_same_row_in_any_order_and_number(case: Case, tenant: Tenant, settings: Any) -> None:
    reply = sent_reply(case, tenant, settings)
    url = f"https://hotline.example.org/hooks/{case.name}/{tenant.hotline.hook_token}/report/{reply.uuid}/"
    if case.contract.one_address:
        url = message_url(case, tenant)
    reports = [
        case.contract.report(url, SECRET, reply.provider_id, word, sequence)
        for sequence, word in enumerate(case.contract.journey, start=1)
    ]
    fresh = Reply.objects.filter(pk=reply.pk).values().get()
    ends = []
    for order in itertools.permutations(reports):
        Reply.objects.filter(pk=reply.pk).update(**fresh)
        DeliveryReport.objects.all().delete()
        assert {deliver(report) for report in (*order, *order[::-1])} == {200}
        kept = DeliveryReport.objects.values("body_fingerprint").distinct().count()
        assert kept == len({report.body for report in reports})
        ends.append(Reply.objects.filter(pk=reply.pk).values().get())
    assert ends == [ends[0]] * len(ends)
    end = case.contract.words[case.contract.journey[-1]]
    assert (ends[0]["state"], ends[0]["delivery"]) == ("sent", end)
    assert ends[0]["delivery_sequence"] == (3 if case.contract.sequenced else 0)
