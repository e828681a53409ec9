"""The lists of alerts and of changes of level: what was told by mail, and what a mailbox may have lost."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from organizations.scoped_admin import ReadOnlyAdmin, ScopedRelatedFilter
from shield import sentences
from shield.models import Alert, LevelChange

from . import telling


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """What concerns the platform alone belongs to no organization, and so to the operator's list."""

    list_display = ("at", "what", "told_badge", "organization")
    list_display_links = ("at",)
    list_select_related = ("organization", "hotline", "spending", "change", "detachment")
    list_filter = ("kind", ("organization", ScopedRelatedFilter))
    ordering = ("-at",)
    readonly_fields = ("what",)
    fieldsets: ClassVar[Any] = ((None, {"fields": ("at", "kind", "what", "told_at", "organization")}),)

    @admin.display(description=gettext_lazy("alert"))
    def what(self, alert: Alert) -> str:
        return telling.sentence(alert)

    @display(description=gettext_lazy("mail"), label={"told": "success", "waits": "info"})  # type: ignore[untyped-decorator]
    def told_badge(self, alert: Alert) -> tuple[str, str]:
        return ("told", _("sent")) if alert.told_at else ("waits", _("waits"))


@admin.register(LevelChange)
class LevelChangeAdmin(ReadOnlyAdmin):
    """Every raid, and when it ended; nothing here can be changed."""

    list_display = ("at", "hotline", "levels", "why", "organization")
    list_display_links = ("at",)
    list_select_related = ("organization", "hotline")
    list_filter = ("after", ("hotline", ScopedRelatedFilter), ("organization", ScopedRelatedFilter))
    ordering = ("-at",)
    readonly_fields = ("levels", "why")
    fieldsets: ClassVar[Any] = ((None, {"fields": ("at", "hotline", "levels", "why", "organization")}),)

    @admin.display(description=gettext_lazy("level"))
    def levels(self, change: LevelChange) -> str:
        return str(change)

    @admin.display(description=gettext_lazy("why"))
    def why(self, change: LevelChange) -> str:
        return sentences.cause(change)
