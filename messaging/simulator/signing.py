"""Requests as Plivo would make them: the phone's text to the webhook, and the carrier's reports on a reply.

They are made here and posted by the page's script, so that the server never waits on itself.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from hotlines.models import Hotline
from providers import plivo
from providers.base import Delivery
from replies import segments

from .phones import PROVIDER

RATE_IN = "0.00750"
RATE_OUT = "0.07627"
RATE_CALL = "0.00850"
#: What the carrier reports after each state of a reply, and the report's place in the row of them.
NEXT_REPORT = {"": (Delivery.QUEUED, 1), "queued": (Delivery.SENT, 2), "sent": (Delivery.DELIVERED, 3)}


@dataclass(frozen=True)
class Signed:
    """A request to post as it is: every byte of `body` is covered by the signature in `headers`."""

    path: str
    headers: dict[str, str]
    body: str

    def as_json(self) -> dict[str, Any]:
        return {"path": self.path, "headers": self.headers, "body": self.body}


def message_request(hotline: Hotline, phone: str, text: str, message: uuid.UUID) -> Signed:
    """The webhook request by which a carrier brings `text` from `phone` (digits) to `hotline`."""
    units = max(1, segments.count(text).segments)
    path = reverse("hook-message", kwargs={"provider": PROVIDER, "token": hotline.hook_token})
    fields = {
        "From": phone,
        "To": hotline.number.removeprefix("+"),
        "Type": "sms",
        "Text": text,
        "MessageUUID": str(message),
        "Units": str(units),
        "TotalRate": RATE_IN,
        "TotalAmount": f"{float(RATE_IN) * units:.5f}",
        "MessageIntent": "",
        "PowerpackUUID": "",
    }
    return _sign(hotline, path, fields)


def call_requests(hotline: Hotline, phone: str, call: uuid.UUID) -> tuple[Signed, Signed]:
    """What a carrier asks when `phone` (digits, or "" where it is withheld) calls, and what it says afterwards."""
    path = reverse("hook-call", kwargs={"provider": PROVIDER, "token": hotline.hook_token})
    fields = {
        "CallUUID": str(call),
        "From": phone or "anonymous",
        "To": hotline.number.removeprefix("+"),
        "CallStatus": "ringing",
        "Direction": "inbound",
        "BillRate": RATE_CALL,
    }
    over = {"CallStatus": "completed", "HangupCause": "NORMAL_CLEARING", "Duration": "12", "BillDuration": "60"}
    return _sign(hotline, path, fields), _sign(hotline, path, {**fields, **over, "TotalCost": RATE_CALL})


def report_request(
    hotline: Hotline, reply: uuid.UUID, message: uuid.UUID, status: Delivery, sequence: int, units: int
) -> Signed:
    """The delivery report that `message`, which carries the reply `reply`, has reached `status`.

    `To` ends in XXX, because a reply is sent with `log` off and Plivo then redacts its callbacks too.
    """
    path = reverse("hook-report", kwargs={"provider": PROVIDER, "token": hotline.hook_token, "reply": reply})
    moment = f"{timezone.now():%Y-%m-%d %H:%M:%S.%f}"
    fields = {
        "MessageUUID": str(message),
        "ParentMessageUUID": str(message),
        "PartInfo": "1 of 1",
        "To": "33XXX",
        "From": hotline.number.removeprefix("+"),
        "Type": "sms",
        "Status": status.value,
        "Units": str(units),
        "TotalRate": RATE_OUT,
        "TotalAmount": f"{float(RATE_OUT) * units:.5f}",
        "MCC": "208",
        "MNC": "01",
        "ErrorCode": "",
        "Sequence": str(sequence),
        "QueuedTime": moment,
        "DeliveryReportTime": moment if status is Delivery.DELIVERED else "",
        "PowerpackUUID": "",
    }
    return _sign(hotline, path, fields)


def _sign(hotline: Hotline, path: str, fields: dict[str, str]) -> Signed:
    nonce = "".join(str(secrets.randbelow(10)) for _ in range(20))
    signature = plivo.sign_v3(
        "POST",
        settings.PUBLIC_URL + path,
        [(name.encode(), value.encode()) for name, value in fields.items()],
        nonce,
        hotline.account.credentials["auth_token"],
    )
    headers = {
        "Content-Type": plivo.Plivo.content_type,
        "X-Plivo-Signature-V3": signature,
        "X-Plivo-Signature-V3-Nonce": nonce,
    }
    return Signed(path, headers, urlencode(fields))
