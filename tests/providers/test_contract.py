"""What every provider must do, run for each line of the registry.

A new provider adds `tests/providers/contract/<name>.py` with its `CONTRACT`, and inherits all of this.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import itertools
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from tests.providers.contract.base import Contract, LogContract, Text
from tests.world import SENDER, Tenant, World

from conversations.models import Conversation, DeliveryReport, Message, Reply
from outbox import release, send
from providers import http, registry
from providers.base import (
    Knowledge,
    LogEntry,
    LogQuery,
    NotVerified,
    Outcome,
    OutgoingReply,
    Provider,
    SignedRequest,
    Unavailable,
    Unusable,
)

URL = "https://hotline.example.org/hooks/x/message/"
SECRET, OTHER = "the-secret-of-this-account", "the-secret-of-another-account"
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


@dataclasses.dataclass(frozen=True)
class Case:
    """A provider, what it contributes, and where."""

    name: str
    contract: Contract

    @property
    def provider(self) -> Provider:
        return registry.get(self.name)

    def verifies(self, request: SignedRequest, secret: str, previous: str = "") -> bool:
        try:
            verification = self.provider.verify(request, self.contract.credentials(secret, previous))
        except NotVerified:
            return False
        assert verification.scheme in self.provider.schemes
        return True


def _case(name: str) -> Case:
    return Case(name, importlib.import_module(f"tests.providers.contract.{name}").CONTRACT)


@pytest.fixture(params=sorted(registry.PROVIDERS))
def case(request: pytest.FixtureRequest) -> Case:
    return _case(request.param)


@pytest.fixture
def tenant(case: Case, world: World) -> Tenant:
    """The north, with an account of the provider in question."""
    account = world.north.account
    account.provider = case.name
    account.credentials = dict(case.contract.credentials(SECRET, ""))
    account.save()
    return world.north


@pytest.fixture(autouse=True)
def _own_client(settings: Any) -> Iterator[None]:
    settings.PROVIDER_TIMEOUT = 0.5
    http.client.cache_clear()
    yield
    http.client().close()
    http.client.cache_clear()


def text(body: str = "Salut", parts: int = 1, sender: str = SENDER) -> Text:
    return Text(str(uuid.uuid4()), sender, "33937000001", body, parts)


def deliver(request: SignedRequest) -> int:
    headers = {name: value for name, value in request.headers.items() if name != "content-type"}
    path = urlsplit(request.url).path
    answer = Client().post(path, request.body, content_type=request.headers["content-type"], headers=headers)
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
    message = text(body, parts=11 if len(body) > 160 else 1)
    request = case.contract.message(URL, SECRET, message)
    assert case.verifies(request, SECRET)
    parsed = case.provider.parse_message(request)
    assert (parsed.id, parsed.sender, parsed.recipient) == (message.id, message.sender, message.recipient)
    assert (parsed.text, parsed.units) == (body, message.parts)
    assert parsed.received_at.tzinfo is not None


def test_an_altered_body_does_not_verify(case: Case) -> None:
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
    request = case.contract.message(URL, SECRET, text())
    assert not case.verifies(dataclasses.replace(request, url=url), SECRET)


def test_only_the_accounts_own_secret_verifies(case: Case) -> None:
    request = case.contract.message(URL, SECRET, text())
    assert not case.verifies(request, OTHER)
    assert not case.verifies(request, SECRET + " ")
    assert not case.verifies(request, "")
    with pytest.raises(NotVerified):
        case.provider.verify(request, {})


def test_while_a_secret_changes_both_verify_and_afterwards_only_the_new(case: Case) -> None:
    old, new = (case.contract.message(URL, secret, text()) for secret in (SECRET, OTHER))
    assert [case.verifies(request, OTHER, previous=SECRET) for request in (old, new)] == [True, True]
    assert [case.verifies(request, OTHER) for request in (old, new)] == [False, True]


def test_without_any_one_of_its_signature_headers_it_does_not_verify_more_easily(case: Case) -> None:
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
    assert not case.verifies(request, SECRET)
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
    for word, delivery in case.contract.words.items():
        report = case.provider.parse_report(case.contract.report(URL, SECRET, "id-1", word, 3))
        assert (report.id, report.status, report.sequence) == ("id-1", delivery, 3)
    for word in ("", "teleported", "sent\x00", "é"):
        report = case.provider.parse_report(case.contract.report(URL, SECRET, "id-1", word, 3))
        assert report.status == case.contract.words.get(word.replace("\x00", ""))


# --- sending ----------------------------------------------------------------------------------------------------------
def test_what_its_answers_teach(case: Case, settings: Any) -> None:
    assert set(case.contract.answers.values()) == set(Knowledge)
    reply = OutgoingReply(uuid.uuid4(), "33937000001", SENDER, "Réponse", "https://hotline.example.org/r/")
    with case.contract.carrier(settings) as carrier:
        for told, knowledge in case.contract.answers.items():
            carrier.script(told)
            outcome: Outcome = case.provider.send(reply, case.contract.credentials(SECRET, ""))
            assert outcome.knowledge is knowledge, told
            assert bool(outcome.provider_id) == (knowledge is Knowledge.ACCEPTED)
            assert not {SECRET, SENDER, reply.text} & {outcome.detail}
            assert len(outcome.detail) <= 60
        http.client().close()


# --- its log ----------------------------------------------------------------------------------------------------------
NOON = datetime.datetime(2026, 11, 2, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def log_entries(count: int, *, inbound: bool) -> list[LogEntry]:
    """One entry a minute, from noon on."""
    ours, theirs = "33937000001", SENDER
    sender, recipient = (theirs, ours) if inbound else (ours, theirs)
    kind = "in" if inbound else "out"
    return [
        LogEntry(f"{kind}-{n}", inbound, sender, recipient, NOON + datetime.timedelta(minutes=n), units=n % 3 + 1)
        for n in range(count)
    ]


@pytest.fixture
def logged(case: Case, settings: Any) -> Iterator[tuple[LogContract, Any]]:
    """The provider's part for its log, and a server with 50 entries a direction; skipped where there is no log."""
    assert (case.provider.log is None) == (case.contract.log is None)
    if case.contract.log is None:
        pytest.skip("a provider without a log")
    with case.contract.carrier(settings) as carrier:
        case.contract.log.write(carrier, log_entries(50, inbound=True))
        case.contract.log.write(carrier, log_entries(50, inbound=False))
        yield case.contract.log, carrier


def read_log(case: Case, query: LogQuery, secret: str = SECRET) -> list[LogEntry]:
    """The whole listing, as a caller walks through it."""
    found: list[LogEntry] = []
    cursor: str | None = ""
    while cursor is not None:
        page = case.provider.read_log(query, case.contract.credentials(secret, ""), cursor)
        found += page.entries
        cursor = page.next
    return found


@pytest.mark.parametrize("inbound", [True, False])
@pytest.mark.parametrize(("first", "last"), [(0, 49), (10, 29), (10, 10), (-30, -10), (5, 44), (40, 90)])
def test_its_log_shows_all_of_one_direction_from_and_until(
    case: Case, logged: tuple[LogContract, Any], first: int, last: int, inbound: bool
) -> None:
    minute = datetime.timedelta(minutes=1)
    found = read_log(case, LogQuery(NOON + first * minute, NOON + last * minute, inbound))
    wanted = [entry for n, entry in enumerate(log_entries(50, inbound=inbound)) if first <= n <= last]
    assert sorted((e.id, e.inbound, e.sender, e.recipient, e.at, e.units) for e in found) == sorted(
        (e.id, e.inbound, e.sender, e.recipient, e.at, e.units) for e in wanted
    )
    assert all(entry.cost is not None and entry.status is not None for entry in found)


def test_a_log_that_cannot_be_read_never_looks_like_a_whole_one(case: Case, logged: tuple[LogContract, Any]) -> None:
    contract, carrier = logged
    query = LogQuery(NOON, NOON + HOUR, inbound=False)
    credentials = case.contract.credentials(SECRET, "")
    whole = case.provider.read_log(query, credentials)
    assert len(whole.entries) == contract.page
    for fault in contract.faults:
        for cursor in ("", whole.next):
            assert cursor is not None
            carrier.script_log(fault)
            with pytest.raises(Unavailable) as raised:
                case.provider.read_log(query, credentials, cursor)
            assert raised.value.retry_after is None, fault
            assert 0 < len(str(raised.value)) <= 60
            assert not any(secret in str(raised.value) for secret in (SECRET, SENDER, "33937000001"))
    carrier.script_log(contract.wait)
    with pytest.raises(Unavailable) as raised:
        case.provider.read_log(query, credentials)
    assert raised.value.retry_after == 7
    assert case.provider.read_log(query, credentials) == whole


# --- its numbers ------------------------------------------------------------------------------------------------------
NUMBER = "+33937000001"


def test_a_number_is_detached_and_attached_again_however_often_it_is_said(case: Case, settings: Any) -> None:
    assert case.contract.numbers is not None
    home, credentials = case.contract.numbers.application, case.contract.credentials(SECRET, "")
    with case.contract.carrier(settings):
        assert case.provider.application(NUMBER, credentials) == home
        for application in ("", "", home, home, ""):
            case.provider.attach(NUMBER, application, credentials)
            assert case.provider.application(NUMBER, credentials) == application
        assert case.provider.application("+33937000002", credentials) == home
        http.client().close()


def test_what_a_provider_did_not_agree_to_is_never_taken_for_done(case: Case, settings: Any) -> None:
    contract, credentials = case.contract.numbers, case.contract.credentials(SECRET, "")
    assert contract is not None
    calls: list[Callable[[], object]] = [
        lambda: case.provider.application(NUMBER, credentials),
        lambda: case.provider.attach(NUMBER, "", credentials),
    ]
    with case.contract.carrier(settings) as carrier:
        for told, retry_after in [*((fault, None) for fault in contract.faults), (contract.wait, 7)]:
            for call in calls:
                contract.script(carrier, told)
                with pytest.raises(Unavailable) as raised:
                    call()
                assert raised.value.retry_after == retry_after, told
                assert 0 < len(str(raised.value)) <= 60
                assert SECRET not in str(raised.value)
        assert case.provider.application(NUMBER, credentials) == contract.application
        contract.script(carrier, contract.done)
        with pytest.raises(Unavailable):
            case.provider.attach(NUMBER, "", credentials)
        assert case.provider.application(NUMBER, credentials) == ""
        http.client().close()


# --- at the webhook ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("body", TEXTS, ids=range(len(TEXTS)))
def test_a_message_is_stored_once_however_often_it_comes(case: Case, tenant: Tenant, body: str) -> None:
    message = text(body)
    request = case.contract.message(message_url(case, tenant), SECRET, message)
    resent = case.contract.message(message_url(case, tenant), SECRET, message)  # the same, signed anew
    assert [deliver(each) for each in (request, request, resent, request)] == [200] * 4
    stored = Message.objects.get()
    assert (stored.provider_id, stored.text or "") == (message.id, body)
    assert Conversation.objects.get().messages_received == 1
    assert Reply.objects.count() == 1


def test_what_is_not_proven_changes_nothing(case: Case, tenant: Tenant) -> None:
    forged = case.contract.message(message_url(case, tenant), OTHER, text())
    elsewhere = case.contract.message(URL, SECRET, text())
    moved = dataclasses.replace(elsewhere, url=message_url(case, tenant))
    assert [deliver(each) for each in (forged, moved)] == [403, 403]
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
    reports = [
        case.contract.report(url, SECRET, reply.provider_id, word, sequence)
        for sequence, word in enumerate(["queued", "sent", "delivered"], start=1)
    ]
    fresh = Reply.objects.filter(pk=reply.pk).values().get()
    ends = []
    for order in itertools.permutations(reports):
        Reply.objects.filter(pk=reply.pk).update(**fresh)
        DeliveryReport.objects.all().delete()
        assert {deliver(report) for report in (*order, *order[::-1])} == {200}
        assert DeliveryReport.objects.count() == 3
        ends.append(Reply.objects.filter(pk=reply.pk).values().get())
    assert ends == [ends[0]] * len(ends)
    assert (ends[0]["state"], ends[0]["delivery"], ends[0]["delivery_sequence"]) == ("sent", "delivered", 3)
