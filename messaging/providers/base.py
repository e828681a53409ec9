"""The one vocabulary in which every provider speaks to the rest of Paravent.

`inbox`, `shield` and `outbox` know this module and never a provider's file.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import functools
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from .parsing import Unusable as Unusable  # noqa: PLC0414  the vocabulary names it, and parsing raises it
from .parsing import parse_form

Credentials = Mapping[str, str]

_LONGEST_SHORT_CODE = 6


# --- what arrives ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class SignedRequest:
    """A webhook request as its signature sees it.

    `url` is built from the configured public URL and the path; `headers` holds the provider's `signature_headers` with
    lower-case names; `body` is as received; `client` is the address that it came from, where that is known.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    client: str = ""

    @functools.cached_property
    def form(self) -> Sequence[tuple[bytes, bytes]]:
        """The pairs of a form body, parsed once for proof and reading. Raises `Unusable` beyond `MAX_FIELDS`."""
        return parse_form(self.body)


class NotVerified(Exception):
    """The request is not proven to come from the account. The text is for our log, never for the caller."""


@dataclass(frozen=True)
class Verification:
    """`scheme` names the signature that matched; a `nonce` must not come twice."""

    scheme: str
    nonce: str | None = None


@dataclass(frozen=True)
class Part:
    """Which part of a long message something is, from 1 to `total`; the sender's `reference` is common to all of them.

    The reference is one byte or two (3GPP TS 23.040, 9.2.3.24.1): he uses it again, perhaps soon.
    """

    reference: str
    number: int
    total: int


@dataclass(frozen=True)
class InboundMessage:
    """One message as a provider delivered it: `sender` and `recipient` as written there, `text` as clean Unicode.

    `recipient` is None where the provider does not say it; `national` says that numbers of the hotline's own country
    may be written without its code; `part` is set by a provider that delivers the parts of a long message one by one.
    """

    id: str
    sender: str
    recipient: str | None
    text: str
    received_at: datetime.datetime
    media: tuple[str, ...] = ()
    units: int = 1
    cost: decimal.Decimal | None = None
    national: bool = False
    part: Part | None = None


class Delivery(enum.StrEnum):
    """How far the network brought a reply; later members outrank earlier ones, the last three end it."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"

    @property
    def rank(self) -> int:
        return {"queued": 1, "sent": 2}.get(self.value, 3)


@dataclass(frozen=True)
class DeliveryReport:
    """A provider's word on a reply. `status` is None where we do not know the word; `sequence` orders reports.

    `reply` names our row where the provider has one address for everything, and no path of its own for a report.
    """

    id: str
    status: Delivery | None
    sequence: int
    error_code: str = ""
    units: int | None = None
    cost: decimal.Decimal | None = None
    reply: uuid.UUID | None = None


@dataclass(frozen=True)
class SignOfLife:
    """A gateway says that it is there. `battery` in percent, `failed` the messages that failed there in the last hour,
    where it says so.
    """

    battery: int | None = None
    failed: int | None = None


@dataclass(frozen=True)
class Call:
    """Somebody calls, and the provider waits for what to do. `caller` is as written there, "" where it is withheld."""

    id: str
    caller: str
    recipient: str


@dataclass(frozen=True)
class CallEnded:
    """A call is over: how many seconds it was connected, and what it cost in all, where the provider says so."""

    id: str
    recipient: str
    seconds: int
    cost: decimal.Decimal | None = None


@dataclass(frozen=True)
class Speech:
    """What a caller hears: the sound at the address `audio`, or else `text` read aloud by `voice`, the provider's name
    for a voice of `language`.
    """

    text: str
    language: str
    voice: str
    audio: str = ""


# --- what leaves ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class OutgoingReply:
    """A reply to send. `recipient` is digits only, proven by `outbox`; `report_url` names the reply's row."""

    uuid: uuid.UUID
    source: str
    recipient: str
    text: str
    report_url: str

    @property
    def shown_source(self) -> str:
        """Our number as others write it: with +, unless it is a short code."""
        return f"+{self.source}" if len(self.source) > _LONGEST_SHORT_CODE else self.source


class Knowledge(enum.StrEnum):
    """What a call to a provider taught us (SECURITY.md 2.5)."""

    ACCEPTED = "accepted"
    #: Provably not accepted, and the same call may succeed later.
    REFUSED_FOR_NOW = "refused_for_now"
    #: Provably not accepted, and never will be.
    REFUSED = "refused"
    #: Provably not accepted, and nothing of this account will be until a person acts.
    ACCOUNT_REFUSED = "account_refused"
    #: It may have been accepted. Never repeated blindly.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """`retry_after` in seconds where the provider named it; `detail` is a code or a class name, never personal."""

    knowledge: Knowledge
    provider_id: str = ""
    detail: str = ""
    retry_after: float | None = None


# --- what the provider wrote down -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class LogTerms:
    """What a provider's log is good for: complete `lag` seconds after an event, kept for `days`."""

    lag: float
    requests_per_minute: int
    days: int


@dataclass(frozen=True)
class LogQuery:
    """All messages of one direction from `since` to `until`, both aware and both included."""

    since: datetime.datetime
    until: datetime.datetime
    inbound: bool


@dataclass(frozen=True)
class LogEntry:
    """One message in a provider's log. Numbers are as written there: their last digits may be hidden (`masks`)."""

    id: str
    inbound: bool
    sender: str
    recipient: str
    at: datetime.datetime
    status: Delivery | None = None
    error_code: str = ""
    units: int | None = None
    cost: decimal.Decimal | None = None


@dataclass(frozen=True)
class LogPage:
    """Some entries of a listing, and the cursor of those that follow: None where the listing is complete."""

    entries: tuple[LogEntry, ...]
    next: str | None


class Unavailable(Exception):
    """What was asked cannot be had now, or cannot be relied on. Names a code or a class, nothing personal."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Acknowledgement:
    """What the provider wants to read back: it never holds a reply (SECURITY.md 2.4)."""

    content_type: str
    body: bytes


@dataclass(frozen=True)
class Line:
    """A number (E.164) and the addresses at which its provider must reach us; no `call_address` where calls end."""

    number: str
    message_address: str
    call_address: str = ""


@dataclass(frozen=True)
class Finding:
    """Something that a test of a connection found: right, wrong, or None where nobody can tell. `says` what to do."""

    ok: bool | None
    says: str


def right(says: str) -> Finding:
    return Finding(ok=True, says=says)


def wrong(says: str) -> Finding:
    return Finding(ok=False, says=says)


def unknown(says: str) -> Finding:
    return Finding(ok=None, says=says)


class Calls(Protocol):
    """What a provider that can be called does: it asks by webhook what to do, and does what the answer says."""

    #: Those of the provider's `schemes` that a call may be signed by.
    schemes: ClassVar[tuple[str, ...]]
    #: The provider's voice for each language that it speaks, by its tag.
    voices: ClassVar[Mapping[str, str]]

    def parse(self, request: SignedRequest) -> Call | CallEnded:
        """Raises `Unusable`."""

    def speak(self, speech: Speech) -> Acknowledgement:
        """Say it once, and hang up. Whatever the text holds, the answer is well-formed."""

    def reject(self) -> Acknowledgement:
        """A busy tone, without taking the call, which costs nothing."""


@dataclass(frozen=True)
class CredentialField:
    """One secret an NGO enters for an account. `label` is translatable; `secret` fields are never shown again."""

    name: str
    label: Any
    secret: bool = True
    required: bool = True
    pattern: str = ""
    help_text: Any = ""


class Provider(Protocol):
    """A provider's file holds one class of this shape, and one line of `registry.py` names it."""

    name: ClassVar[str]
    label: ClassVar[Any]
    content_type: ClassVar[str]
    credential_fields: ClassVar[tuple[CredentialField, ...]]
    acknowledgement: ClassVar[Acknowledgement]
    #: Lower-case names of the headers that a proof may need; a `SignedRequest` holds no others.
    signature_headers: ClassVar[tuple[str, ...]]
    #: Signature schemes from weakest to strongest; a pinned endpoint refuses those before its pin.
    schemes: ClassVar[tuple[str, ...]]
    #: None for a provider without a log: then an outcome is known from its reports alone.
    log: ClassVar[LogTerms | None]
    #: None for a provider that passes on no calls.
    calls: ClassVar[Calls | None]
    #: Whether `application` and `attach` can do anything; where not, they always raise `Unavailable`.
    detachable: ClassVar[bool]

    def verify(self, request: SignedRequest, credentials: Credentials) -> Verification:
        """Prove the request, in constant time, against every configured secret. Raises `NotVerified`."""

    def parse_message(self, request: SignedRequest) -> InboundMessage | DeliveryReport | SignOfLife:
        """What came to the message address: of a provider that has one address for everything, not only messages.

        Raises `Unusable` for a signed request that is nothing we can act upon.
        """

    def parse_report(self, request: SignedRequest) -> DeliveryReport:
        """Raises `Unusable`."""

    def send(self, reply: OutgoingReply, credentials: Credentials) -> Outcome:
        """One attempt, no retry inside, no exception for anything a network or provider can do."""

    def read_log(self, query: LogQuery, credentials: Credentials, cursor: str = "") -> LogPage:
        """One request for one page; `cursor` is the last page's `next`. Raises `Unavailable`, also for any doubt:
        a listing that lacks something must never look complete, because what is not in it is sent again.
        """

    def application(self, number: str, credentials: Credentials) -> str:
        """What hands the messages of `number` (E.164) to us, in the provider's words; "" where nothing does.

        Raises `Unavailable`.
        """

    def examine(self, lines: Sequence[Line], credentials: Credentials) -> Sequence[Finding]:
        """What the provider says of the account and these numbers, in the reader's language. It raises nothing."""

    def attach(self, number: str, application: str, credentials: Credentials) -> None:
        """Have the messages of `number` handed to `application` from now on, or to nobody where it is "".

        To say it twice does no more than to say it once. Raises `Unavailable` where the provider did not say yes.
        """
