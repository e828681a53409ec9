"""The second factor (django-allauth): an app's code, a passkey or a recovery code after the password (SECURITY.md 5.2).

Who has none is led to choose one before she sees anything else, except in a demo.
"""

from __future__ import annotations

import base64
import ipaddress
import uuid
from collections.abc import Callable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from inbox import clients
from privacy import datakeys, vault

from . import mails

#: What is a second factor by itself; recovery codes only stand in for one that was lost.
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
_ALWAYS = frozenset({"/admin/login/", "/admin/logout/", "/admin/jsi18n/"})
#: Accounts belong to no organization: one person may be in several.
_PLATFORM = 0
_PLACE = vault.Place("mfa_authenticator", uuid.UUID(int=0), "data", _PLATFORM)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up: an operator makes accounts, and owners invite them."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """As everywhere here: what a proxy says counts only where it is one that is trusted."""
        try:
            return str(ipaddress.ip_address(clients.address(request)))
        except ValueError:
            return "0.0.0.0"  # noqa: S104  "not known", and nothing that is listened on

    def add_message(self, *_arguments: Any, **_named: Any) -> None:
        """allauth greets after each step, and the next page says enough."""

    def send_notification_mail(self, template_prefix: str, user: Any, *_arguments: Any, **_named: Any) -> None:
        """Tell her that a factor of hers changed: if it was not she, somebody has her password and her session."""
        body = _(
            "A second factor of your account %(name)s was added, removed or made anew just now. If it was not you, "
            "tell whoever runs this platform at once."
        )
        subject = _("Paravent: your second factor has changed")
        body %= {"name": user.get_username()}
        mails.to_person(user, subject, body)


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Keeps secrets sealed: whoever reads a stolen database cannot make codes."""

    def encrypt(self, text: str) -> str:
        sealed = vault.seal(text, _PLACE, datakeys.Purpose.ACCOUNTS, datakeys.FOREVER)
        return base64.b64encode(sealed).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        return vault.unseal(base64.b64decode(encrypted_text), _PLACE)


def forget(user: Any) -> int:
    """Remove all factors of somebody who lost them, end her sessions, and tell her; returns how many there were.

    With her next sign-in she chooses another. Who asks for this must have made sure that it is she.
    """
    removed: int = Authenticator.objects.filter(user=user).delete()[0]
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
    if removed:
        AccountAdapter().send_notification_mail("", user)
    return removed


def theme(request: HttpRequest) -> dict[str, Any]:
    """A context processor: what the admin's layout needs on allauth's pages."""
    return admin.site.each_context(request) if request.path.startswith("/accounts/") else {}


class RequireSecondFactor:
    """Leads who has no second factor to the page where she chooses one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._led_away(request) or self.get_response(request)

    def _led_away(self, request: HttpRequest) -> HttpResponse | None:
        if not settings.SECOND_FACTOR_REQUIRED or not request.path.startswith("/admin/"):
            return None
        if request.path in _ALWAYS or not request.user.is_authenticated or is_mfa_enabled(request.user, FACTORS):
            return None
        messages.info(request, _("Choose a second factor first: your password alone opens nothing here."))
        return redirect("mfa_index")
