"""Conversations and raids with what may leave them: numbers shown to who has that right, and the record of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from conversations.block_admin import ReasonForm
from conversations.models import Conversation, Message
from organizations.password_again import PasswordAgain
from organizations.scoped_admin import DialogForm, ReadOnlyAdmin, ScopedRelatedFilter, access, dialog_action
from organizations.tenancy import OWN, VIEW
from outbox.admin import AnsweringConversationAdmin, LevelChangeAdmin
from shield.models import LevelChange
from shield.words import Level

from . import export_admin, exporting, revealing  # noqa: F401  the page of exports registers itself
from .models import Export, Link, Reveal


class RevealForm(PasswordAgain, DialogForm):
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"), choices=Reveal.Reason.choices, widget=UnfoldAdminSelectWidget()
    )
    words = forms.CharField(
        label=gettext_lazy("In words"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("It is recorded with your name. No names and no numbers, please."),
    )

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.request = request
        super().__init__(request, *args, **kwargs)


def _require_the_right(request: HttpRequest, row: Conversation | LevelChange) -> None:
    """Raises `ValidationError` with what to do, for a dialog to show."""
    if not revealing.may(request.user, row.organization_id):
        raise ValidationError(
            _("Nobody has given you the right to see numbers. An owner can, on the page of members."), code="right"
        )


def _waits(page: ReadOnlyAdmin, request: HttpRequest, row: Any, asked: Export) -> str:
    """What the dialog says: where the export waits for the second person."""
    page.log_change(request, row, f"Export {asked} was asked for.")
    link = reverse("admin:evidence_export_change", args=[asked.pk])
    return format_html('<a class="pv-link" href="{}">{}</a>', link, _("The export waits for approval."))


class ThreatFilter(admin.SimpleListFilter):
    title = gettext_lazy("words of a threat")
    parameter_name = "threat"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("found by a list of phrases"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() != "yes":
            return queryset
        marked = Message.objects.filter(pk__in=Link.objects.filter(threat=True).values("message_id"))
        return queryset.filter(pk__in=marked.values("conversation_id"))


admin.site.unregister(Conversation)


@admin.register(Conversation)
class EvidenceConversationAdmin(AnsweringConversationAdmin):
    """The page of conversations, with the buttons that take a number or the whole out."""

    actions_detail = (*AnsweringConversationAdmin.actions_detail, "reveal", "export")
    list_filter = (*AnsweringConversationAdmin.list_filter, ThreatFilter)  # type: ignore[assignment]

    @dialog_action(
        description=gettext_lazy("Show the number"),
        title=gettext_lazy("Show this sender’s number?"),
        text=gettext_lazy(
            "Your name, the time and the reason are recorded for a year, and nobody can change that record. The owners "
            "are told. You can see 20 numbers a day."
        ),
        submit=gettext_lazy("Show it"),
        form_class=RevealForm,
        icon="visibility",
        roles=VIEW,
        shown=lambda row: row.sender_sealed is not None,
        then="number",
    )
    def reveal(self, request: HttpRequest, row: Conversation, form: RevealForm) -> str:
        _require_the_right(request, row)
        revealing.record(row, request.user, form.cleaned_data["reason"], form.cleaned_data["words"])
        return ""

    @dialog_action(
        description=gettext_lazy("Export as evidence"),
        title=gettext_lazy("Export this conversation as evidence?"),
        text=gettext_lazy(
            "It is kept as evidence from now on. Another owner, or the operator, must approve the export before you "
            "can take the file."
        ),
        submit=gettext_lazy("Ask for it"),
        form_class=ReasonForm,
        icon="folder_zip",
        roles=VIEW,
    )
    def export(self, request: HttpRequest, row: Conversation, form: ReasonForm) -> str:
        _require_the_right(request, row)
        return _waits(self, request, row, exporting.ask(row, request.user, form.cleaned_data["reason"]))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """These buttons are there for who has the right, in this organization or another."""
        buttons = super().get_actions_detail(request, object_id)
        if access(request).revealing:
            return buttons
        return [button for button in buttons if button.method.__name__ not in {"reveal", "export"}]

    def get_urls(self) -> list[URLPattern]:
        shown = self.admin_site.admin_view(self.number)
        return [path("<int:pk>/number/", shown, name="conversations_conversation_number"), *super().get_urls()]

    def number(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The number, for two minutes after the record of it was written, with who sees it across the page."""
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        if not revealing.may(request.user, row.organization_id):
            raise PermissionDenied
        record = revealing.latest(row, request.user)
        if record is None:
            return HttpResponseRedirect(reverse("admin:conversations_conversation_change", args=[row.pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": row.pseudonym,
            "opts": self.opts,
            "row": row,
            "record": record,
            "number": revealing.number(row, record),
        }
        return TemplateResponse(request, "evidence/number.html", context)


admin.site.unregister(LevelChange)


@admin.register(LevelChange)
class EvidenceLevelChangeAdmin(LevelChangeAdmin):
    """The page of a raid, with the button that takes out who took part in it."""

    actions_detail = ("export",)

    @dialog_action(
        description=gettext_lazy("Export who took part"),
        title=gettext_lazy("Export this raid as evidence?"),
        text=gettext_lazy(
            "One line for each sender whom detection found to be of a group, by wave and group, with what they wrote. "
            "All of it is kept as evidence from now on. Another owner, or the operator, must approve the export before "
            "you can take the file."
        ),
        submit=gettext_lazy("Ask for it"),
        form_class=ReasonForm,
        icon="folder_zip",
        roles=VIEW,
        shown=lambda row: row.before == Level.NORMAL,
    )
    def export(self, request: HttpRequest, row: LevelChange, form: ReasonForm) -> str:
        _require_the_right(request, row)
        return _waits(self, request, row, exporting.ask_for_raid(row, request.user, form.cleaned_data["reason"]))


@admin.register(Reveal)
class RevealAdmin(ReadOnlyAdmin):
    view_roles = OWN
    list_display = ("at", "user_name", "pseudonym", "reason", "note", "organization")
    list_select_related = ("organization",)
    list_filter = ("reason", ("organization", ScopedRelatedFilter))
    fieldsets = ((None, {"fields": ("at", "user_name", "pseudonym", "reason", "note", "organization")}),)
