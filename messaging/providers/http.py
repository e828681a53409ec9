"""One outgoing call, and what it teaches: the outcome table of SECURITY.md 2.5, once for every HTTP provider."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from django.conf import settings

from . import addresses
from .base import Knowledge, Outcome, Unavailable

#: Raised before a byte of the request was written: the provider cannot have accepted anything.
_NOT_WRITTEN = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
_ACCOUNT_REFUSED = frozenset({401, 402})
#: A `Retry-After: 0` must not become a worker that asks without end.
_SHORTEST_RETRY_AFTER, _DEFAULT_RETRY_AFTER, _LONGEST_RETRY_AFTER = 1.0, 30.0, 3600.0
#: Every answer of every provider is far shorter; what is longer is none of theirs.
_LONGEST_ANSWER = 64 * 1024


@functools.cache
def client() -> httpx.Client:
    """One pool per process. It follows no redirect: a redirected POST would be sent twice."""
    return httpx.Client(
        timeout=settings.PROVIDER_TIMEOUT,
        follow_redirects=False,
        limits=httpx.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=20),
    )


@functools.cache
def guarded() -> httpx.Client:
    """For addresses that people entered. Without proxies, which would look names up for us, and without kept
    connections: one to an address is not one to every name that has it.
    """
    return httpx.Client(
        timeout=settings.PROVIDER_TIMEOUT,
        follow_redirects=False,
        trust_env=False,
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=0),
    )


def _stream(method: str, url: str, *, entered: bool, headers: Mapping[str, str] | None = None, **said: Any) -> Any:
    """The context of one call. Raises `addresses.Refused`."""
    accept = {"Accept": "application/json", **(headers or {})}
    if not entered:
        return client().stream(method, url, headers=accept, **said)
    target = addresses.resolve(url, vouched=addresses.is_vouched_for(url))
    named = {"Host": target.netloc, **accept}
    return guarded().stream(method, target.url, headers=named, extensions={"sni_hostname": target.host}, **said)


@dataclass(frozen=True)
class Answer:
    """What came back from one call. `body` is b"" where it broke off or was too long."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> object:
        """None where it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def _as_ever(_answer: Answer) -> Outcome | None:
    return None


def post(
    url: str,
    *,
    accepted_id: Callable[[object], str | None],
    judge: Callable[[Answer], Outcome | None] = _as_ever,
    entered: bool = False,
    **said: Any,
) -> Outcome:
    """POST once; `said` is what httpx takes: `json` or `data`, `auth`, `headers`. `entered`: by a person.

    `accepted_id` reads the provider's id from the JSON of a 2xx answer (see `Plivo._accepted_id`). `judge` is asked
    first: it knows what a provider says in words of its own, and has None where the answer's status says it.
    """
    try:
        with _stream("POST", url, entered=entered, **said) as response:
            body = _read(response)
    except addresses.UnknownHost:
        return Outcome(Knowledge.REFUSED_FOR_NOW, detail="unknown host")
    except addresses.Refused:
        return Outcome(Knowledge.ACCOUNT_REFUSED, detail="refused address")
    except _NOT_WRITTEN as error:
        return Outcome(Knowledge.REFUSED_FOR_NOW, detail=type(error).__name__)
    except (httpx.InvalidURL, UnicodeError) as error:  # raised while the request is built
        return Outcome(Knowledge.REFUSED, detail=type(error).__name__)
    except httpx.HTTPError as error:
        return Outcome(Knowledge.UNKNOWN, detail=type(error).__name__)
    answer = Answer(response.status_code, response.headers, body)
    return judge(answer) or classify(answer, accepted_id)


def get_json(
    url: str, parameters: Mapping[str, str], *, auth: tuple[str, str] | None = None, entered: bool = False, **said: Any
) -> object:
    """GET once; the JSON of a 200. Raises `Unavailable` for everything else, with what a 429 asks for."""
    status, body = _ask("GET", url, entered=entered, params=parameters, auth=auth, **said)
    if status != 200:
        raise Unavailable(str(status))
    try:
        return json.loads(body)
    except ValueError as error:
        raise Unavailable("200 unreadable") from error


def change(url: str, *, entered: bool = False, **said: Any) -> None:
    """POST what may be said twice. Raises `Unavailable` for everything but a 2xx, with what a 429 asks for."""
    status, _body = _ask("POST", url, entered=entered, **said)
    if not 200 <= status < 300:
        raise Unavailable(str(status))


def _ask(method: str, url: str, **said: Any) -> tuple[int, bytes]:
    try:
        with _stream(method, url, **said) as response:
            body = _read(response)
    except addresses.Refused as error:
        raise Unavailable("refused address") from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise Unavailable(type(error).__name__) from error
    if response.status_code == 429:
        raise Unavailable("429", retry_after(response.headers))
    return response.status_code, body


def _read(response: httpx.Response) -> bytes:
    """The answer's body, or b"" for one that breaks off, is too long, or drips for longer than two time-outs: the
    status has come already, and says what it says. httpx limits each read and not their sum; a call must end well
    before its claim's lease does.
    """
    until = time.monotonic() + 2 * settings.PROVIDER_TIMEOUT
    body = b""
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _LONGEST_ANSWER or time.monotonic() > until:
                return b""
    except httpx.HTTPError:
        return b""
    return body


def classify(answer: Answer, accepted_id: Callable[[object], str | None]) -> Outcome:
    """What an answer teaches by its status. Pure."""
    status, detail = answer.status, str(answer.status)
    if 200 <= status < 300:
        provider_id = accepted_id(answer.json)
        if provider_id is None or len(provider_id) > 128:
            return Outcome(Knowledge.UNKNOWN, detail=f"{status} unreadable")
        if not provider_id:
            return Outcome(Knowledge.REFUSED, detail=f"{status} destination refused")
        return Outcome(Knowledge.ACCEPTED, provider_id=provider_id, detail=detail)
    if status in _ACCOUNT_REFUSED:
        return Outcome(Knowledge.ACCOUNT_REFUSED, detail=detail)
    if status == 429:
        return Outcome(Knowledge.REFUSED_FOR_NOW, detail=detail, retry_after=retry_after(answer.headers))
    if status == 408:
        return Outcome(Knowledge.UNKNOWN, detail=detail)
    if 300 <= status < 500:
        return Outcome(Knowledge.REFUSED, detail=detail)
    return Outcome(Knowledge.UNKNOWN, detail=detail)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait. RFC 9110 10.2.3 also allows a date; no SMS provider was seen to send one."""
    value = headers.get("retry-after", "").strip()
    if not (value.isascii() and value.isdigit()):
        return _DEFAULT_RETRY_AFTER
    return min(max(float(value), _SHORTEST_RETRY_AFTER), _LONGEST_RETRY_AFTER)
