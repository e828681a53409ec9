"""A mail to her when her account is used from a browser it was never used from (SECURITY.md 5.2).

A browser is known by a signed cookie that names the accounts which signed in with it, and is kept nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from allauth.account.signals import user_logged_in
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from . import mails

COOKIE = "paravent_device"
_SALT = "config.devices"
_KEPT = 365 * 24 * 3600
#: Accounts that one browser is known for; an office's may be several people's.
_MOST = 10
_NEW = "_signed_in_here"


class RememberDevice:
    """Writes the cookie with the answer to a sign-in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        accounts: list[str] | None = getattr(request, _NEW, None)
        if accounts is not None:
            response.set_signed_cookie(
                COOKIE,
                ".".join(accounts[:_MOST]),
                salt=_SALT,
                max_age=_KEPT,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response


def _accounts(request: HttpRequest) -> list[str]:
    written = request.get_signed_cookie(COOKIE, default="", salt=_SALT, max_age=_KEPT)
    return [name for name in (written or "").split(".") if name]


def _name(user: Any) -> str:
    """Of an account, for the cookie: another after each change of its password, and nobody's number."""
    return hashlib.blake2b(f"{user.pk}|{user.password}".encode(), digest_size=9).hexdigest()


def signed_in(request: HttpRequest | None = None, user: Any = None, **_signal: object) -> None:
    """Tell her where this browser is new to her account, and remember it."""
    if request is None or user is None:
        return
    known, name = _accounts(request), _name(user)
    setattr(request, _NEW, [name, *(other for other in known if other != name)])
    if name not in known:
        _tell(request, user)


def _tell(request: HttpRequest, user: Any) -> None:
    agent = request.headers.get("User-Agent", "")[:200]
    body = _(
        "Your account %(name)s was used from a browser that is new to it, on %(moment)s UTC.\n\n"
        "Browser: %(agent)s\n\n"
        "If it was you, all is well. If not, change your password now and sign out everywhere else: %(page)s"
    ) % {
        "name": user.get_username(),
        "moment": date_format(timezone.now(), "SHORT_DATETIME_FORMAT"),
        "agent": agent or "–",
        "page": f"{settings.PUBLIC_URL}/accounts/sessions/",
    }
    subject = _("Paravent: signed in from a new browser")
    mails.to_person(user, subject, body)


user_logged_in.connect(signed_in, dispatch_uid="config.devices.signed_in")
