"""The page of an organization's own kinds of number. One is made of a number, on that number's page."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminTextInputWidget

from organizations.scoped_admin import DialogForm, ScopedAdmin, ScopedRelatedFilter

from . import durations
from .models import OwnKind

_HOUR = 3600


class KindForm(DialogForm):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("What you choose it by when you add a number: “festival”, “bar evenings”."),
    )


@admin.register(OwnKind)
class OwnKindAdmin(ScopedAdmin):
    list_display = ("name", "limit_told", "texts_told", "created_at", "organization")
    list_select_related = ("organization",)
    list_filter = (("organization", ScopedRelatedFilter),)
    readonly_fields = ("limit_told", "delay_told", "texts_told", "created_at")
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("organization", "name", "limit_told", "delay_told", "texts_told", "created_at")}),
    )

    def has_add_permission(self, request: Any) -> bool:
        return False

    @admin.display(description=gettext_lazy("reply limit"))
    def limit_told(self, kind: OwnKind) -> str:
        return f"{kind.reply_limit} / {durations.spoken(kind.window_hours * _HOUR)}"

    @admin.display(description=gettext_lazy("Safety delay"))
    def delay_told(self, kind: OwnKind) -> str:
        return durations.spoken(kind.delay_seconds)

    @admin.display(description=gettext_lazy("texts"))
    def texts_told(self, kind: OwnKind) -> str:
        return ngettext("%(count)d text", "%(count)d texts", len(kind.texts)) % {"count": len(kind.texts)}
