"""Plivo's signatures: every recorded request verifies, no altered one does (SECURITY.md W1 to W4)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from tests.providers.plivo_vectors import Vector, load_all

from providers.base import NotVerified, SignedRequest, Unusable
from providers.plivo import Plivo, sign_v2, sign_v3

VECTORS = load_all()
SIGNED_V3 = [vector for vector in VECTORS if "x-plivo-signature-v3" in vector.request.headers]
SIGNED_V2 = [vector for vector in VECTORS if "x-plivo-signature-v2" in vector.request.headers]
POSTED_V3 = [vector for vector in SIGNED_V3 if vector.request.method == "POST"]
V3_NAMES = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3", "x-plivo-signature-v3-nonce")


def verify(request: SignedRequest, **credentials: str) -> str | None:
    """The scheme that matched, or None."""
    try:
        return Plivo().verify(request, credentials).scheme
    except NotVerified:
        return None


def with_headers(request: SignedRequest, headers: Mapping[str, str]) -> SignedRequest:
    return dataclasses.replace(request, headers=headers)


def only_v2(vector: Vector) -> SignedRequest:
    headers = {name: value for name, value in vector.request.headers.items() if name not in V3_NAMES}
    return with_headers(vector.request, headers)


def altered(text: str) -> Iterator[str]:
    """Every text that differs from `text` in one character, or lacks one, or has one more at its end."""
    for index, char in enumerate(text):
        yield text[:index] + chr(ord(char) ^ 1) + text[index + 1 :]
        yield text[:index] + text[index + 1 :]
    yield text + "0"


def test_the_vectors_cover_what_they_should() -> None:
    assert len(VECTORS) == 17
    assert {vector.request.method for vector in VECTORS} == {"GET", "POST"}
    assert [vector.name for vector in VECTORS if vector not in SIGNED_V3] == ["inbound_sms_post_v2only"]
    assert [v.name for v in SIGNED_V3 if "," in v.request.headers["x-plivo-signature-v3"]] == ["inbound_sms_two_tokens"]
    assert [v.name for v in POSTED_V3 if urlsplit(v.url).query] == ["inbound_sms_with_url_query"]


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_every_vector_says_what_stands_beside_it(vector: Vector) -> None:
    query = dict(parse_qsl(urlsplit(vector.url).query, keep_blank_values=True))
    form = {key.decode(): value.decode() for key, value in vector.request.form}
    assert (query if vector.request.method == "GET" else form) == vector.params


@pytest.mark.parametrize("vector", SIGNED_V3, ids=str)
def test_every_vector_verifies_with_either_token(vector: Vector) -> None:
    assert verify(vector.request, auth_token=vector.token) == "v3"
    assert verify(vector.request, auth_token=vector.main_token) == "v3"
    assert verify(vector.request, auth_token="new", previous_auth_token=vector.token) == "v3"
    assert verify(vector.request, auth_token="subaccount", main_auth_token=vector.main_token) == "v3"
    assert verify(vector.request, auth_token="another-account") is None


@pytest.mark.parametrize("vector", SIGNED_V2, ids=str)
def test_every_vector_verifies_by_v2_where_v3_is_absent(vector: Vector) -> None:
    assert verify(only_v2(vector), auth_token=vector.token) == "v2"
    assert verify(only_v2(vector), auth_token="new", previous_auth_token=vector.token) == "v2"
    assert verify(only_v2(vector), auth_token="subaccount", main_auth_token=vector.main_token) == "v2"
    assert verify(only_v2(vector), auth_token="another-account") is None


@pytest.mark.parametrize("vector", SIGNED_V3, ids=str)
def test_a_request_without_secret_or_signature_is_refused(vector: Vector) -> None:
    request, token = vector.request, vector.token
    assert verify(request) is None
    assert verify(request, auth_token="") is None
    bare = {name: value for name, value in request.headers.items() if "plivo" not in name}
    assert verify(with_headers(request, bare), auth_token=token) is None
    for empty in ("", " ", ",", ",,,"):
        headers = {**bare, "x-plivo-signature-v3": empty, "x-plivo-signature-v3-nonce": "12345678901234567890"}
        assert verify(with_headers(request, headers), auth_token=token) is None


@pytest.mark.parametrize("vector", POSTED_V3, ids=str)
def test_no_altered_body_verifies(vector: Vector) -> None:
    """But for a lost "=": V3 joins names and values without a mark between them, so only reading can tell (W4)."""
    body, original = vector.request.body, sorted(vector.request.form)
    changed = [body[:index] + bytes([body[index] ^ 1]) + body[index + 1 :] for index in range(len(body))]
    changed += [body[:index] + body[index + 1 :] for index in range(len(body))]
    resplit = [other for index, other in enumerate(changed[len(body) :]) if body[index : index + 1] == b"="]
    requests = [dataclasses.replace(vector.request, body=other) for other in changed]
    different = [request for request in requests if sorted(request.form) != original]
    assert len(different) > 1.9 * len(body)
    verified = {request.body for request in different if verify(request, auth_token=vector.token)}
    assert verified
    assert verified - set(resplit) == set()


RESPLIT = [
    b"From=33639980123&MessageUUID=u1&TextsalutTo33937000001",
    b"From=33639980123&MessageUUID=u1&Text=salutTo33937000001",
    b"From=33639980123&MessageUUID=u1&Text=&salutTo33937000001=",
]


@pytest.mark.parametrize("body", RESPLIT)
def test_the_same_signature_with_other_borders_is_no_message(body: bytes) -> None:
    url, nonce, token = "https://sms.example.org/hook/", "1" * 20, "token"
    honest = SignedRequest("POST", url, {}, b"From=33639980123&MessageUUID=u1&Text=salut&To=33937000001")
    signature = sign_v3("POST", url, honest.form, nonce, token)
    headers = {"x-plivo-signature-v3": signature, "x-plivo-signature-v3-nonce": nonce}
    assert Plivo().parse_message(honest).text == "salut"
    resplit = SignedRequest("POST", url, headers, body)
    assert verify(resplit, auth_token=token) == "v3"
    with pytest.raises(Unusable):
        Plivo().parse_message(resplit)


@pytest.mark.parametrize("vector", POSTED_V3, ids=str)
def test_no_altered_parameter_verifies(vector: Vector) -> None:
    def refused(pairs: list[tuple[str, str]]) -> bool:
        request = dataclasses.replace(vector.request, body=urlencode(pairs).encode())
        return verify(request, auth_token=vector.token, main_auth_token=vector.main_token) is None

    pairs = list(vector.params.items())
    assert not refused(pairs)
    assert not refused(pairs[::-1])
    for index, (key, value) in enumerate(pairs):
        others = [*pairs[:index], *pairs[index + 1 :]]
        assert refused(others)
        assert refused([*pairs, (key, value)])
        for other in altered(value):
            assert refused([*others, (key, other)])
        for other in altered(key):
            assert refused([*others, (other, value)])
    assert refused([*pairs, ("Extra", "")])
    assert refused([*pairs, ("", "x")])


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_no_altered_url_verifies(vector: Vector) -> None:
    parts = urlsplit(vector.url)
    path = parts.path
    urls = [vector.url.replace("https:", "http:"), vector.url.replace(parts.netloc, f"{parts.netloc}:443")]
    urls += [vector.url.replace(path, other) for other in altered(path) if "?" not in other and "#" not in other]
    urls += [vector.url.replace(parts.netloc, other) for other in ("SMS.example.org", "sms.example.com", "x@" * 2)]
    for url in urls:
        request = dataclasses.replace(vector.request, url=url)
        assert verify(request, auth_token=vector.token, main_auth_token=vector.main_token) is None, url


@pytest.mark.parametrize("vector", SIGNED_V3, ids=str)
def test_v3_covers_the_query(vector: Vector) -> None:
    separator = "&" if urlsplit(vector.url).query else "?"
    for query in ("Text=x", "a=", "From=33639980123"):
        request = dataclasses.replace(vector.request, url=f"{vector.url}{separator}{query}")
        assert verify(request, auth_token=vector.token) is None


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_no_altered_header_or_token_verifies(vector: Vector) -> None:
    request = vector.request
    family = "v3" if vector in SIGNED_V3 else "v2"
    names = [f"x-plivo-signature-{family}", f"x-plivo-signature-{family}-nonce"]
    for name in names:
        for value in altered(request.headers[name].rpartition(",")[2]):
            headers = {**request.headers, name: value}
            headers.pop(f"x-plivo-signature-ma-{family}")
            assert verify(with_headers(request, headers), auth_token=vector.token) is None, (name, value)
    for token in altered(vector.token):
        assert verify(request, auth_token=token) is None


@pytest.mark.parametrize("vector", SIGNED_V3, ids=str)
def test_a_v3_header_that_does_not_match_is_never_saved_by_v2(vector: Vector) -> None:
    """Whoever saw one V2 pair could sign any body with it (PROVIDERS.md 1.1)."""
    good_v2 = {
        "x-plivo-signature-v2": sign_v2(vector.url, "1" * 20, vector.token),
        "x-plivo-signature-v2-nonce": "1" * 20,
    }
    assert verify(with_headers(vector.request, good_v2), auth_token=vector.token) == "v2"
    for name in V3_NAMES:
        for value in ("", "x", "12345678901234567890"):
            headers = {**good_v2, name: value}
            assert verify(with_headers(vector.request, headers), auth_token=vector.token) is None


def test_v3_does_not_cover_the_method_where_nothing_is_posted() -> None:
    """Plivo's own rule; the webhook refuses every other method and every query for that reason."""
    for vector in SIGNED_V3:
        other = "GET" if vector.request.method == "POST" else "POST"
        swapped = dataclasses.replace(vector.request, method=other)
        expected = None if vector.request.body else "v3"
        assert verify(swapped, auth_token=vector.token) == expected


@pytest.mark.parametrize(
    "nonce", ["", "1234567", "x" * 65, "123456789.123", "12345678 ", "１２３４５６７８９０", "a\n" * 8]
)
def test_a_nonce_that_could_move_a_border_is_refused(nonce: str) -> None:
    url, pairs = "https://sms.example.org/hook/", [(b"Text", b"x")]
    v3 = {
        "x-plivo-signature-v3": sign_v3("POST", url, pairs, nonce, "token"),
        "x-plivo-signature-v3-nonce": nonce,
    }
    assert verify(SignedRequest("POST", url, v3, b"Text=x"), auth_token="token") is None
    v2 = {"x-plivo-signature-v2": sign_v2(url, nonce, "token"), "x-plivo-signature-v2-nonce": nonce}
    assert verify(SignedRequest("POST", url, v2, b"Text=x"), auth_token="token") is None


def test_too_many_parameters_are_refused_before_they_are_signed() -> None:
    url, nonce = "https://sms.example.org/hook/", "1" * 20
    for count, scheme in ((100, "v3"), (101, None)):
        pairs = [(f"k{index}".encode(), b"v") for index in range(count)]
        headers = {
            "x-plivo-signature-v3": sign_v3("POST", url, pairs, nonce, "token"),
            "x-plivo-signature-v3-nonce": nonce,
        }
        body = urlencode([(key.decode(), value.decode()) for key, value in pairs]).encode()
        assert verify(SignedRequest("POST", url, headers, body), auth_token="token") == scheme
