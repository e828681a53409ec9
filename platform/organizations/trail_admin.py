"""The page of the trail: who changed what, newest first."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .keyset import KeysetAdmin
from .models import Trail
from .scoped_admin import ScopedRelatedFilter
from .tenancy import OWN


@admin.register(Trail)
class TrailAdmin(KeysetAdmin):
    view_roles = OWN
    newest_by = "at"
    list_display = ("at", "who", "about", "what", "organization")
    list_display_links = ("at",)
    list_select_related = ("organization", "entry__user", "entry__content_type")
    list_filter = (("organization", ScopedRelatedFilter),)
    readonly_fields = ("who", "about", "what")
    fieldsets: ClassVar[Any] = ((None, {"fields": ("at", "who", "about", "what", "organization")}),)

    @admin.display(description=gettext_lazy("who"))
    def who(self, row: Trail) -> str:
        return row.entry.user.get_username()

    @admin.display(description=gettext_lazy("about"))
    def about(self, row: Trail) -> str:
        entry = row.entry
        kind = entry.content_type.name if entry.content_type else ""
        return f"{kind}: {entry.object_repr}"

    @admin.display(description=gettext_lazy("what"))
    def what(self, row: Trail) -> str:
        done = {1: _("added"), 2: _("changed"), 3: _("deleted")}
        return row.entry.get_change_message() or done[row.entry.action_flag]
