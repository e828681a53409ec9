"""What only a real connection shows: lengths that lie, bodies in chunks, headers with underscores (W8, W9)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.inbox.webhook import count, headers_of, path_of
from tests.signing import FORM
from tests.world import World, message_fields

from conversations.models import Message

pytestmark = pytest.mark.django_db(transaction=True)

Send = Callable[..., int]


@pytest.fixture
def send(live_server: Any) -> Send:
    """Write a request by hand; returns the status of the first answer, 0 where the connection was closed instead."""

    def exchange(path: str, headers: Mapping[str, str], body: bytes, *, half_close: bool = False) -> int:
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        address = (live_server.thread.host, live_server.thread.port)
        with socket.create_connection(address, timeout=20) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            answer = connection.makefile("rb").readline()
        return int(answer.split()[1]) if answer else 0

    return exchange


def request(world: World, **fields: str) -> tuple[str, dict[str, str], bytes]:
    path, every = path_of(world.north.hotline), message_fields(world.north.hotline) | fields
    headers = {"Content-Type": FORM, **headers_of(path, every, world.north.token)}
    return path, headers, urlencode(every).encode()


def test_an_honest_length_is_read_whole(world: World, send: Send) -> None:
    path, headers, body = request(world, Text="é" * 1000)
    assert send(path, {**headers, "Content-Length": str(len(body))}, body) == 200
    assert Message.objects.get().text == "é" * 1000


@pytest.mark.parametrize("less", [2, 40])
def test_a_length_that_promises_too_little_cuts_the_body_and_its_proof(world: World, send: Send, less: int) -> None:
    path, headers, body = request(world)
    assert send(path, {**headers, "Content-Length": str(len(body) - less)}, body) == 403
    assert count() == {}


@pytest.mark.parametrize("scheme", ["v3", "v2"])
@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_body_that_broke_off_is_no_message_and_its_retry_is_stored_whole(
    world: World, send: Send, scheme: str, cut: int
) -> None:
    """V2 covers no body: half of one would be stored, and hide the whole one that comes again under the same id."""
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    fields = {**fields, "Text": fields.pop("Text") + "!" * 100}  # at the end, where it breaks
    headers = {"Content-Type": FORM, **headers_of(path, fields, world.north.token, scheme=scheme)}
    body = urlencode(fields).encode()
    headers["Content-Length"] = str(len(body) + (cut == 0))
    assert send(path, headers, body[: len(body) - cut], half_close=True) == 400
    assert count() == {}
    headers["Content-Length"] = str(len(body))
    assert send(path, headers, body) == 200
    assert Message.objects.get().text == "Salut" + "!" * 100


@pytest.mark.parametrize("length", ["0", "-1", "abc", "", "1e3", "٣"])
def test_a_length_that_is_none_stores_nothing(world: World, send: Send, length: str) -> None:
    path, headers, body = request(world)
    written = length.encode().decode("latin-1")
    assert send(path, {**headers, "Content-Length": written}, body) in {400, 403}
    assert count() == {}


def test_without_a_length_there_is_no_body(world: World, send: Send) -> None:
    path, headers, body = request(world)
    assert send(path, headers, body, half_close=True) == 403
    assert count() == {}


def test_a_body_in_chunks_is_refused_by_its_name(world: World, send: Send) -> None:
    path, headers, body = request(world)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert send(path, {**headers, "Transfer-Encoding": "chunked"}, chunked) == 411
    assert count() == {}


def test_a_megabyte_is_refused_after_its_first_64_kib(world: World, send: Send) -> None:
    path, headers, _body = request(world)
    assert send(path, {**headers, "Content-Length": "1000000"}, b"x" * 70_000, half_close=True) == 413
    assert count() == {}


def test_headers_with_underscores_are_not_the_headers_they_look_like(world: World, send: Send) -> None:
    """CVE-2026-3902: WSGI maps both ways of writing to one name, and a proxy may have checked only one of them."""
    path, headers, body = request(world)
    length = {"Content-Length": str(len(body))}
    underscored = {name.replace("-", "_"): value for name, value in headers.items() if name.startswith("X-")}
    bare = {"Content-Type": FORM, **length}
    assert len(underscored) == 2
    assert send(path, {**bare, **underscored}, body) == 403
    assert count() == {}
    wrong = dict.fromkeys(underscored, "wrong")
    assert send(path, {**headers, **wrong, **length}, body) == 200


def test_a_header_sent_twice_offers_both_signatures_and_two_nonces_offer_none(world: World, send: Send) -> None:
    path, headers, body = request(world)
    length = {"Content-Length": str(len(body))}
    assert send(path, {**length, "x-plivo-signature-v3": "old", **headers}, body) == 200
    assert send(path, {**length, "x-plivo-signature-v3-nonce": "12345678901", **headers}, body) == 403


@pytest.mark.parametrize("target", ["//message/", "/hooks//message/", "/hooks/plivo/%2e%2e/message/", "*", "x"])
def test_strange_targets_find_nothing(world: World, send: Send, target: str) -> None:
    _path, headers, body = request(world)
    assert send(target, {**headers, "Content-Length": str(len(body))}, body) in {400, 404}


def test_a_path_written_with_escapes_is_the_same_path_and_not_a_second_message(world: World, send: Send) -> None:
    path, headers, body = request(world)
    length = {"Content-Length": str(len(body))}
    assert send(path.replace("plivo", "%70livo"), {**headers, **length}, body) == 200
    assert send(path, {**headers, **length}, body) == 200
    assert Message.objects.count() == 1
