"""SMS Gateway for Android: an ordinary SIM in an old phone. JSON webhooks that the phone itself signs and posts.

Sources: docs.sms-gate.app (webhooks, health, sending messages) and github.com/capcom6/android-sms-gateway, by which the
signature is over the body's text and then the time stamp, with nothing between. The phone posts every event to an
address of its own list; all may be one address, and then what they are about tells them apart.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from . import examining, http
from .base import (
    Acknowledgement,
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
    SignOfLife,
    Unavailable,
    Unusable,
    Verification,
    right,
    wrong,
)
from .parsing import parse_json
from .plain import Plain

#: Seconds by which a request may be old: a phone makes the time stamp anew at each attempt.
TOLERANCE = 300
#: Seconds after which a reply that is still in the phone's queue is not sent any more.
_EXPIRES = 3600
#: The queue of a phone that is offline is full; its server says so and names no time.
_QUEUE_FULL = 300.0
CLOUD = "https://api.sms-gate.app/3rdparty/v1"

EVENTS = {
    "sms:sent": Delivery.SENT,
    # Of a text in several parts one event for each: the first says that the phone was reached.
    "sms:delivered": Delivery.DELIVERED,
    "sms:failed": Delivery.FAILED,
    "sms:cancelled": Delivery.FAILED,
}


class SmsGate(Plain):
    """One phone, or one SIM of it, for each account."""

    name: ClassVar = "smsgate"
    label: ClassVar[Any] = _("Android phone (SMS Gateway)")
    content_type: ClassVar = "application/json"
    schemes: ClassVar = ("hmac",)
    signature_headers: ClassVar = ("x-signature", "x-timestamp")
    acknowledgement: ClassVar = Acknowledgement("text/plain", b"ok")
    credential_fields: ClassVar = (
        CredentialField(
            "signing_key",
            _("signing key"),
            help_text=_("In the app: Settings, Webhooks, Signing Key."),
        ),
        CredentialField(
            "previous_signing_key",
            _("previous signing key"),
            required=False,
            help_text=_("Accepted as well while you change the key; empty it afterwards."),
        ),
        CredentialField(
            "base_url",
            _("address of the gateway"),
            secret=False,
            help_text=_(
                "https://api.sms-gate.app/3rdparty/v1 for the public cloud; better: your own server, or the phone."
            ),
        ),
        CredentialField("username", _("user name"), secret=False),
        CredentialField("password", _("password")),
        CredentialField(
            "device_id",
            _("device"),
            secret=False,
            required=False,
            pattern=r"[0-9A-Za-z_-]{1,64}",
            help_text=_("Only where several phones share the user name: letters and digits, as the app shows it."),
        ),
        CredentialField(
            "sim_number",
            _("SIM slot"),
            secret=False,
            required=False,
            pattern=r"[1-4]",
            help_text=_("1 or 2, in a phone with several SIM cards."),
        ),
    )

    def verify(self, request: SignedRequest, credentials: Credentials) -> Verification:
        """HMAC-SHA256 of body and time stamp, in lower-case hexadecimal; within five minutes."""
        keys = [key for name in ("signing_key", "previous_signing_key") if (key := credentials.get(name, ""))]
        if not keys:
            raise NotVerified("the account has no signing key")
        stamp, offered = request.headers.get("x-timestamp", ""), request.headers.get("x-signature", "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12) or not offered:
            raise NotVerified("no signature")
        message = request.body + stamp.encode()
        matches = [
            hmac.compare_digest(hmac.digest(key.encode(), message, "sha256").hex().encode(), offered.encode())
            for key in keys
        ]
        if not any(matches):
            raise NotVerified("signature does not match")
        if abs(time.time() - int(stamp)) > TOLERANCE:
            raise NotVerified("signed too long ago, or by a clock that is wrong")
        return Verification("hmac")

    def parse_message(self, request: SignedRequest) -> InboundMessage | DeliveryReport | SignOfLife:
        """Every event comes here. Raises `Unusable` for those that say nothing we can act upon."""
        found = parse_json(request.body)
        payload = found.get("payload")
        event = found.get("event")
        if not isinstance(payload, dict) or not isinstance(event, str):
            raise Unusable("not an event")
        if event == "sms:received":
            return self._message(found, payload)
        if event in EVENTS:
            return self._report(EVENTS[event], payload)
        if event == "system:ping":
            return _sign_of_life(payload)
        raise Unusable("an event that we know nothing of")

    def parse_report(self, request: SignedRequest) -> DeliveryReport:
        """Reports come with everything else: whoever posts one here was given a wrong address."""
        raise Unusable("this provider has one address for everything")

    def send(self, reply: OutgoingReply, credentials: Credentials) -> Outcome:
        """One POST under our own id. The gateway takes an id once (409), so any doubt may be asked again."""
        outcome = http.post(
            f"{self._base(credentials)}?skipPhoneValidation=true",
            entered=True,
            json={
                "id": str(reply.uuid),
                "textMessage": {"text": reply.text},
                "phoneNumbers": [f"+{reply.recipient}"],
                "ttl": _EXPIRES,
                "withDeliveryReport": True,
                **_chosen(credentials),
            },
            auth=(credentials.get("username", ""), credentials.get("password", "")),
            judge=lambda answer: _judged(answer, reply),
            accepted_id=lambda answer: _taken(answer, reply),
        )
        if outcome.knowledge is Knowledge.UNKNOWN:
            return Outcome(Knowledge.REFUSED_FOR_NOW, detail=outcome.detail, retry_after=outcome.retry_after)
        return outcome

    def examine(self, lines: Sequence[Line], credentials: Credentials) -> Sequence[Finding]:
        """`GET /webhooks`: which addresses the phone posts which events to."""
        known: list[tuple[object, object]] = []

        def account() -> Iterable[Finding]:
            user = (credentials.get("username", ""), credentials.get("password", ""))
            base = credentials.get("base_url", "").rstrip("/") or CLOUD
            rows = http.get_json(f"{base}/webhooks", {}, auth=user, entered=True)
            if not isinstance(rows, list):
                raise Unavailable("not a list of webhooks")
            known.extend((row.get("url"), row.get("event")) for row in rows if isinstance(row, dict))
            yield right(gettext("The gateway answers."))

        def number(line: Line) -> Iterable[Finding]:
            for event in ("sms:received", *EVENTS, "system:ping"):
                if (line.message_address, event) in known:
                    yield right(gettext("%(event)s is registered.") % {"event": event})
                elif event != "sms:cancelled":  # older apps have none
                    words = gettext("%(event)s is not registered. Register the address below for it.")
                    yield wrong(words % {"event": event})

        return examining.asked(account, number, lines)

    @staticmethod
    def _base(credentials: Credentials) -> str:
        """The phone's own server calls it `/message`, the cloud and a private server `/messages` as well."""
        base = credentials.get("base_url", "").rstrip("/") or CLOUD
        return f"{base}/{'messages' if base.endswith('/v1') else 'message'}"

    @staticmethod
    def _message(found: Mapping[str, Any], payload: Mapping[str, Any]) -> InboundMessage:
        """Its id is made of what a repetition shares: the outer one is new when old messages are exported again, and
        the inner one is a short digest of the content, which two people may share.
        """
        sender = payload.get("sender") or payload.get("phoneNumber")
        text, received = payload.get("message"), payload.get("receivedAt")
        recipient = payload.get("recipient")
        if not isinstance(sender, str) or not isinstance(text, str) or not isinstance(received, str):
            raise Unusable("without sender, message or receivedAt")
        if recipient is not None and not isinstance(recipient, str):
            raise Unusable("a recipient that is no text")
        parts = (found.get("deviceId"), payload.get("messageId"), _moment(received), sender)
        return InboundMessage(
            id=hashlib.sha256("|".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:40],
            sender=sender,
            recipient=recipient or None,
            text=text,
            received_at=timezone.now(),
            national=True,
        )

    @staticmethod
    def _report(status: Delivery, payload: Mapping[str, Any]) -> DeliveryReport:
        named = str(payload.get("messageId"))
        try:
            reply = uuid.UUID(named)
        except ValueError as error:
            raise Unusable("a report on a message that is not ours") from error
        reason = str(payload.get("reason") or "").removeprefix("RESULT_").removeprefix("ERROR_")
        return DeliveryReport(id=named, status=status, sequence=0, error_code=reason[:16], reply=reply)


def _moment(written: str) -> str:
    """The same moment in one form: a phone that changes its zone writes it another way."""
    try:
        moment = datetime.datetime.fromisoformat(written)
    except ValueError:
        return written
    return moment.astimezone(datetime.UTC).isoformat() if moment.tzinfo else written


def _chosen(credentials: Credentials) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if device := credentials.get("device_id"):
        found["deviceId"] = device
    if sim := credentials.get("sim_number"):
        found["simNumber"] = int(sim)
    return found


def _judged(answer: http.Answer, reply: OutgoingReply) -> Outcome | None:
    """What a status means here: 409 that it has this id already, 503 that the phone's queue is full."""
    if answer.status == 409:
        return Outcome(Knowledge.ACCEPTED, provider_id=str(reply.uuid), detail="409")
    if answer.status == 503:
        return Outcome(Knowledge.REFUSED_FOR_NOW, detail="503 queue full", retry_after=_QUEUE_FULL)
    return None


def _taken(answer: object, reply: OutgoingReply) -> str | None:
    """Our own id: an answer that names another one is of another message."""
    named = answer.get("id") if isinstance(answer, dict) else None
    return named if named == str(reply.uuid) else None


def _sign_of_life(payload: Mapping[str, Any]) -> SignOfLife:
    health = payload.get("health")
    checks = health.get("checks") if isinstance(health, dict) else None
    return SignOfLife(
        battery=_observed(checks, "battery:level", 100), failed=_observed(checks, "messages:failed", 10**6)
    )


def _observed(checks: object, name: str, most: int) -> int | None:
    check = checks.get(name) if isinstance(checks, dict) else None
    value = check.get("observedValue") if isinstance(check, dict) else None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
        return None
    return int(value)
