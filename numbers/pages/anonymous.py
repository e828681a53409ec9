"""Views that know nobody: whatever cookie comes with a request, the answer is the same, and sets none.

A cache on the way may keep it for all. The session that the middleware has opened by then is let go of, or it would
write a signed-in person's cookie into an answer for everybody.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from django.views.defaults import page_not_found

#: A page may be published a minute after somebody asked for it.
_NOT_KEPT = "no-store"


def anonymous(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Only for GET and HEAD, without session, messages and cookies; a page that is missing is kept by no cache."""

    @csrf_exempt  # nothing is written here, and 405 says more than 403
    @require_safe
    @functools.wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        forget_reader(request)
        try:
            return view(request, *args, **kwargs)
        except Http404 as missing:
            answer = page_not_found(request, missing)
            answer.headers["Cache-Control"] = _NOT_KEPT
            return answer

    return wrapper


def forget_reader(request: HttpRequest) -> None:
    """Their middleware leaves a request alone that has none of these."""
    request.COOKIES = {}
    request.META.pop("CSRF_COOKIE_NEEDS_UPDATE", None)
    for name in ("session", "_messages"):
        if hasattr(request, name):
            delattr(request, name)
