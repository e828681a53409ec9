"""What only a real connection shows: lengths that lie, bodies in chunks, headers with underscores (W8, W9).

Against the server that production runs, as production starts it.
"""

from __future__ import annotations

import json
import secrets
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests import migrated
from tests.inbox.webhook import headers_of
from tests.processes import HOST, production, python, web
from tests.services import free_port
from tests.signing import FORM
from tests.world import message_fields

from hotlines.models import Hotline

_SEED = """
import json, django
django.setup()
from tests.world import build_world
north = build_world().north
print(json.dumps([north.hotline.hook_token, north.token]))
"""
#: What sealing adds to a text: version, key, nonce and tag.
_SEAL = 1 + 8 + 12 + 16


@dataclass
class Site:
    """A server, its database, and one hotline there."""

    port: int
    database: Path
    hook_token: str
    token: str

    @property
    def path(self) -> str:
        return f"/hooks/plivo/{self.hook_token}/message/"

    def request(self, scheme: str = "v3", **changes: str) -> tuple[dict[str, str], bytes, str]:
        """Headers without a length, body, and the id under which it would be stored. The text comes last."""
        fields = (
            message_fields(Hotline(number="+33937000001"), "Salut", sender=f"3363998{secrets.randbelow(10_000):04}")
            | changes
        )
        fields["Text"] = fields.pop("Text")
        headers = {"Content-Type": FORM, **headers_of(self.path, fields, self.token, scheme=scheme)}
        return headers, urlencode(fields).encode(), fields["MessageUUID"]

    def send(
        self, headers: Mapping[str, str], body: bytes, *, target: str = "", host: str = HOST, half_close: bool = False
    ) -> int:
        """Write a POST by hand; returns the status of the answer, 0 where the connection was closed instead."""
        lines = [f"POST {target or self.path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            try:
                answer = connection.makefile("rb").readline()
            except ConnectionResetError:
                return 0
        return int(answer.split()[1]) if answer else 0

    def stored(self, message_id: str) -> int | None:
        """How many bytes of text were kept of a message, None where it was not stored."""
        with sqlite3.connect(self.database) as database:
            query = "SELECT length(text_sealed) FROM conversations_message WHERE provider_id = ?"
            row = database.execute(query, [message_id]).fetchone()
        database.close()
        return row[0] - _SEAL if row else None

    def messages(self) -> int:
        with sqlite3.connect(self.database) as database:
            (count,) = database.execute("SELECT count(*) FROM conversations_message").fetchone()
        database.close()
        return int(count)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    environment = production(f"sqlite:///{folder / 'paravent.sqlite3'}", folder, PARAVENT_DEMO="1")
    migrated.migrate(environment)
    hook_token, token = json.loads(python(environment, "-c", _SEED))
    port = free_port()
    with web(environment, port, folder / "log"):
        yield Site(port, folder / "paravent.sqlite3", hook_token, token)


pytestmark = pytest.mark.processes


def length(body: bytes, more: int = 0) -> dict[str, str]:
    return {"Content-Length": str(len(body) + more)}


@pytest.mark.parametrize("text", ["Salut", "é" * 1000, "x" * 60_000])
def test_an_honest_length_is_read_whole(site: Site, text: str) -> None:
    headers, body, identity = site.request(Text=text)
    assert site.send({**headers, **length(body)}, body) == 200
    assert site.stored(identity) == len(text.encode())


@pytest.mark.parametrize("scheme", ["v3", "v2"])
@pytest.mark.parametrize("cut", [1, 100])
def test_a_body_that_broke_off_is_no_message_and_its_retry_is_stored_whole(site: Site, scheme: str, cut: int) -> None:
    """V2 covers no body: half of one would be stored, and hide the whole one that comes again under the same id."""
    headers, body, identity = site.request(scheme, Text="!" * 200)
    if scheme == "v2":
        reset_pins(site)
    assert site.send({**headers, **length(body)}, body[:-cut], half_close=True) in {0, 400}
    assert site.stored(identity) is None
    assert site.send({**headers, **length(body)}, body) == 200
    assert site.stored(identity) == 200


def reset_pins(site: Site) -> None:
    with sqlite3.connect(site.database) as database:
        database.execute("DELETE FROM hotlines_endpointpin")
    database.close()


@pytest.mark.parametrize("less", [2, 40])
def test_a_length_that_promises_too_little_cuts_the_body_and_its_proof(site: Site, less: int) -> None:
    headers, body, identity = site.request()
    assert site.send({**headers, **length(body, -less)}, body) == 403
    assert site.stored(identity) is None


@pytest.mark.parametrize("written", ["0", "-1", "abc", "", "1e3", "\xb2", "1, 2"])
def test_a_length_that_is_none_stores_nothing(site: Site, written: str) -> None:
    headers, body, identity = site.request()
    assert site.send({**headers, "Content-Length": written}, body) in {400, 403}
    assert site.stored(identity) is None


def test_two_lengths_store_nothing(site: Site) -> None:
    """What a proxy and we read differently would smuggle a second request in."""
    headers, body, identity = site.request()
    assert site.send({**headers, "content-length": "5", **length(body)}, body) in {400, 403}
    assert site.stored(identity) is None


def test_without_a_length_there_is_no_body(site: Site) -> None:
    headers, body, identity = site.request()
    assert site.send(headers, body, half_close=True) in {400, 403}
    assert site.stored(identity) is None


def test_a_body_in_chunks_is_stored_whole_or_refused_by_its_name(site: Site) -> None:
    headers, body, identity = site.request()
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert site.send({**headers, "Transfer-Encoding": "chunked"}, chunked) == 411
    assert site.stored(identity) is None


def test_a_megabyte_is_refused(site: Site) -> None:
    headers, body, identity = site.request(Text="x" * 1_000_000)
    assert site.send({**headers, **length(body)}, body) == 413
    assert site.stored(identity) is None


UNDERSCORES = pytest.mark.xfail(
    strict=True,
    reason="granian 2.8 gives WSGI no way to tell X_Name from X-Name: the proxy before it must drop such headers "
    "(nginx does by default), as docs/operators/install.md asks",
)


@UNDERSCORES
def test_headers_with_underscores_are_not_the_headers_they_look_like(site: Site) -> None:
    """CVE-2026-3902: WSGI maps both ways of writing to one name, and a proxy may have checked only one of them."""
    headers, body, identity = site.request()
    underscored = {name.replace("-", "_"): value for name, value in headers.items() if name.startswith("X-")}
    assert len(underscored) == 2
    bare = {"Content-Type": FORM, **length(body)}
    assert site.send({**bare, **underscored}, body) == 403
    assert site.stored(identity) is None
    assert site.send({**headers, **dict.fromkeys(underscored, "wrong"), **length(body)}, body) == 200
    assert site.stored(identity) == 5


@UNDERSCORES
def test_an_address_forwarded_with_underscores_is_not_believed(site: Site) -> None:
    """Behind one trusted proxy the last entry counts, and only the proxy may have written it."""
    statuses = [
        site.send({"X-Forwarded-For": "192.0.2.66", "X_Forwarded_For": f"192.0.2.{n}", "Content-Length": "0"}, b"")
        for n in range(62)
    ]
    assert 429 in statuses


def test_a_header_sent_twice_offers_both_signatures_and_two_nonces_offer_none(site: Site) -> None:
    headers, body, identity = site.request()
    assert site.send({**length(body), "x-plivo-signature-v3-nonce": "12345678901", **headers}, body) == 403
    assert site.stored(identity) is None
    assert site.send({**length(body), "x-plivo-signature-v3": "old", **headers}, body) == 200


@pytest.mark.parametrize("target", ["//message/", "/hooks//message/", "/hooks/plivo/%2e%2e/message/", "*", "x"])
def test_strange_targets_find_nothing(site: Site, target: str) -> None:
    headers, body, identity = site.request()
    assert site.send({**headers, **length(body)}, body, target=target) in {400, 403, 404}
    assert site.stored(identity) is None


def test_a_path_written_with_escapes_is_the_same_path_and_not_a_second_message(site: Site) -> None:
    headers, body, identity = site.request()
    before = site.messages()
    target = site.path.replace("plivo", "%70livo")
    assert site.send({**headers, **length(body)}, body, target=target) == 200
    assert site.send({**headers, **length(body)}, body) == 200
    assert (site.messages(), site.stored(identity)) == (before + 1, 5)


def test_a_host_that_is_not_ours_is_refused(site: Site) -> None:
    headers, body, identity = site.request()
    assert site.send({**headers, **length(body)}, body, host="evil.example") == 400
    assert site.stored(identity) is None


@pytest.mark.parametrize("value", ["a; x*=bogus''a", f"{FORM}; charset*=utf-8''%00"])
def test_a_content_type_that_cannot_be_parsed_is_refused_and_breaks_nothing(site: Site, value: str) -> None:
    headers, body, identity = site.request()
    assert site.send({**headers, "Content-Type": value, **length(body)}, body) == 415
    assert site.stored(identity) is None
