"""The page of an account. Its form is made from what the provider's file asks for; secrets go in and never come out."""

from __future__ import annotations

import datetime
import re
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from hotlines import accounts
from hotlines.models import Account
from organizations.scoped_admin import (
    DialogForm,
    ScopedAdmin,
    ScopedForm,
    ScopedRelatedFilter,
    dialog_action,
    page_action,
)
from organizations.tenancy import OWN
from privacy import vault

from . import examining, registry
from .base import CredentialField

_PREFIX = "credential_"
_FORGET = "forget_"
_PRICES = ("tariff", "price_out", "price_in", "price_call", "billing_rate")
_LIMITS = (
    ("messages_per_hour", "messages_per_day", "messages_per_month"),
    ("recipients_per_hour", "recipients_per_day", "recipients_per_month"),
)
_COLUMNS = frozenset({"organization", "label", "provider", *_PRICES, *_LIMITS[0], *_LIMITS[1]})


class AccountForm(ScopedForm):
    """Asks for the credentials of one provider. An empty secret keeps what is stored; none is ever rendered."""

    asks: ClassVar[tuple[CredentialField, ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored = stored_credentials(self.instance)
        for asked in self.asks:
            self._show_stored(asked)
        if "provider" in self.fields:
            self.fields["provider"].choices = provider_choices()  # type: ignore[attr-defined]

    def _show_stored(self, asked: CredentialField) -> None:
        field, value = self.fields[_PREFIX + asked.name], self.stored.get(asked.name, "")
        field.required = asked.required and not value
        if not asked.secret:
            field.initial = value
            field.required = asked.required
        elif value:
            field.widget.attrs["placeholder"] = _("stored; leave empty to keep it")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        for asked in self.asks:
            value = cleaned.get(_PREFIX + asked.name)
            if value and asked.pattern and not re.fullmatch(asked.pattern, value, re.ASCII):
                self.add_error(_PREFIX + asked.name, ValidationError(asked.help_text or _("This does not look right.")))
        return cleaned

    def credentials(self) -> dict[str, str]:
        """What to store after this form: what was typed, and what stays because nothing was."""
        kept = {}
        for asked in self.asks:
            typed = self.cleaned_data.get(_PREFIX + asked.name, "")
            forgotten = self.cleaned_data.get(_FORGET + asked.name, False)
            value = typed if typed or not asked.secret or forgotten else self.stored.get(asked.name, "")
            if value:
                kept[asked.name] = value
        return kept


def stored_credentials(account: Account) -> dict[str, str]:
    """Empty where there are none, or where their key is gone and they must be entered again."""
    try:
        return account.credentials if account.pk else {}
    except vault.Unreadable:
        return {}


def provider_choices() -> list[tuple[str, Any]]:
    return [(name, registry.get(name).label) for name in registry.names()]


def asked_by(provider: str) -> tuple[CredentialField, ...]:
    """The credentials of `provider`; none where this installation does not offer it."""
    try:
        return registry.get(provider).credential_fields
    except registry.UnknownProvider:
        return ()


def form_for(provider: str) -> type[AccountForm]:
    """An account's form with one field for each of the provider's credentials."""
    fields: dict[str, Any] = {}
    asks = asked_by(provider)
    for asked in asks:
        widget = (
            UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
            if asked.secret
            else UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"})
        )
        fields[_PREFIX + asked.name] = forms.CharField(
            label=capfirst(asked.label), max_length=200, required=False, help_text=asked.help_text, widget=widget
        )
        if asked.secret and not asked.required:
            fields[_FORGET + asked.name] = forms.BooleanField(
                label=_("Forget: %(label)s") % {"label": asked.label}, required=False, widget=UnfoldBooleanWidget()
            )
    return type("AccountForm", (AccountForm,), {**fields, "asks": asks})


def _moment(moment: datetime.datetime) -> str:
    return date_format(localtime(moment), "SHORT_DATETIME_FORMAT")


def _silence_told(account: Account) -> str:
    told = _(
        "The provider does not answer since %(since)s; the next attempt is at %(next)s, and replies wait, "
        "a day at most."
    )
    moments = {"since": account.unanswered_since, "next": account.next_attempt_at}
    return told % {name: _moment(moment) for name, moment in moments.items() if moment}


@admin.register(Account)
class AccountAdmin(ScopedAdmin):
    add_roles = OWN
    change_roles = OWN
    delete_roles = OWN
    list_display = ("label", "provider_label", "sending", "organization")
    list_select_related = ("organization",)
    list_filter = (("organization", ScopedRelatedFilter),)
    actions_detail = ("resume_sending", "connection")

    @admin.display(description=gettext_lazy("provider"), ordering="provider")
    def provider_label(self, account: Account) -> Any:
        return dict(provider_choices()).get(account.provider, account.provider)

    @display(  # type: ignore[untyped-decorator]
        description=gettext_lazy("sending"),
        label={"paused": "danger", "on": "success", "missing": "warning", "silent": "warning"},
    )
    def sending(self, account: Account) -> tuple[str, Any]:
        if account.sending_paused_at:
            return "paused", _("paused")
        if not account.credentials_sealed:
            return "missing", _("no credentials")
        if account.next_attempt_at:
            return "silent", _("no answer")
        return "on", _("on")

    @admin.display(description=gettext_lazy("sending"))
    def sending_told(self, account: Account) -> str:
        if account.sending_paused_at is None:
            return _silence_told(account) if account.next_attempt_at else _("Sending is on.")
        since = _moment(account.sending_paused_at)
        told = _(
            "Paused since %(since)s: the provider refused the account (%(reason)s). Check credit and credentials there."
        )
        return told % {"since": since, "reason": account.sending_paused_reason}

    @admin.display(description=gettext_lazy("gateway"))
    def gateway_told(self, account: Account) -> str:
        """What it last said of itself."""
        life = account.gateway_life
        said = [_("Last heard of on %(moment)s.") % {"moment": _moment(life.seen_at)}]
        if life.battery is not None:
            said.append(_("Battery: %(percent)d %%.") % {"percent": life.battery})
        if life.failed:
            failed = ngettext(
                "In the hour before, %(count)d message failed there.",
                "In the hour before, %(count)d messages failed there.",
                life.failed,
            )
            said.append(failed % {"count": life.failed})
        return " ".join(said)

    def _shown(self, obj: Any) -> list[str]:
        """What an account that exists says of itself."""
        return ["sending_told", *(["gateway_told"] if hasattr(obj, "gateway_life") else [])] if obj else []

    def _provider(self, obj: Any) -> str:
        """The provider whose credentials are asked for: with a choice of several, only once it has been made."""
        offered = registry.names()
        return obj.provider if obj else offered[0] if len(offered) == 1 else ""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        stored = stored_credentials(obj) if obj else {}
        names = []
        for asked in asked_by(self._provider(obj)):
            names.append(_PREFIX + asked.name)
            if asked.secret and not asked.required and asked.name in stored:
                names.append(_FORGET + asked.name)
        identity = ["organization", "label", "provider_label" if obj else "provider"]
        wanted: list[Any] = [(None, {"fields": [*identity, *self._shown(obj)]})]
        if names and (obj is None or self.has_change_permission(request, obj)):
            description = _("Secrets are stored encrypted and never shown again. An empty field keeps what is stored.")
            wanted.append((_("Credentials"), {"fields": names, "description": description}))
        if obj is not None:
            wanted += self._money()
        return self.without_organization(request, obj, wanted)

    def _money(self) -> list[Any]:
        return [
            (
                _("Tariff"),
                {
                    "fields": _PRICES,
                    "description": _(
                        "In %(currency)s. Budgets count every reply at this price before it leaves. With a fixed fee, "
                        "prices stay empty."
                    )
                    % {"currency": settings.CURRENCY},
                },
            ),
            (
                _("Limits of a fixed fee"),
                {
                    "fields": _LIMITS,
                    "description": _(
                        "“Unlimited” has limits in the operator's terms: so many messages, so many different "
                        "recipients. Beyond them replies wait. An empty field is no limit."
                    ),
                },
            ),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), "provider_label", *self._shown(obj)) if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  Django's signature
        kwargs["form"] = form_for(self._provider(obj))
        return super().get_form(request, obj, change, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name != "provider":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        return forms.ChoiceField(
            label=gettext_lazy("Provider"), choices=provider_choices, widget=UnfoldAdminSelectWidget()
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        if form.asks:
            obj.credentials = form.credentials()
        columns = {*_COLUMNS.intersection(form.cleaned_data), "credentials_sealed"}
        credentials_changed = any(name.startswith(_PREFIX) for name in form.changed_data)
        if credentials_changed:
            obj.examined_at = obj.examined_right = None
            columns |= {"examined_at", "examined_right"}
        if change:
            # Only what the page is for: its other columns may have been written by a worker since they were read.
            obj.save(update_fields=columns)
        else:
            super().save_model(request, obj, form, change)
        if obj.sending_paused_at and credentials_changed:
            messages.warning(request, _("Sending is still paused. Choose “Resume sending” to try the new credentials."))

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        if not obj.credentials_sealed:
            messages.info(request, _("Now enter the credentials that the provider gave you."))
        return HttpResponseRedirect(self.row_url(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (not isinstance(obj, Account) or not obj.hotlines.exists())

    @page_action(description=gettext_lazy("Test the connection"), icon="network_check", roles=OWN)
    def connection(self, request: HttpRequest, row: Account) -> HttpResponse:
        """Asks the provider. It shows the numbers' secret addresses, so it is the owners'."""
        examined = examining.examine(row)
        Account.objects.filter(pk=row.pk).update(examined_at=now(), examined_right=examined.right)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Connection"),
            "subtitle": row.label,
            "opts": self.opts,
            "original": row,
            "examined": examined,
        }
        return TemplateResponse(request, "providers/connection.html", context)

    @dialog_action(
        description=gettext_lazy("Resume sending"),
        title=gettext_lazy("Resume sending on this account?"),
        text=gettext_lazy("Replies that wait are sent now. If the provider still refuses, sending is paused again."),
        submit=gettext_lazy("Resume sending"),
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        roles=OWN,
        shown=lambda account: account.sending_paused_at is not None,
    )
    def resume_sending(self, request: HttpRequest, row: Account, form: DialogForm) -> str:
        accounts.resume_sending(row)
        self.log_change(request, row, "Sending resumed.")
        return _("Sending is on again.")
