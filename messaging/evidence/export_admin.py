"""The page of exports: who asked, who approved, what was taken."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from organizations.scoped_admin import DialogForm, ReadOnlyAdmin, ScopedRelatedFilter, dialog_action
from organizations.tenancy import OWN

from . import exporting, signing
from .models import Export

_STATES = {
    "waiting": gettext_lazy("waits for approval"),
    "approved": gettext_lazy("approved"),
    "taken": gettext_lazy("taken"),
}
_COLOURS = {"waiting": "warning", "approved": "info", "taken": "success"}


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "name", "reason", "asked_by", "approved_by", "state_badge", "organization")
    list_select_related = ("organization", "asked_by", "approved_by")
    list_filter = (("organization", ScopedRelatedFilter),)
    fieldsets = (
        (None, {"fields": ("organization", "subject_linked", "reason")}),
        (gettext_lazy("Four eyes"), {"fields": ("asked_by", "asked_at", "approved_by", "approved_at")}),
        (gettext_lazy("The file"), {"fields": ("taken_at", "digest", "public_key")}),
    )
    actions_detail = ("approve", "take")

    @admin.display(description=gettext_lazy("what it is about"))
    def subject_linked(self, asked: Export) -> str:
        if asked.conversation_id is not None:
            url = reverse("admin:conversations_conversation_change", args=[asked.conversation_id])
        elif asked.raid_id is not None:
            url = reverse("admin:shield_levelchange_change", args=[asked.raid_id])
        else:
            return asked.name
        return format_html('<a class="pv-link" href="{}">{}</a>', url, asked.name)

    @admin.display(description=gettext_lazy("Public key"))
    def public_key(self, asked: Export) -> str:
        return format_html("<code>{}</code>", signing.public_key(asked.organization_id))

    @display(description=gettext_lazy("state"), label=_COLOURS)  # type: ignore[untyped-decorator]
    def state_badge(self, asked: Export) -> tuple[str, Any]:
        state = "taken" if asked.taken_at else "approved" if asked.approved_at else "waiting"
        return state, _STATES[state]

    @dialog_action(
        description=gettext_lazy("Approve"),
        title=gettext_lazy("Approve this export?"),
        text=gettext_lazy(
            "Who asked for it can then take the texts and the sender’s number out of Paravent, within a day. Approve "
            "it only if you know why."
        ),
        submit=gettext_lazy("Approve"),
        form_class=DialogForm,
        icon="how_to_reg",
        roles=OWN,
        shown=lambda row: row.approved_at is None,
    )
    def approve(self, request: HttpRequest, row: Export, _form: DialogForm) -> str:
        exporting.approve(row, request.user)
        said = _("The export is approved and can be taken within a day.")
        self.log_change(request, row, str(said))
        return said

    @dialog_action(
        description=gettext_lazy("Take the file"),
        title=gettext_lazy("Take the evidence out?"),
        text=gettext_lazy(
            "The file holds the texts and the sender’s number in plain. Keep it encrypted, give it to the police or to "
            "a lawyer and to nobody else, and delete it afterwards."
        ),
        submit=gettext_lazy("I will"),
        form_class=DialogForm,
        icon="download",
        shown=lambda row: row.approved_at is not None,
    )
    def take(self, request: HttpRequest, row: Export, _form: DialogForm) -> str:
        if not exporting.may_take(row, request.user):
            raise ValidationError(
                _("Only who asked for it can take it, within a day of the approval."), code="not_yours"
            )
        link = reverse("admin:evidence_export_zip", args=[row.pk])
        return format_html('<a class="pv-link" href="{}">{}</a>', link, _("Here is the file."))

    def get_urls(self) -> list[URLPattern]:
        return [
            path("<int:pk>/file/", self.admin_site.admin_view(self.file), name="evidence_export_zip"),
            *super().get_urls(),
        ]

    def file(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The zip file, for who asked for it."""
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        if not exporting.may_take(row, request.user):
            raise PermissionDenied
        self.log_change(request, row, "The file was taken.")
        return FileResponse(exporting.take(row), as_attachment=True, filename=exporting.file_name(row))
