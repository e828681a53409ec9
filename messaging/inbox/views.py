"""The webhook: the thin edge between a provider's request and receive().

The order is the cheapest first: shape, token, size and type, signature, parse, store, answer. Nothing outgoing happens
here. While the database does not answer, what is proven is kept in the spool; only where that fails too is there a
5xx, because only then a provider's retry helps.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.db import Error
from django.http import HttpResponse
from django.utils import timezone
from django_ratelimit.core import is_ratelimited
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    NotFound,
    PermissionDenied,
    Throttled,
    UnsupportedMediaType,
)
from rest_framework.request import Request
from rest_framework.views import APIView

from hotlines.models import EndpointPin
from outbox import faults
from providers import registry
from providers.base import Acknowledgement, NotVerified, Provider, SignedRequest, Verification
from providers.registry import UnknownProvider

from . import calls, clients, deadline, drain, hooks, outage, spool
from .accept import accept
from .arrival import Arrival
from .bodies import OneRenderer, read_body
from .last_known import Proof
from .receipts import Receipt
from .receive import Later

log = logging.getLogger("paravent.webhook")
security_log = logging.getLogger("paravent.security")


class DatabaseDown(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Neither the database nor the disk takes it. Nothing was stored; send the request again."
    default_code = "database_down"


class SignedHook(APIView):
    """What every endpoint of a hotline has in common: it proves the request before it looks at it."""

    http_method_names = ("post",)  # an answer to OPTIONS would describe us to anybody
    authentication_classes = ()
    permission_classes = ()  # the signature is the permission
    parser_classes = ()
    content_negotiation_class = OneRenderer
    endpoint: ClassVar[str]

    def post(self, request: Request, provider: str, token: str, **path: Any) -> HttpResponse:
        with deadline.armed():
            try:
                hook = hooks.find(token)
            except Error as error:
                raise DatabaseDown from error
            if hook is None or hook.provider != provider:
                self._refuse(request, NotFound(), "unknown token")
            try:
                speaker = registry.get(provider)
            except UnknownProvider:
                raise NotFound from None
            signed = self._signed_request(request, speaker)
            verification = self._verify(request, hook, speaker, signed)
            arrival = Arrival(self.endpoint, provider, hook.hotline_id, signed, verification, timezone.now(), **path)
            answer = self._answer(hook, arrival, speaker)
        return HttpResponse(answer.body, content_type=answer.content_type)

    def _answer(self, hook: Proof, arrival: Arrival, speaker: Provider) -> Acknowledgement:
        if _received(hook, arrival) is Receipt.NONCE_REUSED:
            raise PermissionDenied
        return speaker.acknowledgement

    def _signed_request(self, request: Request, speaker: Provider) -> SignedRequest:
        body = read_body(request._request)
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        if body and media_type != speaker.content_type:
            raise UnsupportedMediaType(media_type)
        meta = request.META
        return SignedRequest(
            method="POST",
            url=settings.PUBLIC_URL + request.path,
            headers={name: meta[key] for name, key in _meta_keys(speaker.signature_headers) if key in meta},
            body=body,
            client=clients.address(request._request),
        )

    def _verify(self, request: Request, hook: Proof, speaker: Provider, signed: SignedRequest) -> Verification:
        if request.META.get("QUERY_STRING"):
            self._refuse(request, PermissionDenied(), "query string")
        try:
            verification = speaker.verify(signed, hook.credentials)
        except NotVerified as error:
            self._refuse(request, PermissionDenied(), str(error))
        self._hold_pin(request, hook, speaker, verification)
        return verification

    def _hold_pin(self, request: Request, hook: Proof, speaker: Provider, verification: Verification) -> None:
        """Refuse a scheme weaker than one this endpoint has seen; remember a stronger one (SECURITY.md W5)."""
        schemes = speaker.schemes
        rank = schemes.index(verification.scheme)
        pinned = hook.pins.get(self.endpoint)
        if rank < len(schemes) - 1:
            pinned = hooks.pinned_scheme(hook, self.endpoint)
        pinned_rank = schemes.index(pinned) if pinned in schemes else 0
        if rank < pinned_rank:
            self._refuse(request, PermissionDenied(), f"{verification.scheme} after {pinned}")
        if rank > pinned_rank:
            hooks.pin(hook.hotline_id, self.endpoint, verification.scheme)

    def _refuse(self, request: Request, answer: APIException, reason: str) -> NoReturn:
        """Nothing was stored. Past the rate, even the log is spared; what is signed never comes here."""
        limited = is_ratelimited(
            request._request,
            group="webhook-refused",
            key=lambda _group, bare: clients.network(bare),
            rate=settings.WEBHOOK_FAILURE_RATE,
            increment=True,
        )
        if limited:
            raise Throttled(wait=60)
        security_log.warning("webhook refused: %s", reason)
        raise answer


@functools.cache
def _meta_keys(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Header names beside the names that WSGI gives them."""
    return tuple((name, "HTTP_" + name.upper().replace("-", "_")) for name in names)


class MessageHook(SignedHook):
    endpoint = EndpointPin.Endpoint.MESSAGE.value


class ReportHook(SignedHook):
    """The path names the reply, so that a report proves its acceptance even where our own call timed out."""

    endpoint = EndpointPin.Endpoint.REPORT.value


class CallHook(SignedHook):
    """Somebody calls, and the provider waits to be told what to do with him; or it says that a call is over.

    Whatever fails here, the answer is one that the provider understands: the caller hears the busy tone.
    """

    endpoint = EndpointPin.Endpoint.CALL.value

    def _hold_pin(self, request: Request, hook: Proof, speaker: Provider, verification: Verification) -> None:
        if speaker.calls is None:
            self._refuse(request, NotFound(), "a provider without calls")
        if verification.scheme not in speaker.calls.schemes:
            self._refuse(request, PermissionDenied(), f"a call signed by {verification.scheme}")
        super()._hold_pin(request, hook, speaker, verification)

    def _answer(self, hook: Proof, arrival: Arrival, speaker: Provider) -> Acknowledgement:
        try:
            outage.require_database()
            if isinstance(hook, hooks.Hook):
                receipt, answer = calls.accept(hook, arrival)
                if receipt is Receipt.NONCE_REUSED:
                    raise PermissionDenied
                return answer
        except outage.NO_ANSWER as error:
            outage.noticed(error)
        except PermissionDenied:
            raise
        except Exception as error:  # noqa: BLE001  a caller must not be left in silence
            log.error("a call could not be decided: %s", faults.named(error))
        try:
            spool.current().append(arrival.packed())
        except spool.Full:
            log.error("a call was rejected, and neither the database nor the disk takes it")
        return calls.refusal_of(speaker)


def _received(hook: Proof, arrival: Arrival) -> Receipt | Later:
    """Store it in the database or, where that does not answer, on this host's disk.

    A fault of ours must not lose it either: it waits on disk, fails there again, and is set aside for a person.
    """
    receipt: Receipt | Later | None = None
    try:
        outage.require_database()
        if isinstance(hook, hooks.Hook):
            receipt = accept(hook, arrival, may_wait=drain.running())
    except outage.NO_ANSWER as error:
        outage.noticed(error)
    except Exception as error:  # noqa: BLE001  a provider offers it a few times only
        log.error("a request could not be taken, it is kept on disk: %s", faults.named(error))
    if isinstance(receipt, Receipt):
        return receipt
    try:
        spool.current().append(arrival.packed(receipt.row if receipt else None))
    except spool.Full as error:
        if outage.is_answering() and isinstance(hook, hooks.Hook):
            return _at_once(hook, arrival)
        raise DatabaseDown from error
    return Receipt.STORED


def _at_once(hook: hooks.Hook, arrival: Arrival) -> Receipt | Later:
    """What would have waited on disk, had the disk room for it: out of its order, but not refused."""
    try:
        return accept(hook, arrival)
    except Error as error:
        outage.noticed(error)
        raise DatabaseDown from error
