"""The request's body as it was signed: bytes, bounded, and in the one media type its provider uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.http import UnreadablePostError
from django.utils.translation import gettext_lazy as _
from rest_framework import negotiation, status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The request is larger than a message can be. Nothing was stored.")
    default_code = "too_large"


class SignedBodyParser(BaseParser):
    """Reads at most `WEBHOOK_BODY_LIMIT` bytes; a form parser would decode what the signature covers as bytes."""

    def parse(  # type: ignore[override]
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> bytes:
        limit: int = settings.WEBHOOK_BODY_LIMIT
        try:
            body: bytes = stream.read(limit + 1)
        except UnreadablePostError as error:
            raise ParseError from error  # the client went away, or wrote less than it said
        if len(body) > limit:
            raise TooLarge
        return body


class FormBody(SignedBodyParser):
    media_type = "application/x-www-form-urlencoded"


class JSONBody(SignedBodyParser):
    media_type = "application/json"


class OneRenderer(negotiation.BaseContentNegotiation):
    """A provider's Accept header says nothing we could act upon, and must not turn a message into a 406."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return negotiation.DefaultContentNegotiation().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type
