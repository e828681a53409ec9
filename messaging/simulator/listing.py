"""The loopback carrier's list of messages: Plivo's `GET /v1/Account/{auth_id}/Message/`, from the phones' memory.

A phone's number is a fingerprint here, so the list hides it whole; Plivo, told to redact, hides its end.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from hotlines.models import Account

from .models import PhoneText

_PAGE = 20
_HIDDEN = "XXX"


def listing(account: Account, asked: Mapping[str, str]) -> dict[str, Any]:
    """What Plivo answers. Raises `ValueError` or `KeyError` for parameters that it would refuse."""
    direction, offset = asked["message_direction"], int(asked.get("offset", 0))
    if direction not in {"inbound", "outbound"} or not offset >= 0:
        raise ValueError("message_direction or offset")
    rows = PhoneText.objects.filter(
        hotline__account=account,
        reply_uuid__isnull=direction == "inbound",
        created_at__range=(_moment(asked["message_time__gte"]), _moment(asked["message_time__lte"])),
    )
    shown = rows.select_related("hotline").order_by("-created_at", "-pk")[offset : offset + _PAGE]
    total = rows.count()
    return {
        "meta": {
            "limit": _PAGE,
            "offset": offset,
            "next": str(offset + _PAGE) if offset + _PAGE < total else None,
            "previous": None,
            "total_count": total,
        },
        "objects": [_as_json(row, direction) for row in shown],
    }


def _as_json(row: PhoneText, direction: str) -> dict[str, Any]:
    number = row.hotline.number.removeprefix("+")
    return {
        "message_uuid": str(row.uuid),
        "message_direction": direction,
        "message_state": "delivered",
        "message_time": row.created_at.isoformat(" "),
        "message_type": "sms",
        "from_number": _HIDDEN if direction == "inbound" else number,
        "to_number": number if direction == "inbound" else _HIDDEN,
        "units": 1,
        "total_amount": "0.00000",
    }


def _moment(written: str) -> datetime.datetime:
    return datetime.datetime.strptime(written, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=datetime.UTC)
