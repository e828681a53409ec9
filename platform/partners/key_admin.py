"""Keys of the API and what they changed. They are the owners' to make: whoever has one reads without signing in."""

from __future__ import annotations

import datetime
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from organizations.password_again import PasswordAgain, given_lately
from organizations.scoped_admin import (
    DialogForm,
    ReadOnlyAdmin,
    ScopedAdmin,
    ScopedForm,
    ScopedRelatedFilter,
    dialog_action,
    page_action,
)
from organizations.tenancy import OWN
from organizations.widgets import CheckboxGroup

from .models import ApiKey, ApiWrite, Scope, keys
from .models.keys import allowed

#: What an owner may choose; SECURITY.md 5.2 allows a year at most.
LIVES = {90: gettext_lazy("three months"), 180: gettext_lazy("six months"), 365: gettext_lazy("a year")}
#: How long the old key goes on beside the new one.
OVERLAP = datetime.timedelta(days=7)


class Lines(forms.CharField):
    """A list, one entry on each line."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()][:50]


class KeyForm(PasswordAgain, ScopedForm):
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("It may"),
        choices=Scope.choices,
        widget=CheckboxGroup(gettext_lazy("It may")),
        help_text=gettext_lazy("A partner’s key reads numbers, figures and events, and nothing else."),
    )
    origins = Lines(
        label=gettext_lazy("Websites"),
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 2, "dir": "ltr"}),
        help_text=gettext_lazy(
            "Whose scripts may use it in a visitor’s browser, one on each line: https://www.example.org. None: only "
            "servers. Whoever visits such a site can read the key."
        ),
    )
    networks = Lines(
        label=gettext_lazy("Addresses"),
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 2, "dir": "ltr"}),
        help_text=gettext_lazy("From where alone it may be used, one on each line: 203.0.113.7 or 2001:db8::/48."),
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("It ends after"),
        coerce=int,
        choices=list(LIVES.items()),
        initial=365,
        widget=UnfoldAdminSelectWidget(),
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        audience = cleaned.get("audience") or self.instance.audience
        scopes = cleaned.get("scopes") or []
        if audience and (beyond := [scope for scope in scopes if scope not in allowed(audience)]):
            names = ", ".join(str(Scope(scope).label) for scope in beyond)
            self.add_error("scopes", _("A partner may not have: %(names)s.") % {"names": names})
        if not cleaned.get("every_page") and not cleaned.get("pages"):
            self.add_error("pages", _("Choose at least one, or all."))
        organization = cleaned.get("organization") or getattr(self.instance, "organization", None)
        if any(page.organization_id != getattr(organization, "pk", None) for page in cleaned.get("pages") or []):
            self.add_error("pages", _("It belongs to another organization."))
        return cleaned


class NewKeyForm(PasswordAgain):
    """What a new key in the place of another asks for, where anything is asked."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        super().__init__(request.POST if request.method == "POST" else None)


@admin.register(ApiKey)
class ApiKeyAdmin(ScopedAdmin):
    form = KeyForm
    view_roles = add_roles = change_roles = delete_roles = OWN
    list_display = ("label", "audience", "shown_mark", "state_badge", "expires_at", "last_used_at", "organization")
    list_select_related = ("organization",)
    list_filter = ("audience", "sandbox", ("organization", ScopedRelatedFilter))
    filter_horizontal = ()
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": ("organization", "label", "audience", "scopes", "sandbox"),
                "description": gettext_lazy(
                    "A key is for one site or one system, so that it can be revoked alone. It is shown once."
                ),
            },
        ),
        (
            gettext_lazy("Where it may be used"),
            {"fields": ("every_page", "pages", "origins", "networks", "days", "password")},
        ),
    )
    readonly_fields = ("shown_mark", "created_at", "created_by", "expires_at", "revoked_at", "last_used_at")
    actions_detail = ("rotate", "revoke")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        (general, first), (place, second) = super().get_fieldsets(request, obj)
        asked = {"days": obj is None, "password": obj is None and not given_lately(request)}
        second = {**second, "fields": [name for name in second["fields"] if asked.get(name, True)]}
        if obj is None:
            return (general, first), (place, second)
        known = ["shown_mark", *self.readonly_fields[1:]]
        return (general, first), (place, second), (gettext_lazy("Dates"), {"fields": known})

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  Django's signature
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"days": None, "password": None}) if obj else form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What a key was made for stays: it is known by that."""
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "audience", "sandbox") if obj else fixed

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The owners are told: whoever took over a session of one of them could stay by a key."""
        self._tell(request, obj)
        return super().log_addition(request, obj, message)

    def _tell(self, request: HttpRequest, row: ApiKey) -> None:
        subject = _("Paravent: a new key for the API")
        body = _(
            "%(user)s made the key “%(key)s” for %(organization)s. It may: %(scopes)s. If nobody of you wanted that, "
            "revoke it on its page, and end the sessions of that account."
        ) % {
            "user": request.user.get_username(),
            "key": row.label,
            "organization": row.organization,
            "scopes": ", ".join(str(Scope(scope).label) for scope in row.granted),
        }
        for address in row.organization.alert_addresses:
            EmailMessage(subject, body, settings.DEFAULT_FROM_EMAIL, [address]).send(fail_silently=True)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: Any) -> None:
        if not change:
            request.made_key = obj.new_secret()  # type: ignore[attr-defined]
            obj.created_by = request.user  # type: ignore[assignment]
            obj.expires_at = timezone.now() + datetime.timedelta(days=form.cleaned_data["days"])
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: Any = None) -> HttpResponse:
        return self._made(request, obj, request.made_key)  # type: ignore[attr-defined]

    def _made(self, request: HttpRequest, row: ApiKey, whole: str) -> HttpResponse:
        """The one page that shows it; nothing keeps it."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("The new key"),
            "subtitle": row.label,
            "opts": self.opts,
            "original": row,
            "secret": whole,
        }
        return TemplateResponse(request, "partners/key_made.html", context)

    @admin.display(description=gettext_lazy("begins with"))
    def shown_mark(self, key: ApiKey) -> str:
        return format_html('<bdi dir="ltr">{}_{}_…</bdi>', keys.PREFIXES[key.sandbox], key.mark)

    @display(description=gettext_lazy("state"), label={"usable": "success", "revoked": "danger", "expired": "warning"})  # type: ignore[untyped-decorator]
    def state_badge(self, key: ApiKey) -> tuple[str, str]:
        if key.revoked_at is not None:
            return "revoked", _("revoked")
        return ("usable", _("in use")) if key.usable else ("expired", _("expired"))

    @page_action(
        description=gettext_lazy("New key in its place"),
        icon="autorenew",
        roles=OWN,
        shown=lambda row: row.usable and row.replaced_by_id is None,
    )
    def rotate(self, request: HttpRequest, row: ApiKey) -> HttpResponse:
        """Asks first; the old key goes on for a week, so that nobody is without one."""
        form = NewKeyForm(request)
        if not form.is_valid():
            context = {
                **self.admin_site.each_context(request),
                "title": _("New key in its place"),
                "subtitle": row.label,
                "opts": self.opts,
                "original": row,
                "until": timezone.now() + OVERLAP,
                "form": form,
            }
            return TemplateResponse(request, "partners/key_rotate.html", context)
        with transaction.atomic():
            old = ApiKey.objects.select_for_update().get(pk=row.pk)
            if not old.usable or old.replaced_by_id is not None:
                messages.warning(request, _("There is a new key in the place of this one already."))
                return redirect("admin:partners_apikey_change", row.pk)
            new, whole = keys.replacement(old, request.user)
            ApiKey.objects.filter(pk=old.pk).update(
                expires_at=min(old.expires_at, timezone.now() + OVERLAP), replaced_by=new
            )
        self.log_change(request, row, "New key in its place.")
        self.log_addition(request, new, "In place of another.")
        return self._made(request, new, whole)

    @dialog_action(
        description=gettext_lazy("Revoke"),
        title=gettext_lazy("Revoke this key?"),
        text=gettext_lazy("Whoever uses it is refused from this moment, everywhere. This cannot be undone."),
        submit=gettext_lazy("Revoke"),
        icon="block",
        variant=ActionVariant.DANGER,
        roles=OWN,
        shown=lambda row: row.revoked_at is None,
    )
    def revoke(self, request: HttpRequest, row: ApiKey, form: DialogForm) -> str:
        ApiKey.objects.filter(pk=row.pk, revoked_at__isnull=True).update(revoked_at=timezone.now())
        self.log_change(request, row, "Revoked.")
        return _("The key is revoked.")


@admin.register(ApiWrite)
class ApiWriteAdmin(ReadOnlyAdmin):
    view_roles = OWN
    list_display = ("at", "key", "method", "path", "status", "organization")
    list_select_related = ("key", "organization")
    list_filter = (("key", ScopedRelatedFilter), ("organization", ScopedRelatedFilter))
    ordering = ("-at", "-pk")
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("at", "key", "method", "path", "status", "what_changed", "organization")}),
    )
    readonly_fields = ("what_changed",)

    @admin.display(description=gettext_lazy("changes"))
    def what_changed(self, row: ApiWrite) -> str:
        return keys.changes_told(row.changes)
