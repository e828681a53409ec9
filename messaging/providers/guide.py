"""The step of a new number that is about its account and the provider's side of it."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from hotlines.guide import Standing, Step
from hotlines.models import Hotline


def connection(_request: HttpRequest, hotline: Hotline) -> Step:
    """Whether the provider has been asked, and what it said."""
    account = hotline.account
    title = _("Connection to the provider")
    named = {"account": account.label}
    if not account.credentials_sealed:
        said = _("The account “%(account)s” has no credentials yet.") % named
        url = reverse("admin:hotlines_account_change", args=(account.pk,))
        return Step(title, Standing.TODO, [said], url, _("Enter the credentials"))
    url = reverse("admin:hotlines_account_connection", args=(account.pk,))
    if account.examined_at is None:
        said = _("The provider has not been asked yet whether the account and its addresses are right.")
        return Step(title, Standing.TODO, [said], url, _("Test the connection"))
    moment = date_format(timezone.localtime(account.examined_at), "SHORT_DATETIME_FORMAT")
    if account.examined_right:
        said = _("Tested on %(moment)s: nothing was wrong.") % {"moment": moment}
    else:
        said = _("Tested on %(moment)s: something is wrong.") % {"moment": moment}
    standing = Standing.DONE if account.examined_right else Standing.TODO
    return Step(title, standing, [said], url, _("Test the connection again"))
