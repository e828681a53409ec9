"""Our verifier against Plivo's own SDK, on generated requests.

The SDK is the oracle wherever it gives an answer. It gives none, or another one than we want, in three places, each
with a test here: it does not strip blanks around the signatures of a header; it raises on a query that is not ASCII;
and of a path's last segment it signs only what stands before ";". Only the first can reach our webhook, whose paths are
ours and which refuses queries; there we are the lenient ones.
"""

from __future__ import annotations

import contextlib
import random
import re
from urllib.parse import quote, quote_plus, urlencode

from hypothesis import example, given, settings
from hypothesis import strategies as st
from plivo.utils import validate_signature, validate_v3_signature
from plivo.utils.signature_v3 import construct_get_url, construct_post_url, get_signature_v3

from providers.base import NotVerified, SignedRequest
from providers.plivo import Plivo, canonical_v3, sign_v2, sign_v3

MANY = settings(max_examples=700, deadline=None)
Params = dict[str, list[str]]

printable = st.text(st.characters(codec="utf-8"), max_size=20)
keys = st.one_of(st.sampled_from(["From", "To", "Text", "Type", "MessageUUID", "text", "é", "Ключ", ""]), printable)
values = st.one_of(st.sampled_from(["", "33639980123", "Ça va ? & = + %20", "😀", "\x00", "a.b", "\u202e"]), printable)
params = st.dictionaries(keys, st.lists(values, min_size=1, max_size=3), max_size=8)
ascii_words = st.text("abcXYZ019-_ .~&=+%", max_size=8)
queries = st.one_of(
    st.just(""),
    st.lists(st.tuples(ascii_words, ascii_words), max_size=4).map(urlencode),
)
hosts = st.sampled_from(["sms.example.org", "sms.example.org:8443", "127.0.0.1:8000", "[::1]:80", "testserver"])
paths = st.sampled_from(["", "/", "/hooks/plivo/x/message/", "/a%20b/", "/a//b", "/A/b.c"])
urls = st.builds(
    lambda scheme, host, path, query: f"{scheme}://{host}{path}{'?' + query if query else ''}",
    st.sampled_from(["http", "https"]),
    hosts,
    paths,
    queries,
)
nonces = st.text("0123456789", min_size=10, max_size=32)
tokens = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40)


def encode(given_params: Params, seed: int) -> bytes:
    """One of the many ways to write `given_params` as a form body: any order, `+` or `%20`, either case of hex."""
    chance = random.Random(seed)
    pairs = [(key, value) for key, found in given_params.items() for value in found]
    chance.shuffle(pairs)
    quoting = chance.choice([quote_plus, quote])
    body = "&".join(f"{quoting(key, safe='')}={quoting(value, safe='')}" for key, value in pairs)
    if chance.random() < 0.5:
        body = re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), body)
    return body.encode()


def ours(request: SignedRequest, credentials: dict[str, str]) -> bool:
    try:
        Plivo().verify(request, credentials)
    except NotVerified:
        return False
    return True


def v3_request(method: str, url: str, body: bytes, nonce: str, **headers: str) -> SignedRequest:
    named = {f"x-plivo-signature-{name}": value for name, value in headers.items()}
    return SignedRequest(method, url, {**named, "x-plivo-signature-v3-nonce": nonce}, body)


@MANY
@given(url=urls, given_params=params, seed=st.integers(0, 1 << 30))
@example(url="https://h/", given_params={}, seed=0)
@example(url="https://h/?a=&a=b", given_params={"a": ["", "b"], "": ["x"]}, seed=1)
def test_what_is_signed_equals_the_sdk(url: str, given_params: Params, seed: int) -> None:
    posted = SignedRequest("POST", url, {}, encode(given_params, seed))
    assert canonical_v3("POST", url, posted.form) == bytes(construct_post_url(url, dict(given_params)))
    assert canonical_v3("GET", url, ()) == bytes(construct_get_url(url, {}))


@MANY
@given(url=urls, given_params=params, nonce=nonces, token=tokens, seed=st.integers(0, 1 << 30))
def test_signing_equals_the_sdk(url: str, given_params: Params, nonce: str, token: str, seed: int) -> None:
    form = SignedRequest("POST", url, {}, encode(given_params, seed)).form
    theirs = get_signature_v3(token.encode(), construct_post_url(url, dict(given_params)).decode(), nonce).decode()
    assert sign_v3("POST", url, form, nonce, token) == theirs
    assert validate_signature(url, nonce, sign_v2(url, nonce, token), token)


@st.composite
def offers(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Credentials of up to three tokens, and header names with the tokens (or junk) that sign there."""
    named = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(["auth_token", "previous_auth_token", "main_auth_token"], tokens)
    )
    credentials = draw(named)
    signer = st.one_of(tokens, st.sampled_from([*credentials.values(), "nobody's token"]))
    signers = st.lists(signer, min_size=1, max_size=3)
    return credentials, draw(st.fixed_dictionaries({"v3": signers}, optional={"ma-v3": signers}))


@MANY
@given(url=urls, given_params=params, nonce=nonces, offer=offers(), seed=st.integers(0, 1 << 30), broken=st.booleans())
def test_v3_is_accepted_where_the_sdk_accepts_it(
    url: str,
    given_params: Params,
    nonce: str,
    offer: tuple[dict[str, str], dict[str, list[str]]],
    seed: int,
    broken: bool,
) -> None:
    """Several signatures in a header, several headers, several tokens: one pair that matches is enough."""
    credentials, signers = offer
    body = encode(given_params, seed)
    form = SignedRequest("POST", url, {}, body).form
    signed_url = url.replace("://", "://x.") if broken else url
    headers = {
        name: ",".join(sign_v3("POST", signed_url, form, nonce, token) for token in found)
        for name, found in signers.items()
    }
    expected = any(
        validate_v3_signature("POST", url, nonce, token, header, dict(given_params))
        for token in credentials.values()
        for header in headers.values()
    )
    assert expected == (not broken and any(set(found) & set(credentials.values()) for found in signers.values()))
    assert ours(v3_request("POST", url, body, nonce, **headers), credentials) == expected
    spaced = {
        name: header.replace(",", random.Random(seed).choice([", ", " ,", " , "])) for name, header in headers.items()
    }
    assert ours(v3_request("POST", url, body, nonce, **spaced), credentials) == expected


@MANY
@given(url=urls, nonce=nonces, token=tokens, other=tokens)
def test_get_and_v2_are_accepted_where_the_sdk_accepts_them(url: str, nonce: str, token: str, other: str) -> None:
    signature = sign_v3("GET", url, (), nonce, token)
    v2 = {"x-plivo-signature-v2": sign_v2(url, nonce, token), "x-plivo-signature-v2-nonce": nonce}
    for known in (token, other):
        assert ours(v3_request("GET", url, b"", nonce, v3=signature), {"auth_token": known}) == validate_v3_signature(
            "GET", url, nonce, known, signature
        )
        assert ours(SignedRequest("POST", url, v2, b"Text=x"), {"auth_token": known}) == validate_signature(
            url, nonce, v2["x-plivo-signature-v2"], known
        )


URL, NONCE = "https://sms.example.org/hook/", "12345678901234567890"


def test_the_sdk_does_not_strip_blanks_in_a_header_and_we_do() -> None:
    signature = sign_v3("POST", URL, [(b"Text", b"x")], NONCE, "token")
    assert validate_v3_signature("POST", URL, NONCE, "token", f"old,{signature}", {"Text": "x"})
    assert not validate_v3_signature("POST", URL, NONCE, "token", f"old, {signature}", {"Text": "x"})
    assert ours(v3_request("POST", URL, b"Text=x", NONCE, v3=f"old, {signature}"), {"auth_token": "token"})


def test_the_sdk_cannot_sign_a_query_that_is_not_ascii_and_we_sign_it_as_parameters() -> None:
    """Up to Python 3.12 it raises; from 3.13 on it signs another text."""
    url = f"{URL}?Text=%C3%A9&From=33639980123"
    theirs = b""
    with contextlib.suppress(UnicodeEncodeError):
        theirs = bytes(construct_get_url(url, {}))
    assert theirs != canonical_v3("GET", url, ())
    assert canonical_v3("GET", url, ()) == bytes(construct_get_url(URL, {"Text": ["é"], "From": ["33639980123"]}))


def test_the_sdk_drops_the_parameters_of_a_path_and_we_sign_them() -> None:
    assert bytes(construct_get_url("https://h/a;b", {})) == b"https://h/a"
    assert canonical_v3("GET", "https://h/a;b", ()) == b"https://h/a;b"
