"""Any gateway that somebody builds: JSON both ways, signed by the Standard Webhooks specification.

https://www.standardwebhooks.com. docs/providers/standard.md is the whole protocol, with a gateway that runs.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from . import http
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
    SignOfLife,
    Unusable,
    Verification,
)
from .parsing import bounded_decimal, bounded_int, parse_json
from .plain import Plain

STATUSES = {status.value: status for status in Delivery}
_PATTERN = r"whsec_[A-Za-z0-9+/]{32,128}={0,2}"


class Standard(Plain):
    """One gateway for each account: a modem, another platform, a script."""

    name: ClassVar = "standard"
    label: ClassVar[Any] = _("Gateway of your own (Standard Webhooks)")
    content_type: ClassVar = "application/json"
    schemes: ClassVar = ("v1",)
    signature_headers: ClassVar = ("webhook-id", "webhook-timestamp", "webhook-signature")
    acknowledgement: ClassVar = Acknowledgement("application/json", b"{}")
    credential_fields: ClassVar = (
        CredentialField(
            "secret",
            _("secret of the gateway's webhooks"),
            pattern=_PATTERN,
            help_text=_("It begins with whsec_. The gateway signs with it what it sends to us."),
        ),
        CredentialField(
            "previous_secret",
            _("previous secret"),
            required=False,
            pattern=_PATTERN,
            help_text=_("Accepted as well while you change the secret; empty it afterwards."),
        ),
        CredentialField(
            "send_url",
            _("address for replies"),
            secret=False,
            help_text=_("Where the gateway takes a reply to send."),
        ),
        CredentialField(
            "send_secret",
            _("secret for replies"),
            pattern=_PATTERN,
            help_text=_("It begins with whsec_. We sign with it what we send to the gateway."),
        ),
    )

    def verify(self, request: SignedRequest, credentials: Credentials) -> Verification:
        """By the specification's own library, against each secret; five minutes either way."""
        secrets = [found for name in ("secret", "previous_secret") if (found := credentials.get(name, ""))]
        headers = {name: request.headers.get(name, "") for name in self.signature_headers}
        if not secrets or not all(headers.values()):
            raise NotVerified("no signature, or no secret for it")
        matches = [_is_signed(secret, request.body, headers) for secret in secrets]
        if not any(matches):
            raise NotVerified("signature does not match, or is too old")
        return Verification("v1", headers["webhook-id"])

    def parse_message(self, request: SignedRequest) -> InboundMessage | DeliveryReport | SignOfLife:
        """Every event comes here. Raises `Unusable` for one of an unknown type."""
        found = parse_json(request.body)
        data, kind = found.get("data"), found.get("type")
        if not isinstance(data, dict):
            raise Unusable("without data")
        if kind == "sms.received":
            return _message(data)
        if kind == "sms.report":
            return _report(data)
        if kind == "gateway.ping":
            battery, failed = (bounded_int(str(data.get(name, "")), -1, most=10**6) for name in ("battery", "failed"))
            return SignOfLife(battery if 0 <= battery <= 100 else None, failed if failed >= 0 else None)
        raise Unusable("an event that we know nothing of")

    def parse_report(self, request: SignedRequest) -> DeliveryReport:
        raise Unusable("this provider has one address for everything")

    def send(self, reply: OutgoingReply, credentials: Credentials) -> Outcome:
        """One POST, whose id is the reply's: a gateway takes it once, so any doubt may be asked again."""
        at = timezone.now()
        event = {
            "type": "sms.send",
            "timestamp": at.isoformat(),
            "data": {
                "id": str(reply.uuid),
                "from": reply.shown_source,
                "to": f"+{reply.recipient}",
                "text": reply.text,
            },
        }
        body = json.dumps(event, ensure_ascii=False)
        try:
            signature = Webhook(credentials.get("send_secret", "")).sign(str(reply.uuid), at, body)
        except (ValueError, EmptyWebhookSecretError):
            return Outcome(Knowledge.ACCOUNT_REFUSED, detail="no secret to sign with")
        outcome = http.post(
            credentials.get("send_url", ""),
            entered=True,
            content=body.encode(),
            headers={
                "Content-Type": "application/json",
                "webhook-id": str(reply.uuid),
                "webhook-timestamp": str(int(at.timestamp())),
                "webhook-signature": signature,
            },
            judge=lambda answer: _judged(answer, reply),
            accepted_id=lambda _answer: str(reply.uuid),
        )
        if outcome.knowledge is Knowledge.UNKNOWN:
            return Outcome(Knowledge.REFUSED_FOR_NOW, detail=outcome.detail)
        return outcome


def _is_signed(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, EmptyWebhookSecretError, ValueError, RecursionError):
        return False
    return True


def _message(data: Mapping[str, Any]) -> InboundMessage:
    named = data.get("id")
    texts = [data.get(name) for name in ("from", "text")]
    recipient = data.get("to")
    if not isinstance(named, str) or not named or not all(isinstance(one, str) for one in texts):
        raise Unusable("without id, from or text")
    if recipient is not None and not isinstance(recipient, str):
        raise Unusable("a recipient that is no text", named)
    return InboundMessage(
        id=named,
        sender=str(texts[0]),
        recipient=recipient,
        text=str(texts[1]),
        received_at=timezone.now(),
        units=bounded_int(str(data.get("units", "")), 1) or 1,
        cost=bounded_decimal(str(data.get("price", ""))),
        national=True,
    )


def _report(data: Mapping[str, Any]) -> DeliveryReport:
    named = str(data.get("id"))
    try:
        reply = uuid.UUID(named)
    except ValueError as error:
        raise Unusable("a report on a message that is not ours") from error
    return DeliveryReport(
        id=str(reply),
        status=STATUSES.get(str(data.get("status", "")).casefold()),
        sequence=0,
        error_code=str(data.get("error") or "")[:16],
        cost=bounded_decimal(str(data.get("price", ""))),
        reply=reply,
    )


def _judged(answer: http.Answer, reply: OutgoingReply) -> Outcome | None:
    if answer.status == 409:  # it has this id already
        return Outcome(Knowledge.ACCEPTED, provider_id=str(reply.uuid), detail="409")
    return None
