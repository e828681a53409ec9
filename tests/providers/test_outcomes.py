"""The outcome table of SECURITY.md 2.5: what each answer of a provider teaches, and what becomes of the reply."""

from __future__ import annotations

import datetime
import logging
import socket
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from tests.certificates import self_signed
from tests.providers.fake_plivo import FakePlivo
from tests.services import free_port
from tests.signing import post_message
from tests.world import AUTH_ID, World, message_fields

from conversations.models import Conversation, Message, Reply
from hotlines.models import Account
from outbox import breaker, release, send, sweeps
from providers import http
from providers.base import Knowledge, Outcome, OutgoingReply
from providers.plivo import Plivo

pytestmark = pytest.mark.once

ACCEPTED, REFUSED, UNKNOWN = Knowledge.ACCEPTED, Knowledge.REFUSED, Knowledge.UNKNOWN
TOKEN = "north-auth-token-not-real-000000"
FOR_NOW, ACCOUNT = Knowledge.REFUSED_FOR_NOW, Knowledge.ACCOUNT_REFUSED

#: What the provider does; what that teaches; the detail that is kept; how long to wait where it says so.
TABLE: list[tuple[str, Knowledge, str, float | None]] = [
    ("202", ACCEPTED, "202", None),
    ("slow:0.1", ACCEPTED, "202", None),
    ("400", REFUSED, "400", None),
    ("404", REFUSED, "404", None),
    ("405", REFUSED, "405", None),
    ("422", REFUSED, "422", None),
    ("403", REFUSED, "403", None),
    ("450", REFUSED, "450", None),
    ("redirect", REFUSED, "307", None),
    ("no-uuid", REFUSED, "202 destination refused", None),
    ("401", ACCOUNT, "401", None),
    ("402", ACCOUNT, "402", None),
    ("429:7", FOR_NOW, "429", 7.0),
    ("429", FOR_NOW, "429", 30.0),
    ("429:0", FOR_NOW, "429", 1.0),
    ("429:-5", FOR_NOW, "429", 30.0),
    ("429:999999999999", FOR_NOW, "429", 3600.0),
    ("429:Wed, 21 Oct 2026 07.28.00 GMT", FOR_NOW, "429", 30.0),
    ("408", UNKNOWN, "408", None),
    ("500", UNKNOWN, "500", None),
    ("500+accept", UNKNOWN, "500", None),
    ("502", UNKNOWN, "502", None),
    ("503", UNKNOWN, "503", None),
    ("504", UNKNOWN, "504", None),
    ("garbage", UNKNOWN, "202 unreadable", None),
    ("empty", UNKNOWN, "202 unreadable", None),
    ("huge", UNKNOWN, "202 unreadable", None),
    ("truncated", UNKNOWN, "202 unreadable", None),
    ("drip", UNKNOWN, "202 unreadable", None),
    ("reset-before", UNKNOWN, "reset", None),
    ("reset-after", UNKNOWN, "reset", None),
    ("reset-after+accept", UNKNOWN, "reset", None),
    ("silent", UNKNOWN, "ReadTimeout", None),
    ("silent+accept", UNKNOWN, "ReadTimeout", None),
]
#: Which of them a reset becomes depends on how far our writing had come when it arrived.
RESETS = {"ReadError", "WriteError", "RemoteProtocolError"}
ROWS = pytest.mark.parametrize(("behaviour", "knowledge", "detail", "wait"), TABLE, ids=[row[0] for row in TABLE])


@pytest.fixture(autouse=True)
def _short_calls(settings: Any) -> Iterator[None]:
    settings.PROVIDER_TIMEOUT = 1.0
    http.client.cache_clear()
    yield
    http.client().close()
    http.client.cache_clear()


@pytest.fixture(autouse=True)
def _one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where midnight falls into a test, what was released before it would be booked anew."""
    monkeypatch.setattr(send, "_booked_elsewhen", lambda *_reply: False)


@pytest.fixture
def plivo(settings: Any) -> Iterator[FakePlivo]:
    with FakePlivo(accounts={AUTH_ID: TOKEN}) as server:
        settings.PLIVO_API_URL = server.url
        yield server


def call(token: str = TOKEN, recipient: str = "33639980123", text: str = "Réponse « de » l'essai.") -> Outcome:
    path = "/hooks/plivo/x/report/y/"
    reply = OutgoingReply(uuid.uuid4(), "33937000001", recipient, text, f"https://hotline.example.org{path}")
    return Plivo().send(reply, {"auth_id": AUTH_ID, "auth_token": token})


def released_reply(world: World) -> Reply:
    assert post_message(world.north.hotline, message_fields(world.north.hotline), TOKEN).status_code == 200
    assert release.release_due(timezone.now()) == 1
    return Reply.objects.get()


# --- one call ---------------------------------------------------------------------------------------------------------
@ROWS
def test_what_each_answer_teaches(
    plivo: FakePlivo, behaviour: str, knowledge: Knowledge, detail: str, wait: float | None
) -> None:
    plivo.script(behaviour)
    outcome = call()
    found = "reset" if outcome.detail in RESETS else outcome.detail
    assert (outcome.knowledge, found, outcome.retry_after) == (knowledge, detail, wait)
    assert len(plivo.entries) == 1  # one attempt, whatever happened
    assert outcome.provider_id == (plivo.entries[0]["uuid"] if knowledge is ACCEPTED else "")


def test_what_is_known_never_contradicts_the_ledger(plivo: FakePlivo) -> None:
    """The provider has no reply that we call refused, and has every one that we call accepted."""
    for behaviour, knowledge, _detail, _wait in TABLE:
        plivo.script(behaviour)
        call()
        has_it = plivo.entries[-1]["accepted"]
        assert not (knowledge in {REFUSED, FOR_NOW, ACCOUNT} and has_it), behaviour
        assert not (knowledge is ACCEPTED and not has_it), behaviour


def test_nobody_listens(settings: Any) -> None:
    settings.PLIVO_API_URL = f"http://127.0.0.1:{free_port()}"
    assert (call().knowledge, call().detail) == (FOR_NOW, "ConnectError")


def test_a_name_that_does_not_resolve(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: Any, **_kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    settings.PLIVO_API_URL = "https://api.plivo.invalid"
    assert (call().knowledge, call().detail) == (FOR_NOW, "ConnectError")


def test_a_peer_that_speaks_no_tls(plivo: FakePlivo, settings: Any) -> None:
    settings.PLIVO_API_URL = plivo.url.replace("http:", "https:")
    assert (call().knowledge, call().detail) == (FOR_NOW, "ConnectError")
    assert plivo.accepted == 0


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path, settings: Any) -> None:
    with FakePlivo(accounts=None) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self_signed(tmp_path, "127.0.0.1"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        settings.PLIVO_API_URL = server.url.replace("http:", "https:")
        assert (call().knowledge, call().detail) == (FOR_NOW, "ConnectError")
        assert server.entries == []


def test_a_proxy_that_refuses_has_passed_nothing_on(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakePlivo() as proxy:  # it answers CONNECT as any server does that is no proxy
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        settings.PLIVO_API_URL = "https://api.plivo.invalid"
        assert (call().knowledge, call().detail) == (FOR_NOW, "ProxyError")


@pytest.mark.parametrize("url", ["https://api.plivo.com\x00", "https://[::1", "https://a" + "b" * 70 + ".invalid"])
def test_an_address_that_is_none_is_refused_and_raises_nothing(settings: Any, url: str) -> None:
    settings.PLIVO_API_URL = url
    assert call().knowledge in {REFUSED, FOR_NOW}


def test_a_text_that_cannot_be_written_is_refused_and_raises_nothing(plivo: FakePlivo) -> None:
    assert (call(text="\ud800").knowledge, plivo.entries) == (REFUSED, [])


def test_a_wrong_token_is_the_accounts_fault(plivo: FakePlivo) -> None:
    assert (call(token="stolen").knowledge, plivo.entries[0]["complaints"]) == (ACCOUNT, ["credentials"])


def test_several_destinations_in_one_are_refused_by_the_provider_of_our_tests(plivo: FakePlivo) -> None:
    """So that a `<` which got so far would show (SECURITY.md T7)."""
    assert call(recipient="33639980123<33899123456").knowledge is REFUSED
    assert plivo.entries[0]["complaints"] == ["dst is not one number in digits"]


def test_calls_share_connections(plivo: FakePlivo) -> None:
    connections: set[int] = set()
    finish = plivo.process_request

    def counted(request: Any, address: Any) -> None:
        connections.add(address[1])
        finish(request, address)

    plivo.process_request = counted  # type: ignore[method-assign, assignment]
    assert [call().knowledge for _ in range(5)] == [ACCEPTED] * 5
    assert len(connections) == 1


# --- through the outbox -----------------------------------------------------------------------------------------------
STATE = {ACCEPTED: "sent", REFUSED: "failed", UNKNOWN: "unknown", FOR_NOW: "released", ACCOUNT: "released"}


@ROWS
def test_what_becomes_of_the_reply(
    world: World, plivo: FakePlivo, behaviour: str, knowledge: Knowledge, detail: str, wait: float | None
) -> None:
    reply = released_reply(world)
    plivo.script(behaviour)
    before = timezone.now()
    assert send.send_one(timezone.now())
    after = timezone.now()
    reply.refresh_from_db()
    account = Account.objects.get(pk=world.north.account.pk)
    found = "reset" if reply.detail in RESETS else reply.detail
    told = "" if knowledge is ACCEPTED else detail
    assert (reply.state, found, reply.attempts) == (STATE[knowledge], told, 1)
    assert reply.provider_id == (plivo.entries[0]["uuid"] if knowledge is ACCEPTED else "")
    assert (reply.finished_at is not None) == (knowledge in {ACCEPTED, REFUSED})
    assert (reply.sent_at is not None) == (knowledge is ACCEPTED)
    if knowledge in {FOR_NOW, ACCOUNT}:
        least, most = (wait, wait) if wait else (5.0, 7.5)
        seconds = [datetime.timedelta(seconds=value) for value in (least, most)]
        assert before + seconds[0] <= reply.due_at <= after + seconds[1]
    assert (account.sending_paused_at is not None) == (knowledge is ACCOUNT)
    assert account.sending_paused_reason == (detail if knowledge is ACCOUNT else "")
    assert [message.to for message in mail.outbox] == ([["alerts@north.example"]] if knowledge is ACCOUNT else [])
    assert (account.resume_sending_at is not None) == (wait is not None)
    assert Message.objects.get().disposition == "answered"
    plivo.default = "202"
    sweeps.send_replies(seconds=0.2)
    assert len(plivo.entries) == 1  # not at once again, and what is unknown never


@ROWS
def test_the_provider_gets_a_reply_at_most_once(
    world: World, plivo: FakePlivo, behaviour: str, knowledge: Knowledge, detail: str, wait: float | None
) -> None:
    """After the fault is healed and all waiting is over, what was refused for now is sent, and nothing else is."""
    reply = released_reply(world)
    plivo.script(behaviour)
    send.send_one(timezone.now())
    Account.objects.update(sending_paused_at=None, sending_paused_reason="", resume_sending_at=None)
    later = timezone.now() + datetime.timedelta(hours=2)
    while send.send_one(later):
        pass
    reply.refresh_from_db()
    retried = knowledge in {FOR_NOW, ACCOUNT}
    assert (reply.state, len(plivo.entries)) == (("sent", 2) if retried else (STATE[knowledge], 1))
    assert plivo.accepted <= 1


def test_an_account_that_is_refused_pauses_all_its_hotlines_and_no_other(world: World, plivo: FakePlivo) -> None:
    plivo.accounts = {AUTH_ID: world.south.token}  # the north's token was revoked
    for tenant in world.tenants:
        for sender in ("33639980123", "33639980124"):
            post_message(tenant.hotline, message_fields(tenant.hotline, sender=sender), tenant.token)
    assert release.release_due(timezone.now()) == 4
    assert sweeps.send_replies(seconds=2) == 3
    assert sorted(entry["account"] + str(entry["accepted"]) for entry in plivo.entries) == [
        f"{AUTH_ID}False",
        f"{AUTH_ID}True",
        f"{AUTH_ID}True",
    ]
    assert set(Reply.objects.filter(hotline=world.north.hotline).values_list("state", flat=True)) == {"released"}
    assert set(Reply.objects.filter(hotline=world.south.hotline).values_list("state", flat=True)) == {"sent"}
    assert [message.to for message in mail.outbox] == [["alerts@north.example"]]  # once


def test_a_second_refusal_of_a_paused_account_sends_no_second_mail(world: World) -> None:
    for _ in range(2):
        send.pause(world.north.account, "402", timezone.now())
    assert len(mail.outbox) == 1


def test_429_slows_the_whole_account_for_as_long_as_was_asked(world: World, plivo: FakePlivo) -> None:
    hotline = world.north.hotline
    for sender in ("33639980123", "33639980124"):
        post_message(hotline, message_fields(hotline, sender=sender), TOKEN)
    now = timezone.now()
    assert release.release_due(now) == 2
    plivo.script("429:60")
    assert sweeps.send_replies(seconds=1) == 1
    assert not send.send_one(now + datetime.timedelta(seconds=59))
    assert send.send_one(now + datetime.timedelta(seconds=62))
    assert send.send_one(now + datetime.timedelta(seconds=62))
    assert plivo.accepted == 2


def test_waiting_doubles_six_times_and_no_more() -> None:
    def seconds(attempts: int) -> float:
        return send.backoff(attempts, Outcome(FOR_NOW)).total_seconds()

    for attempts, least in ((1, 5), (2, 10), (3, 20), (7, 320), (8, 320), (50, 320)):
        assert least <= seconds(attempts) <= 1.5 * least


def test_the_provider_is_told_digits_and_a_report_url_and_nothing_of_ours(world: World, plivo: FakePlivo) -> None:
    reply = released_reply(world)
    assert send.send_one(timezone.now())
    entry = plivo.entries[0]
    token = world.north.hotline.hook_token
    assert {name: entry[name] for name in ("src", "dst", "text", "url", "complaints")} == {
        "src": "33937000001",
        "dst": "33639980123",
        "text": "Réponse de North.",
        "url": f"https://hotline.example.org/hooks/plivo/{token}/report/{reply.uuid}/",
        "complaints": [],
    }


def test_the_log_of_a_call_holds_neither_number_nor_text(
    world: World, plivo: FakePlivo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    reply = released_reply(world)
    for behaviour, *_rest in TABLE:
        plivo.script(behaviour)
        Reply.objects.filter(pk=reply.pk).update(state="released", provider_id="", due_at=timezone.now())
        resumed = {"sending_paused_at": None, "sending_paused_reason": "", "resume_sending_at": None}
        Account.objects.update(**resumed, **breaker.CLOSED)
        assert send.send_one(timezone.now())
    for secret in ("33639980123", "Réponse", world.north.hotline.hook_token, TOKEN):
        assert secret not in caplog.text
    assert reply.conversation.sender == "number:+33639980123"


@pytest.mark.parametrize("behaviour", ["429:7", "402"])
def test_a_delayed_reply_that_is_refused_for_now_is_still_the_one_that_is_waited_for(
    world: World, plivo: FakePlivo, behaviour: str
) -> None:
    """Its sender wrote again while it was being called out: a second one beside it would be one delayed too many."""
    hotline = world.north.hotline
    hotline.delay_seconds = 60
    hotline.save()
    assert post_message(hotline, message_fields(hotline), TOKEN).status_code == 200
    Reply.objects.update(due_at=timezone.now())
    Conversation.objects.update(reply_due_at=timezone.now())
    assert release.release_due(timezone.now()) == 1
    claimed = send.claim(timezone.now())
    assert claimed is not None
    assert post_message(hotline, message_fields(hotline), TOKEN).status_code == 200
    plivo.script(behaviour)
    send.record(claimed, send._call(claimed))
    assert [message.disposition for message in Message.objects.order_by("pk")] == ["answered", "waiting"]
    assert [reply.state for reply in Reply.objects.all()] == ["released"]
