"""The webhook: the thin edge between a provider's request and receive().

The order is the cheapest first: shape, token, size and type, signature, parse, store, answer. Nothing outgoing happens
here. Only a database that does not answer makes a 5xx, because only then a provider's retry helps.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, ClassVar, NoReturn
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError
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
from outbox import reports
from providers import registry
from providers.base import NotVerified, Provider, SignedRequest, Unusable, Verification
from providers.registry import UnknownProvider

from . import clients, hooks, receive
from .bodies import OneRenderer, read_body
from .receive import Receipt

log = logging.getLogger("paravent.webhook")
security_log = logging.getLogger("paravent.security")

#: Gone, hung, locked, full, or (InternalError) a server that became read-only: a retry finds it well again.
_NO_ANSWER = (OperationalError, InterfaceError, InternalError)


class DatabaseDown(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The database does not answer. Nothing was stored; send the request again."
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
        try:
            hook = hooks.find(token)
            if hook is None or hook.provider != provider:
                self._refuse(request, NotFound(), "unknown token")
            speaker = registry.get(provider)
            signed = self._signed_request(request, speaker)
            verification = self._verify(request, hook, speaker, signed)
            receipt = self.accept(hook, speaker, signed, verification, **path)
        except UnknownProvider:
            raise NotFound from None
        except _NO_ANSWER as error:
            log.error("database does not answer: %s", type(error).__name__)
            raise DatabaseDown from error
        if receipt is Receipt.NONCE_REUSED:
            raise PermissionDenied
        return HttpResponse(speaker.acknowledgement.body, content_type=speaker.acknowledgement.content_type)

    def accept(
        self, hook: hooks.Hook, speaker: Provider, signed: SignedRequest, verification: Verification, **path: Any
    ) -> Receipt:
        raise NotImplementedError

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
        )

    def _verify(self, request: Request, hook: hooks.Hook, speaker: Provider, signed: SignedRequest) -> Verification:
        if request.META.get("QUERY_STRING"):
            self._refuse(request, PermissionDenied(), "query string")
        try:
            verification = speaker.verify(signed, hook.credentials)
        except NotVerified as error:
            self._refuse(request, PermissionDenied(), str(error))
        self._hold_pin(request, hook, speaker, verification)
        return verification

    def _hold_pin(self, request: Request, hook: hooks.Hook, speaker: Provider, verification: Verification) -> None:
        """Refuse a scheme weaker than one this endpoint has seen; remember a stronger one (SECURITY.md W5)."""
        schemes = speaker.schemes
        rank = schemes.index(verification.scheme)
        pinned = hook.pins.get(self.endpoint)
        if rank < len(schemes) - 1:
            pinned = hooks.pinned_scheme(hook.hotline_id, self.endpoint)
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

    def accept(
        self, hook: hooks.Hook, speaker: Provider, signed: SignedRequest, verification: Verification, **path: Any
    ) -> Receipt:
        try:
            message = speaker.parse_message(signed)
            if not receive.addressed_to(hook, message):
                raise Unusable("addressed to another number", message.id)
        except Unusable as error:
            log.warning("unreadable message on hotline %s: %s", hook.hotline_id, error)
            return receive.keep_unreadable(hook, signed.body, str(error), verification, timezone.now())
        return receive.receive(hook, message, verification)


class ReportHook(SignedHook):
    """The path names the reply, so that a report proves its acceptance even where our own call timed out."""

    endpoint = EndpointPin.Endpoint.REPORT.value

    def accept(
        self, hook: hooks.Hook, speaker: Provider, signed: SignedRequest, verification: Verification, **path: Any
    ) -> Receipt:
        reply: UUID = path["reply"]
        try:
            report = speaker.parse_report(signed)
        except Unusable as error:
            # Nobody waits for a report: it is said in the log, and 2xx ends the provider's retries.
            log.warning("unusable report on hotline %s: %s", hook.hotline_id, error)
            return Receipt.DUPLICATE
        stored = reports.take(
            hook.organization_id,
            hook.account_id,
            hook.hotline_id,
            reply,
            report,
            body=signed.body,
            nonce_hash=receive.nonce_hash(verification),
        )
        return Receipt.STORED if stored else Receipt.NONCE_REUSED
