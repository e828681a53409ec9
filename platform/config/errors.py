"""What people see when a page cannot be made."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults

_RETRY_AFTER = 60


def server_error(request: HttpRequest) -> HttpResponse:
    """500; or 503 where it was the database that did not answer, because then there is something better to say."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        response = render(request, "503.html", status=503)
        response.headers["Retry-After"] = str(_RETRY_AFTER)
        return response
    return defaults.server_error(request)
