"""What people see when a page cannot be made."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults

from partners.api import problems

_RETRY_AFTER = 60


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, for programs as for people."""
    if request.path.startswith("/api/"):
        return problems.response(404, "The API has no such address.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """500; or 503 where it was the database that did not answer, or the counters of second factors, because then there
    is something better to say.
    """
    error = sys.exc_info()[1]
    page = "503.html" if isinstance(error, OperationalError | InterfaceError) else ""
    if request.path.startswith("/accounts/") and _of_redis(error):
        page = "paravent/login_unavailable.html"
    if request.path.startswith("/api/"):
        response = problems.response(503 if page else 500)
        if page:
            response.headers["Retry-After"] = str(_RETRY_AFTER)
        return response
    if not page:
        return defaults.server_error(request)
    response = render(request, page, status=503)
    response.headers["Retry-After"] = str(_RETRY_AFTER)
    return response


def _of_redis(error: BaseException | None) -> bool:
    """Told by its module's name: the embedded default has no Redis, and does not install its client."""
    return type(error).__module__.partition(".")[0] in {"redis", "django_redis"}
