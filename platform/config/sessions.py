"""How long a sign-in lasts (SECURITY.md 5.2): eight hours, and half an hour without a click."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from .headers import PEOPLE

IDLE = 30 * 60
#: The session is written at most once in so many seconds, since each write is one to the database.
_WRITTEN = 60
_BEGAN, _SEEN = "began", "seen"
#: Asked for by a page that renews itself, and so no sign of a person.
BY_ITSELF = "X-By-Itself"


class SessionLimits:
    """Ends a session that is over, before any page sees who it was."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Nobody else's pages know who signed in: they are the same for all, and caches may keep them.
        if request.path.startswith(PEOPLE) and request.user.is_authenticated:
            self._judge(request)
        return self.get_response(request)

    def _judge(self, request: HttpRequest) -> None:
        now = time.time()
        began, seen = request.session.get(_BEGAN, now), request.session.get(_SEEN, now)
        if now - began > settings.SESSION_COOKIE_AGE or now - seen > IDLE:
            logout(request)
            messages.info(request, _("You were signed out because nothing happened for a while. Nothing is lost."))
        elif _SEEN not in request.session or (now - seen > _WRITTEN and BY_ITSELF not in request.headers):
            request.session[_BEGAN], request.session[_SEEN] = began, now


def begin(request: HttpRequest | None = None, **_signal: object) -> None:
    """A sign-in: its clock starts."""
    if request is not None and hasattr(request, "session"):
        request.session[_BEGAN] = request.session[_SEEN] = time.time()


user_logged_in.connect(begin, dispatch_uid="config.sessions.begin")
