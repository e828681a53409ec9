"""A request that was proven: all that is needed to accept it, now or, from the spool, whatever was edited meanwhile."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from providers.base import SignedRequest, Verification


@dataclass(frozen=True)
class Arrival:
    """`endpoint` is an `EndpointPin.Endpoint`; `reply` is the one that a report's path names.

    `row` is that of a message which waits because its sender is blocked, as `rows.packed` has it.
    """

    endpoint: str
    provider: str
    hotline_id: int
    signed: SignedRequest
    verification: Verification
    received_at: datetime.datetime
    reply: UUID | None = None
    row: list[Any] | None = None

    def packed(self, row: list[Any] | None = None) -> bytes:
        """As a record of the spool: one line of JSON, and the body as it came. `row` stands in for its own."""
        head = json.dumps(
            {
                "endpoint": self.endpoint,
                "provider": self.provider,
                "hotline": self.hotline_id,
                "method": self.signed.method,
                "url": self.signed.url,
                "headers": dict(self.signed.headers),
                "scheme": self.verification.scheme,
                "nonce": self.verification.nonce,
                "at": self.received_at.isoformat(),
                "reply": self.reply and str(self.reply),
                "row": row or self.row,
            }
        )
        return b"%b\n%b" % (head.encode(), self.signed.body)

    @classmethod
    def unpacked(cls, data: bytes) -> Arrival:
        """The inverse of `packed`. Raises `ValueError`, `KeyError` or `TypeError` for what another version wrote."""
        head, _, body = data.partition(b"\n")
        found = json.loads(head)
        return cls(
            found["endpoint"],
            found["provider"],
            found["hotline"],
            SignedRequest(found["method"], found["url"], found["headers"], body),
            Verification(found["scheme"], found["nonce"]),
            datetime.datetime.fromisoformat(found["at"]),
            UUID(found["reply"]) if found["reply"] else None,
            found["row"],
        )
