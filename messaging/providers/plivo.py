"""Plivo: form-encoded webhooks signed by the V3 or V2 family, replies by `POST /v1/Account/{auth_id}/Message/`.

Sources: docs.plivo.com (messaging: signature validation, handling incoming messages, message status callbacks, send a
message) and the signature modules of the `plivo` SDK 4.63, which the tests use as oracle. Our own verifier exists
because the SDK compares in variable time, rejects `a, b` in a header, and raises on non-ASCII queries.
"""

from __future__ import annotations

import base64
import datetime
import hmac
import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as translated
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
    Line,
    LogEntry,
    LogPage,
    LogQuery,
    LogTerms,
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
from .parsing import bounded_decimal, bounded_int, parse_form, single_fields
from .plivo_calls import PlivoCalls

Pairs = Sequence[tuple[bytes, bytes]]

#: V2 joins path and nonce without a separator, so only a nonce of digits keeps the path's end where it is (W3).
_V2_NONCE = re.compile(r"[0-9]{10,32}", re.ASCII)
#: V3 ends in `.nonce`, so a nonce without a dot keeps the parameters' end where it is.
_V3_NONCE = re.compile(r"[0-9A-Za-z_-]{8,64}", re.ASCII)

STATUSES = {
    "queued": Delivery.QUEUED,
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "undelivered": Delivery.UNDELIVERED,
    "rejected": Delivery.UNDELIVERED,
    "failed": Delivery.FAILED,
}


#: `/v1/Account/{auth_id}/Application/{app_id}/`, as a number's record names it.
_APPLICATION = re.compile(r"(?:/v1/Account/[^/]*/Application/)?([0-9A-Za-z-]{1,64})/?", re.ASCII)
#: The most that one page may hold.
_PAGE = 20
#: A row this far outside of what was asked for says that Plivo understood our times as those of another zone.
_ROUNDING = datetime.timedelta(seconds=2)


def canonical_v3(method: str, url: str, pairs: Pairs) -> bytes:
    """What V3 signs, less the nonce. Bytes sort as code points do, so this equals the SDK on valid UTF-8."""
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}{parts.path}".encode()
    query = list(parse_form(parts.query.encode())) if parts.query else []
    if method == "GET":
        query, pairs = [*query, *pairs], ()
    joined = b"&".join(b"=".join(pair) for pair in sorted(query))
    if not pairs:
        return base + (b"?" + joined if joined else b"")
    return base + b"?" + joined + (b"." if joined else b"") + b"".join(b"".join(pair) for pair in sorted(pairs))


def _mac(token: str, message: bytes) -> bytes:
    return base64.b64encode(hmac.digest(token.encode(), message, "sha256"))


def sign_v3(method: str, url: str, pairs: Pairs, nonce: str, token: str) -> str:
    """The V3 signature, as the simulator and the tests need it."""
    return _mac(token, canonical_v3(method, url, pairs) + b"." + nonce.encode()).decode()


def sign_v2(url: str, nonce: str, token: str) -> str:
    """The V2 signature: it covers neither query nor body."""
    parts = urlsplit(url)
    return _mac(token, f"{parts.scheme}://{parts.netloc}{parts.path}{nonce}".encode()).decode()


def _matches(expected: Iterable[bytes], offered: Iterable[str]) -> bool:
    """Compare every pair, and stop at none, so that time tells nothing about which token came close."""
    found = False
    candidates = [part.strip().encode("utf-8", "replace") for header in offered for part in header.split(",")]
    for signature in expected:
        for candidate in candidates[:8]:
            found |= hmac.compare_digest(signature, candidate)
    return found


class Plivo:
    """One application at Plivo, whose message URL is the hotline's webhook address."""

    name: ClassVar = "plivo"
    label: ClassVar[Any] = "Plivo"
    content_type: ClassVar = "application/x-www-form-urlencoded"
    schemes: ClassVar = ("v2", "v3")
    signature_headers: ClassVar = (
        "x-plivo-signature-v3",
        "x-plivo-signature-ma-v3",
        "x-plivo-signature-v3-nonce",
        "x-plivo-signature-v2",
        "x-plivo-signature-ma-v2",
        "x-plivo-signature-v2-nonce",
    )
    acknowledgement: ClassVar = Acknowledgement("application/xml", b"<Response/>")
    log: ClassVar[LogTerms | None] = LogTerms(lag=900, requests_per_minute=20, days=90)
    calls: ClassVar[Calls | None] = PlivoCalls()
    detachable: ClassVar = True
    credential_fields: ClassVar = (
        CredentialField(
            "auth_id",
            _("Auth ID"),
            secret=False,
            pattern=r"[MS]A[A-Z0-9]{18}",
            help_text=_("20 characters that begin with MA or, for a subaccount, SA."),
        ),
        CredentialField("auth_token", _("Auth Token")),
        CredentialField(
            "previous_auth_token",
            _("previous Auth Token"),
            required=False,
            help_text=_("Accepted as well while you change the token; empty it afterwards."),
        ),
        CredentialField(
            "main_auth_token",
            _("Auth Token of the main account"),
            required=False,
            help_text=_("Only for a subaccount: Plivo signs some requests with the main account's token."),
        ),
    )

    def verify(self, request: SignedRequest, credentials: Credentials) -> Verification:
        """V3 where any V3 header is present, and then V3 alone; V2 only where none is (PROVIDERS.md 1.1)."""
        tokens = [
            token
            for key in ("auth_token", "previous_auth_token", "main_auth_token")
            if (token := credentials.get(key, ""))
        ]
        if not tokens:
            raise NotVerified("the account has no token")
        headers = request.headers
        v3 = [headers[name] for name in ("x-plivo-signature-v3", "x-plivo-signature-ma-v3") if name in headers]
        if v3 or "x-plivo-signature-v3-nonce" in headers:
            nonce = headers.get("x-plivo-signature-v3-nonce", "")
            if not _V3_NONCE.fullmatch(nonce):
                raise NotVerified("V3 nonce malformed")
            try:
                pairs = request.form
            except Unusable as error:
                raise NotVerified(str(error)) from error
            message = canonical_v3(request.method, request.url, pairs) + b"." + nonce.encode()
            if not _matches([_mac(token, message) for token in tokens], v3):
                raise NotVerified("V3 signature does not match")
            return Verification("v3", nonce)
        v2 = [headers[name] for name in ("x-plivo-signature-v2", "x-plivo-signature-ma-v2") if name in headers]
        nonce = headers.get("x-plivo-signature-v2-nonce", "")
        if not v2 or not _V2_NONCE.fullmatch(nonce):
            raise NotVerified("no signature" if not v2 else "V2 nonce malformed")
        if not _matches([sign_v2(request.url, nonce, token).encode() for token in tokens], v2):
            raise NotVerified("V2 signature does not match")
        return Verification("v2", nonce)

    def parse_message(self, request: SignedRequest) -> InboundMessage:
        """`From`, `To`, `MessageUUID` once each, `Text` once for an SMS, no key repeated (DESIGN.md, last table)."""
        found = single_fields(request.form, "MessageUUID")
        uuid = found.get("MessageUUID", "")
        kind = found.get("Type") or "sms"
        required = ["From", "To", "MessageUUID", *(["Text"] if kind == "sms" else [])]
        missing = [name for name in required if name not in found]
        if missing or not uuid:
            raise Unusable(f"without {', '.join(missing) or 'MessageUUID'}", uuid)
        return InboundMessage(
            id=uuid,
            sender=found["From"],
            recipient=found["To"],
            text=found["Text"] if kind == "sms" else found.get("Body", found.get("Text", "")),
            received_at=timezone.now(),
            media=() if kind == "sms" else tuple(found[key] for key in found if re.fullmatch(r"Media\d+", key)),
            units=bounded_int(found.get("Units", ""), 1),
            cost=bounded_decimal(found.get("TotalAmount", "")),
        )

    def parse_report(self, request: SignedRequest) -> DeliveryReport:
        found = single_fields(request.form, "MessageUUID")
        if not found.get("MessageUUID"):
            raise Unusable("without MessageUUID")
        return DeliveryReport(
            id=found["MessageUUID"],
            status=STATUSES.get(found.get("Status", "").casefold()),
            sequence=bounded_int(found.get("Sequence", ""), 0, most=1_000_000),
            error_code=found.get("ErrorCode", "")[:16],
            units=bounded_int(found.get("Units", ""), 0) or None,
            cost=bounded_decimal(found.get("TotalAmount", "")),
        )

    def send(self, reply: OutgoingReply, credentials: Credentials) -> Outcome:
        """One POST. 202 with a `message_uuid` is acceptance; the list may be empty for a refused destination."""
        return http.post(
            self._messages_url(credentials),
            json={
                "src": reply.source,
                "dst": reply.recipient,
                "text": reply.text,
                "type": "sms",
                "url": reply.report_url,
                "method": "POST",
                # Plivo then keeps neither text nor the number's end in its logs (concepts/sms-data-redaction).
                "log": "false",
                "trackable": False,
            },
            auth=self._auth(credentials),
            accepted_id=self._accepted_id,
        )

    def read_log(self, query: LogQuery, credentials: Credentials, cursor: str = "") -> LogPage:
        """`GET /v1/Account/{auth_id}/Message/`: newest first, times in UTC, paged by an offset (list all messages).

        A row that comes later than others of its time moves those behind it to a later offset: a walk over the pages
        then sees a row twice, and misses none.
        """
        offset = bounded_int(cursor, 0, most=100_000_000)
        answer = http.get_json(
            self._messages_url(credentials),
            {
                "message_direction": "inbound" if query.inbound else "outbound",
                "message_time__gte": _log_time(query.since),
                "message_time__lte": _log_time(query.until),
                "limit": str(_PAGE),
                "offset": str(offset),
            },
            auth=self._auth(credentials),
        )
        return _log_page(answer, query, offset)

    def application(self, number: str, credentials: Credentials) -> str:
        """`GET /v1/Account/{auth_id}/Number/{number}/`: the id at the end of `application`, which may be null."""
        answer = http.get_json(self._number_url(number, credentials), {}, auth=self._auth(credentials))
        if not isinstance(answer, dict) or "application" not in answer:
            raise Unavailable("not a number's record")
        named = answer["application"] or ""
        found = _APPLICATION.fullmatch(named) if isinstance(named, str) else None
        if named and not found:
            raise Unavailable("an application of no known form")
        return found[1] if found else ""

    def attach(self, number: str, application: str, credentials: Credentials) -> None:
        """`POST` to the same address with `app_id`, which may be ""; texts and calls share the application."""
        http.change(self._number_url(number, credentials), json={"app_id": application}, auth=self._auth(credentials))

    def examine(self, lines: Sequence[Line], credentials: Credentials) -> Sequence[Finding]:
        """`GET /v1/Account/{auth_id}/`, then each number's record and its application's addresses."""

        def account() -> Iterable[Finding]:
            found = self._record("", credentials)
            credit = str(found.get("cash_credits") or "?")
            yield right(translated("The provider knows the account. Credit: %(credit)s.") % {"credit": credit})

        def number(line: Line) -> Iterable[Finding]:
            named = self.application(line.number, credentials)
            if not named:
                words = translated("%(number)s: it is attached to no application, so nothing arrives.")
                yield wrong(words % {"number": line.number})
                return
            found = self._record(f"Application/{named}/", credentials)
            yield examining.address(line, "message_url", found.get("message_url"), line.message_address)
            if line.call_address:
                for name in ("answer_url", "hangup_url"):
                    yield examining.address(line, name, found.get(name), line.call_address)

        return examining.asked(account, number, lines)

    def _record(self, path: str, credentials: Credentials) -> dict[str, Any]:
        url = f"{self.api_url()}/v1/Account/{credentials.get('auth_id', '')}/{path}"
        answer = http.get_json(url, {}, auth=self._auth(credentials))
        if not isinstance(answer, dict):
            raise Unavailable("not a record")
        return answer

    def _messages_url(self, credentials: Credentials) -> str:
        return f"{self.api_url()}/v1/Account/{credentials.get('auth_id', '')}/Message/"

    def _number_url(self, number: str, credentials: Credentials) -> str:
        return f"{self.api_url()}/v1/Account/{credentials.get('auth_id', '')}/Number/{number.removeprefix('+')}/"

    @staticmethod
    def _auth(credentials: Credentials) -> tuple[str, str]:
        return credentials.get("auth_id", ""), credentials.get("auth_token", "")

    def api_url(self) -> str:
        return str(settings.PLIVO_API_URL)

    @staticmethod
    def _accepted_id(answer: object) -> str | None:
        """The id, "" where Plivo accepted the call and refused the destination, None where it cannot be read."""
        ids = answer.get("message_uuid") if isinstance(answer, dict) else None
        if isinstance(ids, list) and all(isinstance(item, str) for item in ids):
            return ids[0] if ids else ""
        return None


def _log_time(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _log_page(answer: object, query: LogQuery, offset: int) -> LogPage:
    """The page at `offset`. Its `meta` may lack the total, and names a next page also after the last row."""
    meta, rows = (answer.get("meta"), answer.get("objects")) if isinstance(answer, dict) else (None, None)
    if not isinstance(meta, dict) or not isinstance(rows, list) or "next" not in meta:
        raise Unavailable("not a list of messages")
    if meta.get("offset", offset) != offset:
        raise Unavailable("another page than was asked for")
    entries = tuple(_log_entry(row, query) for row in rows)
    seen, total = offset + len(entries), meta.get("total_count")
    more = meta["next"] is not None and bool(entries)
    if not more and isinstance(total, int) and seen < total:
        raise Unavailable("fewer rows than it counts")
    return LogPage(entries, str(seen) if more else None)


def _log_entry(row: object, query: LogQuery) -> LogEntry:
    """Raises `Unavailable` for a row that nothing can be told by: it may be the one that is looked for."""
    fields = {key: str(value) for key, value in row.items() if value is not None} if isinstance(row, dict) else {}
    try:
        at = datetime.datetime.fromisoformat(fields.get("message_time", ""))
    except ValueError as error:
        raise Unavailable("a row without a time") from error
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.UTC)
    direction = "inbound" if query.inbound else "outbound"
    if not fields.get("message_uuid") or fields.get("message_direction") != direction:
        raise Unavailable("a row without an id, or of the other direction")
    if not query.since - _ROUNDING <= at <= query.until + _ROUNDING:
        raise Unavailable("a row of another time than was asked for")
    return LogEntry(
        id=fields["message_uuid"],
        inbound=query.inbound,
        sender=fields.get("from_number", ""),
        recipient=fields.get("to_number", ""),
        at=at,
        status=STATUSES.get(fields.get("message_state", "").casefold()),
        error_code="" if fields.get("error_code") == "000" else fields.get("error_code", "")[:16],
        units=bounded_int(fields.get("units", ""), 0) or None,
        cost=bounded_decimal(fields.get("total_amount", "")),
    )
