"""What is not proven, or not in the one form there is, changes nothing and costs little (SECURITY.md W1, W7 to W9)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests.inbox.webhook import count, deliver, headers_of, path_of, post
from tests.providers.plivo_protocol import signed_headers
from tests.providers.plivo_vectors import Vector, load_all
from tests.signing import FORM
from tests.world import SENDER, World, message_fields

from conversations.models import Message
from inbox import clients, hooks

pytestmark = pytest.mark.once

NOBODY = "A" * 22
GARBLED = ["", " ", "x", "é", "AAAA", "A" * 44, "=" * 44, ",,,,", "None", "0" * 5000, "A" * 43 + "="]


def in_path(world: World, endpoint: str) -> str:
    return path_of(world.north.hotline, endpoint)


# --- W1: a forger without the secret ----------------------------------------------------------------------------------
@pytest.mark.parametrize("signature", GARBLED)
@pytest.mark.parametrize("family", ["V3", "Ma-V3", "V2", "Ma-V2"])
def test_a_garbled_signature_is_refused(world: World, signature: str, family: str) -> None:
    nonce = f"X-Plivo-Signature-{family.removeprefix('Ma-')}-Nonce"
    headers = {f"X-Plivo-Signature-{family}": signature, nonce: "12345678901234567890"}
    assert post(path_of(world.north.hotline), message_fields(world.north.hotline), headers) == 403
    assert count() == {}


@pytest.mark.parametrize("endpoint", ["message", "report/6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
def test_no_signature_and_another_accounts_signature_are_refused(world: World, endpoint: str) -> None:
    path, fields = in_path(world, endpoint), message_fields(world.north.hotline)
    assert post(path, fields) == 403
    for scheme in ("v3", "v2", "both"):
        assert post(path, fields, headers_of(path, fields, world.south.token, scheme=scheme)) == 403
    assert post(path, fields, headers_of(path, fields, "")) == 403
    assert count() == {}


def test_another_tenants_signature_for_its_own_path_does_not_serve_here(world: World) -> None:
    fields = message_fields(world.south.hotline)
    headers = headers_of(path_of(world.south.hotline), fields, world.south.token, scheme="both")
    assert post(path_of(world.north.hotline), fields, headers) == 403
    assert post(path_of(world.south.hotline), fields, headers) == 200
    assert set(Message.objects.values_list("hotline", flat=True)) == {world.south.hotline.pk}


def test_an_account_without_a_secret_refuses_everything(world: World) -> None:
    account = world.north.account
    for credentials in ({}, {"auth_id": "x"}, {"auth_token": ""}, {"auth_token": "", "main_auth_token": ""}):
        account.credentials = credentials
        account.save()
        for token in ("", world.north.token):
            path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
            assert post(path, fields, headers_of(path, fields, token)) == 403
    assert count() == {}


def test_an_account_whose_key_is_gone_refuses_everything(world: World) -> None:
    world.north.account.credentials_sealed = b"\x01" + b"\x00" * 60
    world.north.account.save()
    assert deliver(world.north, message_fields(world.north.hotline)) == 403
    assert count() == {}


def test_a_forgery_costs_one_look_up_and_then_no_statement_at_all(world: World) -> None:
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    headers = headers_of(path, fields, world.south.token)
    hooks.forget()
    with CaptureQueriesContext(connection) as first:
        assert post(path, fields, headers) == 403
    tables = [query["sql"].partition("FROM ")[2].split('"')[1] for query in first]
    assert tables == ["hotlines_hotline", "hotlines_endpointpin"]
    with CaptureQueriesContext(connection) as second:
        for _ in range(3):
            assert post(path, fields, headers) == 403
    assert len(second) == 0


def test_a_guessed_token_costs_one_statement_once_and_a_malformed_one_none(world: World) -> None:
    fields = message_fields(world.north.hotline)
    with CaptureQueriesContext(connection) as guessed:
        for _ in range(3):
            assert post(f"/hooks/plivo/{NOBODY}/message/", fields) == 404
    assert len(guessed) == 1
    with CaptureQueriesContext(connection) as malformed:
        for token in ("x", "A" * 21, "A" * 23, "é" * 22, "%00" * 22, "..", "A" * 5000):
            assert post(f"/hooks/plivo/{token}/message/", fields) == 404
    assert len(malformed) == 0


def test_a_token_belongs_to_its_provider(world: World) -> None:
    fields = message_fields(world.north.hotline)
    for provider in ("simulator", "twilio", "PLIVO", "plivo2"):
        path = path_of(world.north.hotline).replace("plivo", provider)
        assert post(path, fields, headers_of(path, fields, world.north.token)) == 404
    assert count() == {}


def test_an_unknown_token_and_a_wrong_signature_say_nothing_more_than_their_status(world: World) -> None:
    client, fields = Client(), message_fields(world.north.hotline)
    answers = [client.post(path, fields) for path in (f"/hooks/plivo/{NOBODY}/message/", path_of(world.north.hotline))]
    answers += [client.post(path_of(world.north.hotline), urlencode(fields), content_type=FORM)]
    for answer in answers:
        for secret in (world.north.hotline.name, world.north.organization.name, "V3", "V2", "Plivo", "signature"):
            assert secret not in answer.content.decode()


# --- W7: one method, one media type -----------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options", "trace"])
@pytest.mark.parametrize("endpoint", ["message", "report/6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
def test_every_other_method_is_refused_without_a_look(world: World, method: str, endpoint: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        answer = getattr(Client(), method)(in_path(world, endpoint))
    assert (answer.status_code, answer.headers.get("Allow")) == (405, "POST")
    assert len(queries) == 0


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=x",
        "application/json",
        "text/plain",
        "text/xml",
        "application/x-www-form-urlencoded2",
        "application/*",
        "*/*",
        "",
        "x",
        "/",
        ";",
        "application/x-www-form-urlencoded, application/json",
    ],
)
def test_every_other_media_type_is_refused_even_where_signed(world: World, content_type: str) -> None:
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    headers = headers_of(path, fields, world.north.token)
    assert post(path, fields, headers, content_type=content_type) == 415
    assert count() == {}


def test_json_of_the_same_fields_is_no_message(world: World) -> None:
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    headers = headers_of(path, fields, world.north.token, scheme="v2")
    assert post(path, json.dumps(fields), headers, content_type="application/json") == 415
    assert count() == {}


@pytest.mark.parametrize("suffix", ["; charset=utf-8", ";charset=ISO-8859-1", "; charset=nonsense", " ", "; a=b; c"])
def test_parameters_of_the_media_type_change_nothing(world: World, suffix: str) -> None:
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline, "é")
    assert post(path, fields, headers_of(path, fields, world.north.token), content_type=FORM + suffix) == 200
    assert Message.objects.get().text == "é"


def test_the_media_type_is_compared_without_case(world: World) -> None:
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    assert post(path, fields, headers_of(path, fields, world.north.token), content_type=FORM.upper()) == 200


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png;q=0.1", "*/*", "nonsense", ""])
def test_whatever_a_provider_accepts_it_gets_its_empty_document(world: World, accept: str) -> None:
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    headers = headers_of(path, fields, world.north.token)
    answer = Client().post(path, urlencode(fields), content_type=FORM, headers={**headers, "Accept": accept})
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"<Response/>", "application/xml")


MESSAGES = [v for v in load_all() if v.name.startswith("inbound") and v.request.body and "?" not in v.url]
REFUSED = [vector for vector in load_all() if vector.request.method == "GET" or "?" in vector.url]


@pytest.mark.parametrize("vector", MESSAGES, ids=str)
def test_the_recorded_messages_signed_for_our_path_are_stored(world: World, vector: Vector) -> None:
    world.north.hotline.number = "+" + vector.params["To"]
    world.north.hotline.save()
    assert deliver(world.north, vector.params) == 200
    message = Message.objects.get()
    assert message.provider_id == vector.params["MessageUUID"]
    assert (message.text or "") == vector.params.get("Text", vector.params.get("Body", ""))
    assert message.disposition == ("stop" if vector.name == "inbound_sms_stop" else "answered")


@pytest.mark.parametrize("vector", REFUSED, ids=str)
def test_the_recorded_get_and_query_requests_are_refused(world: World, vector: Vector) -> None:
    path, query = path_of(world.north.hotline), vector.url.partition("?")[2]
    client = Client()
    if vector.request.method == "GET":
        assert client.get(f"{path}?{query}").status_code == 405
    headers = {**headers_of(path, {}, world.north.token), **headers_of(path, vector.params, world.north.token)}
    assert post(f"{path}?{query}", vector.request.body, headers) == 403
    assert post(f"{path}?{query}", vector.params, headers) == 403
    assert count() == {}


# --- W8: size ---------------------------------------------------------------------------------------------------------
def padded(world: World, size: int) -> dict[str, str]:
    fields = message_fields(world.north.hotline, "")
    fields["Text"] = "x" * (size - len(urlencode(fields)))
    assert len(urlencode(fields)) == size
    return fields


@pytest.mark.parametrize("size", [64 * 1024 - 1, 64 * 1024])
def test_up_to_64_kib_are_stored_in_full(world: World, size: int) -> None:
    fields = padded(world, size)
    assert deliver(world.north, fields) == 200
    assert Message.objects.get().text == fields["Text"]


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1_000_000, 3_000_000])
def test_more_is_refused_before_it_is_read(world: World, size: int) -> None:
    assert deliver(world.north, padded(world, size)) == 413
    assert count() == {}


def test_a_hundred_parameters_pass_and_more_do_not(world: World) -> None:
    fields = message_fields(world.north.hotline)
    fields |= {f"Extra{number}": "" for number in range(100 - len(fields))}
    assert deliver(world.north, fields) == 200
    assert deliver(world.north, {**fields, "OneMore": ""}) == 403
    assert count() == {"Conversation": 1, "Message": 1, "Reply": 1, "EndpointPin": 1}


# --- W9: whose host, whose address ------------------------------------------------------------------------------------
def test_the_signature_is_over_the_public_url_whatever_the_host_says(world: World, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver", "evil.example"]
    spoofed = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Port": "81",
        "Forwarded": "host=evil.example;proto=http",
        "X-Original-URL": "/admin/",
        "X-HTTP-Method-Override": "GET",
    }
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    headers = headers_of(path, fields, world.north.token)
    assert post(path, fields, {**headers, **spoofed}, HTTP_HOST="evil.example") == 200
    for base in ("http://evil.example", "https://evil.example", "http://testserver", "http://hotline.example.org"):
        other = signed_headers(base + path, fields, world.north.token)
        assert post(path, fields, {**other, **spoofed}, HTTP_HOST="evil.example") == 403
    assert Message.objects.count() == 1


def test_a_host_that_is_not_ours_is_refused(world: World) -> None:
    path, fields = path_of(world.north.hotline), message_fields(world.north.hotline)
    headers = headers_of(path, fields, world.north.token)
    assert post(path, fields, headers, HTTP_HOST="evil.example") == 400
    assert count() == {}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "", "192.0.2.1"),
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1,203.0.113.9,", "203.0.113.9"),
        (2, "10.0.0.1, 203.0.113.9, 198.51.100.7", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),
    ],
)
def test_only_the_entry_our_own_proxy_wrote_is_believed(
    rf: Any, settings: Any, proxies: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = rf.post("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert clients.address(request) == address


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
        ("2001:db8:1:3::", "2001:db8:1:3::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::"),
        ("nonsense", "nonsense"),
        ("", "0.0.0.0"),
    ],
)
def test_a_client_is_counted_by_what_one_subscriber_has(rf: Any, address: str, network: str) -> None:
    assert clients.network(rf.post("/", REMOTE_ADDR=address)) == network


def test_a_sender_is_stored_under_the_number_in_the_body_and_nothing_of_the_connection(world: World) -> None:
    assert deliver(world.north, message_fields(world.north.hotline)) == 200
    assert Message.objects.get().conversation.sender == f"number:+{SENDER}"  # type: ignore[union-attr]
