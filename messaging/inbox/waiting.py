"""A verified request as the spool keeps it: all that is needed to accept it later, whatever was edited meanwhile."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from hotlines.models import EndpointPin
from providers import registry
from providers.base import SignedRequest, Verification

from . import accept
from .hooks import Hook
from .receive import Receipt


class Gone(Exception):
    """The hotline is not there any more."""


@dataclass(frozen=True)
class Waiting:
    """`reply` is the one that a report's path names."""

    endpoint: str
    provider: str
    hotline_id: int
    signed: SignedRequest
    verification: Verification
    received_at: datetime.datetime
    reply: UUID | None = None

    def packed(self) -> bytes:
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
    def unpacked(cls, data: bytes) -> Waiting:
        """The inverse of `packed`. Raises `ValueError` or `KeyError` for what another version wrote."""
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

    def accept(self, find: Callable[[int], Hook | None]) -> Receipt:
        """Accept it as the webhook would have. Raises `Gone`, `UnknownProvider`, and the database's errors.

        `find` gives the hook of a hotline.
        """
        hook = find(self.hotline_id)
        if hook is None:
            raise Gone
        speaker = registry.get(self.provider)
        if self.endpoint == EndpointPin.Endpoint.REPORT and self.reply is not None:
            return accept.report(hook, speaker, self.signed, self.verification, self.reply)
        return accept.message(hook, speaker, self.signed, self.verification, self.received_at)
