"""Vonage's older SMS API: JSON webhooks with a signature among their fields, replies by `POST /sms/json`.

Sources: developer.vonage.com (SMS API reference, "Signing messages", "Inbound SMS", "Troubleshooting") and
`vonage-http-client`, which the tests use as oracle. It delivers the parts of a long message one by one.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
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
    Part,
    SignedRequest,
    Unusable,
    Verification,
)
from .parsing import bounded_decimal, bounded_int, parse_json
from .plain import Plain
from .vonage import API_KEY, API_SECRET, PREVIOUS_SECRET, TOLERANCE

_EXPIRES_MILLISECONDS = 3_600_000
#: The hash of a signature by the number of its hexadecimal digits: the account's setting says which one Vonage uses.
_HASHES = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
#: What a network can count in the header of a part is one byte (3GPP TS 23.040, 9.2.3.24.1).
_MOST_PARTS = 255

STATUSES = {
    "accepted": Delivery.QUEUED,
    "buffered": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "expired": Delivery.UNDELIVERED,
    "rejected": Delivery.FAILED,
    "failed": Delivery.FAILED,
}
#: Statuses of a message that was not accepted ("Troubleshooting"). 5 is a fault of theirs: nothing is known then.
_REFUSED = {
    **dict.fromkeys(("1", "10"), Knowledge.REFUSED_FOR_NOW),
    **dict.fromkeys(("4", "8", "9", "11", "14", "32"), Knowledge.ACCOUNT_REFUSED),
    **dict.fromkeys(("2", "3", "6", "7", "12", "15", "22", "23", "29", "33"), Knowledge.REFUSED),
}


class VonageSms(Plain):
    """One account whose default for SMS is the "SMS API", and whose webhooks come as POST-JSON."""

    name: ClassVar = "vonage_sms"
    label: ClassVar[Any] = _("Vonage (older SMS API)")
    content_type: ClassVar = "application/json"
    schemes: ClassVar = ("md5", "sha1", "sha256", "sha512")
    signature_headers: ClassVar = ()
    acknowledgement: ClassVar = Acknowledgement("application/json", b"{}")
    credential_fields: ClassVar = (
        API_KEY,
        API_SECRET,
        CredentialField(
            "signature_secret",
            _("signature secret"),
            help_text=_("In the dashboard: API settings, SMS settings. The algorithm there must be one with HMAC."),
        ),
        PREVIOUS_SECRET,
    )

    def verify(self, request: SignedRequest, credentials: Credentials) -> Verification:
        """The field `sig` over all others, of this account and the last five minutes."""
        fields = _signed_fields(request.body)
        said = fields.pop("sig", "").lower()
        scheme = _HASHES.get(len(said))
        if scheme is None:
            raise NotVerified("no signature by HMAC")
        text = "".join(f"&{name}={fields[name].translate(_REPLACED)}" for name in sorted(fields))
        names = ("signature_secret", "previous_signature_secret")
        secrets = [secret.encode() for name in names if (secret := credentials.get(name, ""))]
        raw = text.encode("utf-8", "surrogatepass")
        proofs = [hmac.new(secret, raw, scheme).hexdigest().encode() for secret in secrets]
        if True not in [hmac.compare_digest(proof, said.encode("utf-8", "replace")) for proof in proofs]:
            raise NotVerified("the signature is not this account's")
        if not _is_recent(fields.get("timestamp", "")):
            raise NotVerified("the signature is of another time")
        if fields.get("api-key", "") != credentials.get("api_key", ""):
            raise NotVerified("the request is of another account")
        return Verification(scheme, fields.get("nonce") or None)

    def parse_message(self, request: SignedRequest) -> InboundMessage:
        """An SMS with `messageId`, `msisdn`, `to` and `text`, or one part of a long one."""
        found = parse_json(request.body)
        name = found.get("messageId")
        if not isinstance(name, str) or not name:
            raise Unusable("without messageId")
        if found.get("type") not in ("text", "unicode") or "status" in found:
            raise Unusable("no text message", name)
        texts = [found.get(key) for key in ("msisdn", "to", "text")]
        if not all(isinstance(one, str) for one in texts):
            raise Unusable("without msisdn, to or text", name)
        return InboundMessage(
            id=name,
            sender=str(texts[0]),
            recipient=str(texts[1]),
            text=str(texts[2]),
            received_at=timezone.now(),
            part=_part(found, name),
        )

    def parse_report(self, request: SignedRequest) -> DeliveryReport:
        """One for each part of a reply, all at the address that the reply named."""
        found = parse_json(request.body)
        name, error = found.get("messageId"), str(found.get("err-code") or "")
        if not isinstance(name, str) or not name:
            raise Unusable("without messageId")
        return DeliveryReport(
            id=name,
            status=STATUSES.get(str(found.get("status", "")).casefold()),
            sequence=0,
            error_code="" if error == "0" else error[:16],
            cost=bounded_decimal(str(found.get("price", ""))),
        )

    def send(self, reply: OutgoingReply, credentials: Credentials) -> Outcome:
        """One POST. Its answer is 200 whatever happened: each part's `status` says it."""
        return http.post(
            f"{settings.VONAGE_SMS_API_URL}/sms/json",
            data={
                "api_key": credentials.get("api_key", ""),
                "api_secret": credentials.get("api_secret", ""),
                "from": reply.source,
                "to": reply.recipient,
                "text": reply.text,
                "type": "unicode" if gsm.encoded(reply.text) is None else "text",
                "status-report-req": "1",
                "callback": reply.report_url,
                "client-ref": str(reply.uuid),
                "ttl": str(_EXPIRES_MILLISECONDS),
            },
            accepted_id=lambda _answer: None,
            judge=_judged,
        )


_REPLACED = str.maketrans("&=", "__")


def _signed_fields(body: bytes) -> dict[str, str]:
    """The fields as the signature has them: as they came, also what no database could keep. Raises `NotVerified`.

    Vonage sends texts, and its SDK would sign a number as it is written; what is neither cannot have been signed.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotVerified("not JSON") from error
    if not isinstance(found, dict):
        raise NotVerified("not a JSON object")
    return {name: str(value) if type(value) in (str, int) else "" for name, value in found.items()}


def _is_recent(timestamp: str) -> bool:
    """Whether Unix seconds as Vonage writes them are of these minutes."""
    written = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 10
    return written and abs(time.time() - int(timestamp)) <= TOLERANCE


def _part(found: Mapping[str, Any], name: str) -> Part | None:
    if found.get("concat") != "true":
        return None
    number, total = (
        bounded_int(str(found.get(key, "")), 0, most=_MOST_PARTS) for key in ("concat-part", "concat-total")
    )
    reference = found.get("concat-ref")
    if not isinstance(reference, str) or not 1 <= number <= total:
        raise Unusable("a part of no message", name)
    return Part(reference, number, total) if total > 1 else None


def _judged(answer: http.Answer) -> Outcome | None:
    """What the parts' statuses teach. One that was accepted is on its way, so nothing of it may be sent again."""
    if not 200 <= answer.status < 300:
        return None
    body = answer.json
    parts = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        return None
    for part in parts:
        name = part.get("message-id")
        if part.get("status") == "0" and isinstance(name, str) and 0 < len(name) <= 128:
            return Outcome(Knowledge.ACCEPTED, provider_id=name, detail="0")
    said = str(parts[0].get("status", ""))[:8]
    return Outcome(_REFUSED.get(said, Knowledge.UNKNOWN), detail=f"status {said}")
