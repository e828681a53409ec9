"""Where addresses that people enter may lead: to the open internet, over TLS, and to nothing of ours (OWASP API7).

An address is looked up once and connected to as it was found, so that a name cannot point elsewhere a moment later.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

#: What carries an IPv4 address within an IPv6 one: what counts is the one within (RFC 6052, 3056, 4380).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: What Python's own tables, which differ by version, take for open in part, and what is not (RFC 6890, 8215).
_CLOSED = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "100.64.0.0/10", "198.18.0.0/15", "64:ff9b:1::/48", "fec0::/10"))
)


class Refused(Exception):
    """The address is not one that we call; the text says why, to whoever entered it."""


class UnknownHost(Refused):
    """No name server knows it, now."""


@dataclass(frozen=True)
class Target:
    """`url` has the address in place of the name; `host` is the name, for TLS and the Host header."""

    url: str
    host: str
    netloc: str


def is_vouched_for(url: str) -> bool:
    """Whether the operator has named this address, or what it begins with, as a gateway of his own (`GATEWAYS`)."""
    return any(url == one or url.startswith(one.rstrip("/") + "/") for one in settings.GATEWAYS)


def check(url: str, *, vouched: bool = False) -> tuple[str, int]:
    """The host and port of a well-formed address. Raises `Refused`; asks no name server.

    One that is `vouched` for may do without TLS.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Refused(_("This is no address.")) from error
    schemes = ("https", "http") if vouched or settings.WEBHOOKS_MAY_STAY_HERE else ("https",)
    if parts.scheme not in schemes:
        raise Refused(_("The address must begin with https://."))
    if not host or parts.username is not None or parts.password is not None or parts.fragment:
        raise Refused(_("The address must be a host and a path, without a user name and without #."))
    if not url.isascii() or any(char.isspace() or ord(char) < 33 or char == "\\" for char in url):
        raise Refused(_("The address must be written in plain letters, digits and signs."))
    if "%" in host or host.endswith("."):
        raise Refused(_("The address must be a host and a path, without a user name and without #."))
    return host, port or (443 if parts.scheme == "https" else 80)


def resolve(url: str, *, vouched: bool = False) -> Target:
    """Look its host up, once, and refuse it where any of its addresses is not of the open internet.

    Raises `Refused`. One of several that is private is enough: the next look-up may give that one alone. One that is
    `vouched` for may be anywhere.
    """
    host, port = check(url, vouched=vouched)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnknownHost(_("The host of this address is not known.")) from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not addresses or not (vouched or all(_is_open(address) for address in addresses)):
        raise Refused(_("The address leads into a private network."))
    first = addresses[0]
    literal = f"[{first}]" if first.version == 6 else str(first)
    parts = urlsplit(url)
    return Target(parts._replace(netloc=f"{literal}:{port}").geturl(), host, parts.netloc)


def _is_open(address: IpAddress) -> bool:
    if settings.WEBHOOKS_MAY_STAY_HERE:
        return True
    if any(address in network for network in _CLOSED):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_open(inner)
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
