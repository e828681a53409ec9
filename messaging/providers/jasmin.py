"""Jasmin, a gateway to operators that speak SMPP: forms both ways, and no signature at all.

Sources: docs.jasminsms.com (HTTP API) and github.com/jookies/jasmin (routing/throwers.py, protocols/http/endpoints).
What proves a request is the token in its path, which nobody else knows, and the address that it comes from: Jasmin
belongs into a private network.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from . import gsm, http
from .base import (
    Acknowledgement,
    CredentialField,
    Credentials,
    Delivery,
    DeliveryReport,
    InboundMessage,
    Knowledge,
    NotVerified,
    Outcome,
    OutgoingReply,
    SignedRequest,
    Unusable,
    Verification,
)
from .parsing import clean_text, single_fields
from .plain import Plain

#: SMPP 3.4, 5.2.19, and GSM 03.38, 4: what the data coding says of the alphabet. Classes and "flash" change nothing.
_ALPHABETS = {
    0: gsm.CODEC,
    1: "ascii",
    3: "latin-1",
    8: "utf-16-be",
    **dict.fromkeys((*range(16, 20), *range(240, 244)), gsm.CODEC),
}
_ALPHABETS |= dict.fromkeys(range(24, 28), "utf-16-be")
#: Minutes after which the operator gives a reply up.
_VALID_FOR = "60"
_SUCCESS = re.compile(rb'Success "([0-9A-Za-z-]{1,64})"')

STATUSES = {
    "ACCEPTD": Delivery.SENT,
    "ENROUTE": Delivery.SENT,
    "DELIVRD": Delivery.DELIVERED,
    "UNDELIV": Delivery.UNDELIVERED,
    "EXPIRED": Delivery.UNDELIVERED,
    "DELETED": Delivery.UNDELIVERED,
    "REJECTD": Delivery.FAILED,
    # Level 1: what the operator's server answered.
    "ESME_ROK": Delivery.SENT,
}


class Jasmin(Plain):
    """One user of a Jasmin server, whose route for our number is an HTTP connector to the hotline's address."""

    name: ClassVar = "jasmin"
    label: ClassVar[Any] = _("Jasmin (SMPP)")
    content_type: ClassVar = "application/x-www-form-urlencoded"
    schemes: ClassVar = ("address",)
    signature_headers: ClassVar[tuple[str, ...]] = ()
    #: Anything else, and Jasmin sends it again.
    acknowledgement: ClassVar = Acknowledgement("text/plain", b"ACK/Jasmin")
    credential_fields: ClassVar = (
        CredentialField(
            "base_url",
            _("address of the gateway"),
            secret=False,
            help_text=_("Such as http://10.0.0.5:1401; the operator of this installation must have named it."),
        ),
        CredentialField("username", _("user name"), secret=False),
        CredentialField("password", _("password")),
        CredentialField(
            "addresses",
            _("addresses that it calls from"),
            secret=False,
            pattern=r"[0-9A-Fa-f.:/]+( *, *[0-9A-Fa-f.:/]+)*",
            help_text=_("IP addresses or networks, separated by commas. Messages from elsewhere are refused."),
        ),
    )

    def verify(self, request: SignedRequest, credentials: Credentials) -> Verification:
        """The address that it comes from; the token was found already."""
        if not _is_among(request.client, credentials.get("addresses", "")):
            raise NotVerified("from another address")
        return Verification("address")

    def parse_message(self, request: SignedRequest) -> InboundMessage:
        """`id`, `from`, `to`, and `binary` in the alphabet of `coding`: `content` is the same bytes, called text."""
        found = single_fields(request.form, "id")
        name = found.get("id", "")
        missing = [key for key in ("id", "from", "to", "binary") if key not in found]
        if missing or not name:
            raise Unusable(f"without {', '.join(missing) or 'id'}", name)
        coding = found.get("coding", "0") or "0"
        alphabet = _ALPHABETS.get(int(coding)) if coding.isascii() and coding.isdigit() and len(coding) < 4 else None
        if alphabet is None:
            raise Unusable("in an alphabet that is no text", name)
        try:
            raw = bytes.fromhex(found["binary"])
        except ValueError as error:
            raise Unusable("binary is not hexadecimal", name) from error
        return InboundMessage(
            id=name,
            sender=found["from"],
            recipient=found["to"],
            text=clean_text(raw.decode(alphabet, "replace").encode("utf-8", "replace")),
            received_at=timezone.now(),
        )

    def parse_report(self, request: SignedRequest) -> DeliveryReport:
        found = single_fields(request.form, "id")
        if not found.get("id"):
            raise Unusable("without id")
        word, error = found.get("message_status", ""), found.get("err", "")
        status = Delivery.FAILED if word.startswith("ESME_") and word not in STATUSES else STATUSES.get(word)
        failed = status in {Delivery.FAILED, Delivery.UNDELIVERED}
        return DeliveryReport(
            id=found["id"],
            status=status,
            sequence=0,
            error_code=(error or word)[:16] if failed else "",
        )

    def send(self, reply: OutgoingReply, credentials: Credentials) -> Outcome:
        """One POST. Jasmin takes no id of ours, so nothing in doubt is asked twice."""
        return http.post(
            f"{credentials.get('base_url', '').rstrip('/')}/send",
            entered=True,
            data={
                "username": credentials.get("username", ""),
                "password": credentials.get("password", ""),
                "from": reply.source,
                "to": reply.recipient,
                **_written(reply.text),
                "dlr": "yes",
                "dlr-url": reply.report_url,
                "dlr-level": "3",
                "dlr-method": "POST",
                "validity-period": _VALID_FOR,
            },
            judge=_judged,
            accepted_id=lambda _answer: None,
        )


def _is_among(client: str, addresses: str) -> bool:
    """An IPv4 address that came in an IPv6 one is itself."""
    try:
        found = ipaddress.ip_address(client.partition("%")[0])
        networks = [ipaddress.ip_network(one.strip(), strict=False) for one in addresses.split(",") if one.strip()]
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return any(address in network for network in networks for address in (found, mapped) if address is not None)


def _written(text: str) -> dict[str, str]:
    """In GSM 03.38 where it has all the characters, otherwise in UTF-16."""
    septets = gsm.encoded(text)
    if septets is not None:
        return {"coding": "0", "hex-content": septets.hex()}
    return {"coding": "8", "hex-content": text.encode("utf-16-be").hex()}


def _judged(answer: http.Answer) -> Outcome | None:
    """Jasmin answers in words. 403 says that it knows the user not, or that his credit is used up."""
    if answer.status == 200:
        found = _SUCCESS.search(answer.body)
        return Outcome(Knowledge.ACCEPTED, provider_id=found[1].decode(), detail="200") if found else None
    return Outcome(Knowledge.ACCOUNT_REFUSED, detail="403") if answer.status == 403 else None
