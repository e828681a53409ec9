"""In which language an answer is: a public page's address says it, the API speaks English, and for all else people's
browsers do.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

_CODES = frozenset(code for code, _name in settings.LANGUAGES)


def of_path(path: str) -> str | None:
    """The language that an address fixes; None where it is the reader's."""
    if path.startswith("/api/"):
        return "en"
    first = path[1:].partition("/")[0]
    return first if first in _CODES else None


class LanguageMiddleware(LocaleMiddleware):
    """Django's, except where the address says it: then nothing depends on the browser, and caches may keep one answer
    for everybody.
    """

    def process_request(self, request: HttpRequest) -> None:
        language = of_path(request.path_info)
        if language is None:
            super().process_request(request)
            return
        translation.activate(language)
        request.LANGUAGE_CODE = language

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> Any:
        language = of_path(request.path_info)
        if language is None:
            return super().process_response(request, response)
        response.headers.setdefault("Content-Language", language)
        return response
