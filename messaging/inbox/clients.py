"""Whose address a request comes from."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def address(request: HttpRequest) -> str:
    """The client's address. With n trusted proxies it is the n-th entry of X-Forwarded-For from the right: what stands
    further left, the client wrote himself (SECURITY.md W9).
    """
    peer = str(request.META.get("REMOTE_ADDR") or "0.0.0.0")  # noqa: S104  a unix socket has no peer address
    proxies: int = settings.TRUSTED_PROXIES
    if not proxies:
        return peer
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    return hops[-proxies] if len(hops) >= proxies else peer


def network(request: HttpRequest) -> str:
    """What one client can be counted by: an IPv4 address, or the /64 that an IPv6 subscriber has all of."""
    client = address(request)
    try:
        parsed = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(parsed, ipaddress.IPv4Address):
        return client
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False).network_address)
