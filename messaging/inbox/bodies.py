"""The request's body as it was signed: bytes, bounded and whole."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, UnreadablePostError
from django.utils.translation import gettext_lazy as _
from rest_framework import negotiation, status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class LengthRequired(APIException):
    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = _("Send a Content-Length: a body of unknown length is not read. Nothing was stored.")
    default_code = "length_required"


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The request is larger than a message can be. Nothing was stored.")
    default_code = "too_large"


def read_body(request: HttpRequest) -> bytes:
    """At most `WEBHOOK_BODY_LIMIT` bytes, unparsed: a form parser would decode what the signature covers as bytes.

    Raises `LengthRequired`, `TooLarge`, or `ParseError` for a body that broke off on its way: V2 covers no body, and
    half a text would hide the whole one that comes again.
    """
    if not request.META.get("CONTENT_LENGTH") and request.META.get("HTTP_TRANSFER_ENCODING"):
        # WSGI shows such a body as empty, and the signature would be blamed.
        raise LengthRequired
    limit: int = settings.WEBHOOK_BODY_LIMIT
    try:
        body = request.read(limit + 1)
    except UnreadablePostError as error:
        raise ParseError from error  # the client went away, or wrote less than it said
    if len(body) > limit:
        raise TooLarge
    if len(body) != _declared_length(request):
        raise ParseError
    return body


def _declared_length(request: HttpRequest) -> int:
    """`Content-Length`, read as Django reads it."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


class OneRenderer(negotiation.BaseContentNegotiation):
    """A provider's Accept header says nothing we could act upon, and must not turn a message into a 406."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None  # the body is read by `read_body`

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type
