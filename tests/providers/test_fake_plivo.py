"""The loopback server is only worth something if it is as strict as Plivo and never forgets."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl

import httpx
import plivo
import pytest
from plivo.rest import client as sdk
from plivo.utils import validate_signature, validate_v3_signature
from tests.providers.fake_plivo import FakePlivo, Reports
from tests.providers.plivo_protocol import complaints
from tests.providers.plivo_vectors import FOLDER
from tests.world import AUTH_ID

from providers import http
from providers.base import OutgoingReply
from providers.plivo import Plivo

ROOT = Path(__file__).parents[2]
TOKEN = "token-of-the-tests"
MESSAGE: dict[str, Any] = {
    "src": "33937000001",
    "dst": "33639980123",
    "text": "Salut ça va",
    "type": "sms",
    "url": "https://sms.example.org/plivo/dlr/",
    "method": "POST",
    "log": "false",
    "trackable": False,
}


@pytest.fixture(autouse=True)
def _own_client() -> Iterator[None]:
    yield
    http.client().close()
    http.client.cache_clear()


def reply_to(recipient: str) -> OutgoingReply:
    return OutgoingReply(uuid.uuid4(), MESSAGE["src"], recipient, MESSAGE["text"], MESSAGE["url"])


class Receiver(HTTPServer):
    """Keeps what it is posted, and answers the first request 503."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receive)
        self.posted: list[tuple[str, dict[str, str], str]] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Receive(BaseHTTPRequestHandler):
    server: Receiver

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.posted.append((self.requestline, dict(self.headers), body))
        self.send_response(503 if len(self.server.posted) == 1 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def create_by_sdk(url: str, monkeypatch: pytest.MonkeyPatch, token: str = TOKEN) -> Any:
    monkeypatch.setattr(sdk, "PLIVO_API_BASE_URI", f"{url}/v1/Account")
    client = plivo.RestClient(AUTH_ID, token)
    try:
        return client.messages.create(**{"type_" if key == "type" else key: value for key, value in MESSAGE.items()})
    finally:
        client.session.close()


def test_plivos_own_sdk_is_content_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakePlivo(accounts={AUTH_ID: TOKEN}) as server:
        answer = create_by_sdk(server.url, monkeypatch)
        assert answer.message_uuid == [server.entries[0]["uuid"]]
        assert (server.entries[0]["accepted"], server.entries[0]["complaints"]) == (True, [])
        with pytest.raises(plivo.exceptions.AuthenticationError):
            create_by_sdk(server.url, monkeypatch, token="another")
        server.script("403")
        with pytest.raises(plivo.exceptions.GeoPermissionError):
            create_by_sdk(server.url, monkeypatch)


def test_we_send_what_the_sdk_sends(settings: Any) -> None:
    """The recorded request of the SDK, and ours: same path, same credentials, same JSON."""
    head, _blank, body = (FOLDER / "api_message_create_request.http").read_bytes().partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    recorded = dict(line.split(": ", 1) for line in lines[1:])
    wanted = json.loads(body)
    with Receiver() as receiver:
        settings.PLIVO_API_URL = receiver.url
        reply = OutgoingReply(uuid.uuid4(), wanted["src"], wanted["dst"], wanted["text"], wanted["url"])
        Plivo().send(reply, {"auth_id": AUTH_ID, "auth_token": "plivo-test-auth-token-not-real-00000000"})
        ((line, headers, sent),) = receiver.posted
    assert (line, json.loads(sent)) == (lines[0], wanted)
    for name in ("Authorization", "Accept", "Content-Type"):
        assert headers[name] == recorded[name]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"dst": "33639980123<33899123456"}, "dst is not one number in digits"),
        ({"dst": "+33639980123"}, "dst is not one number in digits"),
        ({"dst": "٣٣٦٣٩٩٨٠١٢٣"}, "dst is not one number in digits"),
        ({"dst": "33639980123\n"}, "dst is not one number in digits"),
        ({"dst": ["33639980123"]}, "dst is not a string"),
        ({"dst": "33937000001"}, "src is no sender, or the destination itself"),
        ({"log": False}, "log is not a string"),
        ({"log": "no"}, "log is not one of the four words"),
        ({"url": "/hooks/"}, "url is not absolute"),
        ({"text": ""}, "text is empty or too long"),
        ({"text": "é" * 1601}, "text is empty or too long"),
        ({"text": "ê" * 738}, "text is empty or too long"),
        ({"text": "😀" * 369}, "text is empty or too long"),
        ({"type": "mms"}, "type or method"),
        ({"powerpack": "x"}, "unknown field powerpack"),
    ],
)
def test_it_complains_of_what_plivo_would_refuse(change: dict[str, Any], complaint: str) -> None:
    assert complaints(MESSAGE) == []
    assert complaints({**MESSAGE, **change}) == [complaint]


@pytest.mark.parametrize("text", ["é" * 1600, "ê" * 737, "😀" * 368, "€" * 1600])
def test_the_longest_texts_pass(text: str) -> None:
    assert complaints({**MESSAGE, "text": text}) == []


def test_as_a_process_it_writes_down_before_it_answers(tmp_path: Path, settings: Any) -> None:
    """Killed without warning after 40 calls, its ledger knows them all."""
    ledger = tmp_path / "ledger.jsonl"
    faults = "reset-after+accept=0.2,503=0.2,429:1=0.1"
    command = [sys.executable, "-m", "tests.providers.fake_plivo", "--ledger", str(ledger), "--seed", "7"]
    command += ["--account", f"{AUTH_ID}:{TOKEN}", "--faults", faults]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        settings.PLIVO_API_URL = process.stdout.readline().strip()
        credentials = {"auth_id": AUTH_ID, "auth_token": TOKEN}
        outcomes = [Plivo().send(reply_to(f"3363998{number:04}"), credentials) for number in range(40)]
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [entry["n"] for entry in entries] == list(range(1, 41))
    known = {entry["uuid"] for entry in entries if entry["accepted"]}
    assert {outcome.provider_id for outcome in outcomes if outcome.provider_id} <= known
    assert {entry["behaviour"] for entry in entries} == {"202", "reset-after", "503", "429"}
    assert len(known) > sum(bool(outcome.provider_id) for outcome in outcomes)


def test_its_reports_are_signed_for_the_url_it_was_given_and_come_again_until_taken(settings: Any) -> None:
    with Receiver() as receiver:
        reports = Reports(("queued", "sent", "delivered"), times=2, to=(receiver.url,), retries=(0.01,))
        with FakePlivo(accounts={AUTH_ID: TOKEN}, reports=reports) as server:
            settings.PLIVO_API_URL = server.url
            outcome = Plivo().send(reply_to(MESSAGE["dst"]), {"auth_id": AUTH_ID, "auth_token": TOKEN})
            assert server.wait_for_reports()
            answers = [report.answers for report in server.sent_reports]
    assert answers == [[503, 200], [200], [200], [200], [200], [200]]
    posted = [(headers, dict(parse_qsl(body, keep_blank_values=True))) for _line, headers, body in receiver.posted]
    words = [(fields["Status"], fields["Sequence"]) for _headers, fields in posted]
    assert words == [("queued", "1"), *[("queued", "1"), ("sent", "2"), ("delivered", "3")] * 2]
    for headers, fields in posted:
        assert (fields["MessageUUID"], fields["To"]) == (outcome.provider_id, "33639980XXX")
        v3, nonce = headers["X-Plivo-Signature-V3"], headers["X-Plivo-Signature-V3-Nonce"]
        assert validate_v3_signature("POST", MESSAGE["url"], nonce, TOKEN, v3, fields)
        assert validate_signature(MESSAGE["url"], nonce, headers["X-Plivo-Signature-V2"], TOKEN)
    assert len({headers["X-Plivo-Signature-V3-Nonce"] for headers, _fields in posted}) == 7


def test_what_was_reset_before_it_was_read_is_in_no_account_s_list() -> None:
    with FakePlivo() as server:
        server.script("reset-before", "202")
        with pytest.raises(httpx.HTTPError):
            httpx.post(f"{server.url}/v1/Account/{AUTH_ID}/Message/", json={}, auth=(AUTH_ID, "token"))
        window = {"message_time__gte": "2000-01-01 00:00", "message_time__lte": "2100-01-01 00:00"}
        window |= {"message_direction": "outbound"}
        answer = httpx.get(f"{server.url}/v1/Account/{AUTH_ID}/Message/", params=window, auth=(AUTH_ID, "token"))
    assert (answer.status_code, answer.json()["objects"]) == (200, [])
