"""A request that was proven: all that is needed to accept it, now or, from the spool, whatever was edited meanwhile."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from uuid import UUID

from providers.base import SignedRequest, Verification


@dataclass(frozen=True)
class Arrival:
    """`endpoint` is an `EndpointPin.Endpoint`; `reply` is the one that a report's path names."""

    endpoint: str
    provider: str
    hotline_id: int
    signed: SignedRequest
    verification: Verification
    received_at: datetime.datetime
    reply: UUID | None = None

    def packed(self) -> bytes:
        """As a record of the spool."""
        return json.dumps(
            {
                "endpoint": self.endpoint,
                "provider": self.provider,
                "hotline": self.hotline_id,
                "method": self.signed.method,
                "url": self.signed.url,
                "headers": dict(self.signed.headers),
                "body": self.signed.body.decode("latin-1"),
                "scheme": self.verification.scheme,
                "nonce": self.verification.nonce,
                "at": self.received_at.isoformat(),
                "reply": self.reply and str(self.reply),
            }
        ).encode()

    @classmethod
    def unpacked(cls, data: bytes) -> Arrival:
        """The inverse of `packed`. Raises `ValueError`, `KeyError` or `TypeError` for what another version wrote."""
        found = json.loads(data)
        return cls(
            found["endpoint"],
            found["provider"],
            found["hotline"],
            SignedRequest(found["method"], found["url"], found["headers"], found["body"].encode("latin-1")),
            Verification(found["scheme"], found["nonce"]),
            datetime.datetime.fromisoformat(found["at"]),
            UUID(found["reply"]) if found["reply"] else None,
        )
