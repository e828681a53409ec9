"""The password again, before what somebody who found a browser open must not do (SECURITY.md I3; OWASP ASVS 7.5.3)."""

from __future__ import annotations

import datetime
from typing import Any

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


def given_lately(request: HttpRequest) -> bool:
    given = parse_datetime(request.session.get(_SINCE, ""))
    return given is not None and timezone.now() - given < GOOD_FOR


class PasswordAgain(forms.Form):
    """A form that asks for it, last of all, where it was not given lately; `request` is set before it is made."""

    request: HttpRequest
    password = forms.CharField(
        label=gettext_lazy("Your password"),
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.pop("password", None)
        if field is not None and not given_lately(self.request):
            self.fields["password"] = field

    def clean_password(self) -> str:
        """Remembered in the session that it was given. Raises `ValidationError` where it is wrong, or too many were."""
        if _guesses(self.request, increment=False):
            raise ValidationError(
                _("Too many wrong passwords. Nothing was done; try again in an hour."), code="guesses"
            )
        if not self.request.user.check_password(self.cleaned_data["password"]):
            _guesses(self.request, increment=True)
            raise ValidationError(_("This is not your password. Nothing was done."), code="password")
        self.request.session[_SINCE] = timezone.now().isoformat()
        return ""


def _guesses(request: HttpRequest, *, increment: bool) -> bool:
    """Whether this user has had her wrong passwords of the hour, or the counter does not answer."""
    usage = get_usage(
        request, group="password", key=lambda _group, asked: str(asked.user.pk), rate=_GUESSES, increment=increment
    )
    return usage is None or usage["count"] >= usage["limit"]
