"""The password again, before what somebody who found a browser open must not do (SECURITY.md I3; OWASP ASVS 7.5.3)."""

from __future__ import annotations

import datetime

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_ratelimit.core import get_usage
from unfold.widgets import UnfoldAdminPasswordWidget

#: After so long it is asked for again.
GOOD_FOR = datetime.timedelta(minutes=10)
_SINCE = "password_given_at"
#: Wrong ones of one user: they must not all be tried.
_GUESSES = "5/h"


def field() -> forms.CharField:
    """For a form that takes it out again where it was `given_lately`, and whose `clean_password` asks `check`."""
    return forms.CharField(
        label=gettext_lazy("Your password"),
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )


def given_lately(request: HttpRequest) -> bool:
    given = parse_datetime(request.session.get(_SINCE, ""))
    return given is not None and timezone.now() - given < GOOD_FOR


def check(request: HttpRequest, password: str) -> None:
    """Remember in the session that it was given. Raises `ValidationError` where it is wrong, or too many were."""
    if _guesses(request, increment=False):
        raise ValidationError(_("Too many wrong passwords. Nothing was done; try again in an hour."), code="guesses")
    if not request.user.check_password(password):
        _guesses(request, increment=True)
        raise ValidationError(_("This is not your password. Nothing was done."), code="password")
    request.session[_SINCE] = timezone.now().isoformat()


def _guesses(request: HttpRequest, *, increment: bool) -> bool:
    """Whether this user has had her wrong passwords of the hour, or the counter does not answer."""
    usage = get_usage(
        request, group="password", key=lambda _group, asked: str(asked.user.pk), rate=_GUESSES, increment=increment
    )
    return usage is None or usage["count"] >= usage["limit"]
