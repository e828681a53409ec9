"""A gateway of one's own: its vector, the protocol's page as a program, and that each reply is sent once."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import uuid
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from tests.providers.contract import standard as contract
from tests.providers.fake_standard import FakeStandard
from tests.world import SENDER, World

from conversations.models import Message, Reply
from outbox import release, send
from providers.base import Knowledge, NotVerified, OutgoingReply, SignedRequest, SignOfLife, Unusable
from providers.standard import Standard

ROOT = Path(__file__).parents[2]
VECTOR = json.loads((ROOT / "tests/vectors/standard/standard_webhooks.json").read_text())
pytestmark = pytest.mark.once
RECEIVED = contract.whsec("what the gateway signs with, 32 by")


def test_the_recorded_request_verifies_in_its_time_and_not_altered() -> None:
    def verifies(body: str, at: int) -> bool:
        request = SignedRequest("POST", "https://x/", VECTOR["headers"], body.encode())
        with time_machine.travel(at, tick=False):
            try:
                return Standard().verify(request, {"secret": VECTOR["secret"]}).nonce == "msg_1"
            except NotVerified:
                return False

    at = int(VECTOR["headers"]["webhook-timestamp"])
    assert verifies(VECTOR["body"], at)
    assert not verifies(VECTOR["body"], at + 301)
    assert not verifies(VECTOR["body"].replace("salut", "salue"), at)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é", "not base64 !", "x"])
def test_a_secret_that_is_none_proves_nothing_and_signs_nothing(secret: str) -> None:
    request = contract.signed("https://x/", "", "sms.received", {})
    with pytest.raises(NotVerified):
        Standard().verify(request, {"secret": secret, "previous_secret": secret})


def test_without_a_secret_nothing_leaves() -> None:
    reply = OutgoingReply(uuid.uuid4(), "33937000001", "33639980123", "Non.", "https://x/")
    assert Standard().send(reply, {"send_url": "https://x/"}).knowledge is Knowledge.ACCOUNT_REFUSED


@pytest.mark.parametrize(
    ("data", "sign"),
    [
        ({"battery": 40, "failed": 3}, SignOfLife(40, 3)),
        ({"battery": 101, "failed": -1}, SignOfLife()),
        ({"battery": "x"}, SignOfLife()),
        ({}, SignOfLife()),
    ],
)
def test_a_ping_says_how_the_gateway_is(data: dict[str, Any], sign: SignOfLife) -> None:
    assert Standard().parse_message(contract.signed("https://x/", "k", "gateway.ping", data)) == sign


@pytest.mark.parametrize("data", [[], None, {"id": ""}, {"id": "1", "from": 3, "text": "x"}, {"id": "1", "to": 3}])
def test_what_lacks_something_is_unusable(data: Any) -> None:
    for kind in ("sms.received", "sms.report", "x"):
        with pytest.raises(Unusable):
            Standard().parse_message(contract.signed("https://x/", "k", kind, data))


@pytest.mark.usefixtures("own_client")
@pytest.mark.parametrize("told", ["500+accept", "reset-after+accept", "silent+accept", "reset-before", "503"])
def test_whatever_happened_it_is_asked_again_and_sent_once(settings: Any, told: str) -> None:
    reply = OutgoingReply(uuid.uuid4(), "33937000001", "33639980123", "Réponse", "https://x/")
    with FakeStandard(contract.SEND_SECRET) as gateway:
        settings.GATEWAYS = (gateway.url,)
        known = {"send_url": gateway.address, "send_secret": contract.SEND_SECRET}
        gateway.script(told)
        assert Standard().send(reply, known).knowledge is Knowledge.REFUSED_FOR_NOW
        assert Standard().send(reply, known).knowledge is Knowledge.ACCEPTED
        assert len(gateway.messages) == len(gateway.taken) == 1
        assert gateway.taken[0]["data"]["text"] == "Réponse"


# --- the page's program -----------------------------------------------------------------------------------------------
@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The gateway that docs/providers/standard.md ends with; `sent` is what its modem got."""
    [program] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/providers/standard.md").read_text(), re.DOTALL)
    for name, value in (
        ("HOTLINE_ADDRESS", ""),
        ("RECEIVED_SECRET", RECEIVED),
        ("REPLIES_SECRET", contract.SEND_SECRET),
        ("TAKEN_FOLDER", str(tmp_path)),
    ):
        monkeypatch.setenv(name, value)
    space: dict[str, Any] = {"__name__": "gateway"}
    exec(compile(program, "docs/providers/standard.md", "exec"), space)
    sent: list[tuple[str, str]] = []
    space["send_sms"] = lambda number, text: sent.append((number, text))
    space["Replies"].log_message = lambda *_args: None
    with ThreadingHTTPServer(("127.0.0.1", 0), space["Replies"]) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield SimpleNamespace(space=space, sent=sent, url=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.mark.usefixtures("own_client")
def test_the_pages_gateway_receives_answers_once_and_reports(
    transactional_db: None, world: World, live_server: Any, settings: Any, gateway: SimpleNamespace
) -> None:
    account, hotline = world.north.account, world.north.hotline
    settings.GATEWAYS = (gateway.url,)
    account.provider = "standard"
    account.credentials = {"secret": RECEIVED, "send_url": gateway.url, "send_secret": contract.SEND_SECRET}
    account.save()
    hotline.save()
    tell = gateway.space["tell"]
    gateway.space["HOTLINE"] = f"{live_server.url}/hooks/standard/{hotline.hook_token}/message/"
    message = {"id": "m1", "from": "06 39 98 01 23", "to": "0937000001", "text": "Salut, ça va ?"}
    assert [tell("sms.received", **message) for _ in range(2)] == [200, 200]
    stored = Message.objects.get()
    assert stored.conversation is not None
    assert (stored.text, stored.conversation.sender) == ("Salut, ça va ?", f"number:+{SENDER}")
    assert release.release_due(timezone.now()) == 1
    reply = Reply.objects.get()
    assert send.send_one(timezone.now())
    assert gateway.sent == [("+33639980123", "Réponse de North.")]
    outgoing = OutgoingReply(reply.uuid, "33937000001", SENDER, "Réponse de North.", "https://x/")
    assert Standard().send(outgoing, account.credentials).knowledge is Knowledge.ACCEPTED
    assert len(gateway.sent) == 1
    assert tell("sms.report", id=str(reply.uuid), status="delivered") == 200
    reply.refresh_from_db()
    assert (reply.state, reply.delivery) == ("sent", "delivered")
    gateway.space["RECEIVED"] = contract.SEND_SECRET
    with pytest.raises(urllib.error.HTTPError, match="403"):
        tell("sms.received", **message)
