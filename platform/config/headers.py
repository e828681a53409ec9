"""Headers that depend on where a page lives."""

from __future__ import annotations

from csp.middleware import CSPMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

PEOPLE = ("/admin/", "/accounts/")
_WITH_FORMS = (*PEOPLE, "/rights/")


class PolicyMiddleware(CSPMiddleware):
    """The strict policy everywhere; the admin's theme alone needs 'unsafe-eval' and inline styles (DESIGN.md).

    What a signed-in person sees is never stored by a browser or a proxy (SECURITY.md I6).
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.path.startswith(PEOPLE):
            response._csp_update = {  # type: ignore[attr-defined]  # noqa: SLF001  what django-csp's decorators set
                "script-src": ["'unsafe-eval'"],
                "style-src": ["'unsafe-inline'"],
            }
            response.headers["Cache-Control"] = "no-store"
        if request.path.startswith(_WITH_FORMS):
            # Under "no-referrer" a browser posts a form with `Origin: null`, which CSRF protection refuses.
            response.headers["Referrer-Policy"] = "same-origin"
        result: HttpResponseBase = super().process_response(request, response)
        return result
