"""Twilio: form-encoded webhooks signed by HMAC, replies by `POST /2010-04-01/Accounts/{sid}/Messages.json`.

Sources: twilio.com/docs (usage: webhooks security; messaging: webhook request, message resource; voice: TwiML) and
`twilio.request_validator` of the `twilio` library 9.13, which the tests use as oracle. Our own verifier takes several
secrets, and a shared key only where the account has one.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from . import examining, http
from .base import (
    Acknowledgement,
    Calls,
    CredentialField,
    Credentials,
    Delivery,
    DeliveryReport,
    Finding,
    InboundMessage,
    Knowledge,
    Line,
    NotVerified,
    Outcome,
    OutgoingReply,
    SignedRequest,
    Unavailable,
    Unusable,
    Verification,
    right,
    wrong,
)
from .parsing import bounded_int, single_fields
from .plain import Plain
from .twilio_calls import TwilioCalls

STATUSES = {
    "accepted": Delivery.QUEUED,
    "scheduled": Delivery.QUEUED,
    "queued": Delivery.QUEUED,
    "sending": Delivery.QUEUED,
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.DELIVERED,
    "undelivered": Delivery.UNDELIVERED,
    "failed": Delivery.FAILED,
    "canceled": Delivery.FAILED,
}
#: What Twilio says in words of its own, whatever the status (twilio.com/docs/api/errors): wrong credentials, a closed
#: or suspended account, no money.
_OF_THE_ACCOUNT = frozenset({20003, 20005, 20006, 30002, 90010})
_TOO_MANY = frozenset({20429, 14107, 30001, 30022})
_EXPIRES = 3600


class Twilio(Plain):
    """One number, whose messaging and voice addresses are the hotline's.

    Its list of messages is not read: it is filtered by the date of sending, which a message that still waits has not,
    and what a listing lacks would be sent again.
    """

    name: ClassVar = "twilio"
    label: ClassVar[Any] = "Twilio"
    content_type: ClassVar = "application/x-www-form-urlencoded"
    schemes: ClassVar = ("sha1", "sha256")
    signature_headers: ClassVar = ("x-twilio-signature", "x-twilio-webhooks-signature-settings")
    acknowledgement: ClassVar = Acknowledgement("text/xml", b"<Response/>")
    calls: ClassVar[Calls | None] = TwilioCalls()
    credential_fields: ClassVar = (
        CredentialField(
            "account_sid",
            _("Account SID"),
            secret=False,
            pattern=r"AC[0-9a-f]{32}",
            help_text=_("34 characters that begin with AC."),
        ),
        CredentialField("auth_token", _("Auth Token")),
        CredentialField(
            "previous_auth_token",
            _("previous Auth Token"),
            required=False,
            help_text=_("Accepted as well while you change the token; empty it afterwards."),
        ),
        CredentialField(
            "shared_key",
            _("secret of the webhook key"),
            required=False,
            help_text=_("Only where Twilio signs webhooks with a key of their own (SHA-256) and not with the token."),
        ),
    )

    def verify(self, request: SignedRequest, credentials: Credentials) -> Verification:
        """The address and all parameters, under the key that the request says it is signed with, and no other.

        Twilio signs with a port or without; our public address is the one that stands in its console.
        """
        said = request.headers.get("x-twilio-webhooks-signature-settings", "")
        if said:
            if "HMAC_SHA256" not in {part.partition("=")[2].strip().upper() for part in said.split(",")}:
                raise NotVerified("an algorithm that we do not know")
            names, scheme = ["shared_key"], "sha256"
        else:
            names, scheme = ["auth_token", "previous_auth_token"], "sha1"
        keys = [key for name in names if (key := credentials.get(name, ""))]
        offered = request.headers.get("x-twilio-signature", "").encode("utf-8", "replace")
        if not keys or not offered:
            raise NotVerified("no signature, or no key for it")
        try:
            message = canonical(request)
        except Unusable as error:
            raise NotVerified(str(error)) from error
        matches = [hmac.compare_digest(_mac(key, message, scheme), offered) for key in keys]
        if not any(matches):
            raise NotVerified("signature does not match")
        return Verification(scheme)

    def parse_message(self, request: SignedRequest) -> InboundMessage:
        """`From`, `To`, `MessageSid` and `Body` once each; Twilio joins long messages itself."""
        found = single_fields(request.form, "MessageSid")
        sid = found.get("MessageSid", "")
        missing = [name for name in ("From", "To", "MessageSid", "Body") if name not in found]
        if missing or not sid:
            raise Unusable(f"without {', '.join(missing) or 'MessageSid'}", sid)
        media = bounded_int(found.get("NumMedia", ""), 0, most=20)
        return InboundMessage(
            id=sid,
            sender=found["From"],
            recipient=found["To"],
            text=found["Body"],
            received_at=timezone.now(),
            media=tuple(found[f"MediaUrl{n}"] for n in range(media) if f"MediaUrl{n}" in found),
            units=bounded_int(found.get("NumSegments", ""), 1) or 1,
        )

    def parse_report(self, request: SignedRequest) -> DeliveryReport:
        """It names neither price nor order: the price is known from the account's bill alone."""
        found = single_fields(request.form, "MessageSid")
        if not found.get("MessageSid"):
            raise Unusable("without MessageSid")
        return DeliveryReport(
            id=found["MessageSid"],
            status=STATUSES.get(found.get("MessageStatus", "").casefold()),
            sequence=0,
            error_code=found.get("ErrorCode", "")[:16],
        )

    def send(self, reply: OutgoingReply, credentials: Credentials) -> Outcome:
        """One POST. 201 with a `sid` is acceptance."""
        sid = credentials.get("account_sid", "")
        return http.post(
            f"{settings.TWILIO_API_URL}/2010-04-01/Accounts/{sid}/Messages.json",
            data={
                "From": reply.shown_source,
                "To": f"+{reply.recipient}",
                "Body": reply.text,
                "StatusCallback": reply.report_url,
                "ValidityPeriod": str(_EXPIRES),
            },
            auth=(sid, credentials.get("auth_token", "")),
            judge=_judged,
            accepted_id=_taken,
        )

    def examine(self, lines: Sequence[Line], credentials: Credentials) -> Sequence[Finding]:
        """`GET /2010-04-01/Accounts/{sid}.json`, then each number's record with its addresses."""
        sid = credentials.get("account_sid", "")

        def read(path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
            url = f"{settings.TWILIO_API_URL}/2010-04-01/Accounts/{sid}{path}"
            answer = http.get_json(url, parameters, auth=(sid, credentials.get("auth_token", "")))
            if not isinstance(answer, dict):
                raise Unavailable("not a record")
            return answer

        def account() -> Iterable[Finding]:
            state = str(read(".json", {}).get("status"))
            words = gettext("The provider knows the account. It is %(state)s.") % {"state": state}
            yield right(words) if state == "active" else wrong(words)

        def number(line: Line) -> Iterable[Finding]:
            rows = read("/IncomingPhoneNumbers.json", {"PhoneNumber": line.number}).get("incoming_phone_numbers")
            if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
                raise Unavailable("404")
            yield examining.address(line, "A message comes in", rows[0].get("sms_url"), line.message_address)
            if line.call_address:
                yield examining.address(line, "A call comes in", rows[0].get("voice_url"), line.call_address)
                over = rows[0].get("status_callback")
                yield examining.address(line, "Call status changes", over, line.call_address)

        return examining.asked(account, number, lines)


def canonical(request: SignedRequest) -> bytes:
    """What is signed: the address, then each name and value in the order of names; the same twice counts once.

    Raises `Unusable` for too many fields.
    """
    return request.url.encode() + b"".join(name + value for name, value in sorted(set(request.form)))


def _mac(key: str, message: bytes, algorithm: str) -> bytes:
    return base64.b64encode(hmac.digest(key.encode(), message, algorithm))


def _taken(answer: object) -> str | None:
    sid = answer.get("sid") if isinstance(answer, dict) else None
    return sid if isinstance(sid, str) and sid else None


def _judged(answer: http.Answer) -> Outcome | None:
    """An error's own code says more than its status: 400 for a closed account as for a wrong number."""
    if answer.status < 400:
        return None
    said = answer.json
    code = said.get("code") if isinstance(said, dict) else None
    if not isinstance(code, int) or isinstance(code, bool):
        return None
    detail = f"{answer.status} {code}"[:60]
    if code in _OF_THE_ACCOUNT:
        return Outcome(Knowledge.ACCOUNT_REFUSED, detail=detail)
    if code in _TOO_MANY:
        return Outcome(Knowledge.REFUSED_FOR_NOW, detail=detail, retry_after=http.retry_after(answer.headers))
    return None
