"""Vonage, Messages API: JSON webhooks with a signed token in their `Authorization`, replies by `POST /v1/messages`.

Sources: developer.vonage.com (messages API; webhooks: decoding signed webhooks) and `vonage-jwt` 1.1, which the tests
use as oracle. That library does not look at the hash of the body, by which alone the body is proven: we do.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import jwt
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from . import http
from .base import (
    Acknowledgement,
    CredentialField,
    Credentials,
    Delivery,
    DeliveryReport,
    InboundMessage,
    NotVerified,
    Outcome,
    OutgoingReply,
    SignedRequest,
    Unusable,
    Verification,
)
from .parsing import bounded_decimal, bounded_int, parse_json
from .plain import Plain

#: Seconds by which a token may be old, or of the future.
TOLERANCE = 300
_EXPIRES = 3600
_BEARER = "bearer "

API_KEY = CredentialField("api_key", _("API key"), secret=False, pattern=r"[0-9A-Za-z]{6,40}")
API_SECRET = CredentialField("api_secret", _("API secret"))
PREVIOUS_SECRET = CredentialField(
    "previous_signature_secret",
    _("previous signature secret"),
    required=False,
    help_text=_("Accepted as well while you change the secret; empty it afterwards."),
)

STATUSES = {
    "submitted": Delivery.QUEUED,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.DELIVERED,
    "undeliverable": Delivery.UNDELIVERED,
    "rejected": Delivery.FAILED,
}


class Vonage(Plain):
    """One application, whose inbound address is the hotline's. The account's API setting must be "Messages API"."""

    name: ClassVar = "vonage"
    label: ClassVar[Any] = "Vonage"
    content_type: ClassVar = "application/json"
    schemes: ClassVar = ("jwt",)
    signature_headers: ClassVar = ("authorization",)
    acknowledgement: ClassVar = Acknowledgement("application/json", b"{}")
    credential_fields: ClassVar = (
        API_KEY,
        API_SECRET,
        CredentialField(
            "signature_secret",
            _("signature secret"),
            help_text=_("In the dashboard: API settings, Signed webhooks. Webhooks are signed with it."),
        ),
        PREVIOUS_SECRET,
    )

    def verify(self, request: SignedRequest, credentials: Credentials) -> Verification:
        """A token by HS256, and nothing else, of this account and the last five minutes, that has the body's hash."""
        names = ("signature_secret", "previous_signature_secret")
        secrets = [secret for name in names if (secret := credentials.get(name, ""))]
        said = request.headers.get("authorization", "")
        if not secrets or said[: len(_BEARER)].lower() != _BEARER:
            raise NotVerified("no token, or no secret for it")
        found = [claims for secret in secrets if (claims := _claims(said[len(_BEARER) :].strip(), secret)) is not None]
        if not found:
            raise NotVerified("the token is not signed by this account")
        claims = found[0]
        issued, digest = claims.get("iat"), str(claims.get("payload_hash", ""))
        if not isinstance(issued, int) or abs(time.time() - issued) > TOLERANCE:
            raise NotVerified("the token is of another time")
        if claims.get("api_key", "") != credentials.get("api_key", ""):
            raise NotVerified("the token is of another account")
        if not hmac.compare_digest(hashlib.sha256(request.body).hexdigest().encode(), digest.lower().encode()):
            raise NotVerified("the body is not the one that was signed")
        name = claims.get("jti")
        return Verification("jwt", name if isinstance(name, str) and name else None)

    def parse_message(self, request: SignedRequest) -> InboundMessage:
        """An SMS with `message_uuid`, `from`, `to` and `text`; Vonage joins the parts of a long one."""
        found = parse_json(request.body)
        name = found.get("message_uuid")
        if not isinstance(name, str) or not name:
            raise Unusable("without message_uuid")
        if found.get("channel") != "sms" or found.get("message_type") != "text" or "status" in found:
            raise Unusable("no text message by SMS", name)
        texts = [found.get(key) for key in ("from", "to", "text")]
        if not all(isinstance(one, str) for one in texts):
            raise Unusable("without from, to or text", name)
        return InboundMessage(
            id=name,
            sender=str(texts[0]),
            recipient=str(texts[1]),
            text=str(texts[2]),
            received_at=timezone.now(),
            units=bounded_int(str(_of(found, "sms").get("num_messages", "")), 1) or 1,
            cost=bounded_decimal(str(_of(found, "usage").get("price", ""))),
        )

    def parse_report(self, request: SignedRequest) -> DeliveryReport:
        found = parse_json(request.body)
        name, error = found.get("message_uuid"), _of(found, "error")
        if not isinstance(name, str) or not name:
            raise Unusable("without message_uuid")
        return DeliveryReport(
            id=name,
            status=STATUSES.get(str(found.get("status", "")).casefold()),
            sequence=0,
            error_code=str(error.get("title") or "")[:16],
            cost=bounded_decimal(str(_of(found, "usage").get("price", ""))),
        )

    def send(self, reply: OutgoingReply, credentials: Credentials) -> Outcome:
        """One POST. 202 with a `message_uuid` is acceptance."""
        return http.post(
            f"{settings.VONAGE_API_URL}/v1/messages",
            json={
                "message_type": "text",
                "channel": "sms",
                "from": reply.source,
                "to": reply.recipient,
                "text": reply.text,
                "client_ref": str(reply.uuid),
                "ttl": _EXPIRES,
                "webhook_url": reply.report_url,
                "webhook_version": "v1",
            },
            auth=(credentials.get("api_key", ""), credentials.get("api_secret", "")),
            accepted_id=_taken,
        )


def _claims(token: str, secret: str) -> Mapping[str, Any] | None:
    """What a token says that `secret` signed; its time is judged by us, in both directions."""
    options: Any = {"verify_iat": False, "verify_exp": True, "verify_aud": False, "require": ["iat"]}
    try:
        found: Mapping[str, Any] = jwt.decode(token, secret, algorithms=["HS256"], options=options)
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    return found


def _of(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = found.get(name)
    return inner if isinstance(inner, dict) else {}


def _taken(answer: object) -> str | None:
    name = answer.get("message_uuid") if isinstance(answer, dict) else None
    return name if isinstance(name, str) and name else None
