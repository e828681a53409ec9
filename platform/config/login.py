"""Limits on signing in (SECURITY.md W10): five tries in five minutes for a name, ten a minute for an address.

A try is counted before the password is looked at, in one atomic step, so that many requests at once are not evaluated
more often than one after the other. A sign-in that succeeds gives its name's try back, never its address's.

The counters live in the `limits` cache. Webhooks go on when it is down; signing in does not: nobody could be kept from
trying a million passwords. In the embedded default the cache is this process's own memory, which is right for one
process and the reason why several need Redis.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_ratelimit.core import get_usage

from inbox import clients

_ADDRESS = "login.address"
_NAME = "login.name"
_SUCCESS = "login.success"


@dataclass(frozen=True)
class Refusal:
    """Why a try is not evaluated. `seconds` until it is worth trying again; None when the counters do not answer."""

    seconds: int | None


def refusal(request: HttpRequest) -> Refusal | None:
    """Count this try and say whether it may be evaluated.

    The address comes first: whoever is stopped there cannot use up the tries of somebody else's name.
    """
    if request.method != "POST":
        return None
    by_address = get_usage(request, group=_ADDRESS, key=_address, rate=settings.LOGIN_RATE_BY_ADDRESS, increment=True)
    if by_address is None:
        return Refusal(None)
    if by_address["should_limit"]:
        return Refusal(by_address["time_left"])
    rate = settings.LOGIN_RATE_BY_NAME
    by_name = get_usage(request, group=_NAME, key=_name, rate=rate, increment=True)
    successes = get_usage(request, group=_SUCCESS, key=_name, rate=rate, increment=False)
    if by_name is None or successes is None:
        return Refusal(None)
    if by_name["count"] - successes["count"] > by_name["limit"]:
        return Refusal(by_name["time_left"])
    return None


def give_back(request: HttpRequest) -> None:
    """A sign-in succeeded: its name may be tried once more in this window."""
    get_usage(request, group=_SUCCESS, key=_name, rate=settings.LOGIN_RATE_BY_NAME, increment=True)


def refuse(request: HttpRequest, refused: Refusal, context: dict[str, Any]) -> HttpResponse:
    """A page that says when to try again; the same for names that exist and names that do not."""
    if refused.seconds is None:
        return render(request, "paravent/login_unavailable.html", context, status=503)
    seconds = max(1, refused.seconds)
    context = {**context, "minutes": -(-seconds // 60)}
    response = render(request, "paravent/login_refused.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def _name(_group: str, request: HttpRequest) -> str:
    return unicodedata.normalize("NFKC", request.POST.get("username", "")).strip().casefold()[:254]


def _address(_group: str, request: HttpRequest) -> str:
    """The client's address; for IPv6 its /64, because one line has them all."""
    written = clients.address(request)
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        return written
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return written
