"""The one thing about a request that Django cannot survive."""

from __future__ import annotations

from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest


class Request(WSGIRequest):
    """A content type that cannot be parsed counts as none.

    Django parses it while it builds the request, before any handler of its own could answer: `x*=bogus''a` or a NUL in
    a charset would make anybody's request a 500 with a traceback.
    """

    def _set_content_type_params(self, meta: Any) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]
        except ValueError:
            meta["CONTENT_TYPE"] = ""
            super()._set_content_type_params(meta)  # type: ignore[misc]


class Handler(WSGIHandler):
    request_class = Request
