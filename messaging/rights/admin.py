"""Pages on which staff sees who asked for his data, and answers letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from conversations import senders
from conversations.models import Conversation
from hotlines import extension
from hotlines.models import Hotline
from organizations.models import Organization
from organizations.scoped_admin import DialogForm, ReadOnlyAdmin, ScopedRelatedFilter, access, dialog_action
from organizations.tenancy import EDIT, OWN

from . import erasing, views
from .models import DataRequest
from .proving import conversations_of

_STATES = {
    "open": gettext_lazy("waits for the code"),
    "proven": gettext_lazy("answered"),
    "waiting": gettext_lazy("erasure waits"),
    "erased": gettext_lazy("erased"),
    "kept": gettext_lazy("erased but for evidence"),
}
_COLOURS = {"open": "info", "proven": "success", "waiting": "warning", "erased": "success", "kept": "warning"}


def state_of(asked: DataRequest) -> str:
    """A key of `_STATES`."""
    if asked.erased_at is not None:
        return "kept" if asked.kept else "erased"
    if asked.erase_at is not None:
        return "waiting"
    return "open" if asked.proven_at is None else "proven"


class LetterForm(forms.Form):
    organization = forms.ModelChoiceField(
        Organization.objects.none(), label=gettext_lazy("Organization"), widget=UnfoldAdminSelectWidget()
    )
    number = forms.CharField(
        label=gettext_lazy("Number concerned"),
        max_length=32,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "dir": "ltr"}),
        help_text=gettext_lazy("With + and the country code. It is not stored."),
    )
    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        max_length=60,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("What the letter is called in your files. No names and no numbers, please."),
    )
    proof = forms.BooleanField(
        label=gettext_lazy("The letter proves that the number is the writer’s, by an invoice for instance."),
        error_messages={"required": gettext_lazy("Without a proof anybody could read what another one wrote.")},
    )

    def __init__(self, organizations: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].queryset = organizations  # type: ignore[attr-defined]
        self.fields["organization"].initial = organizations[0] if len(organizations) == 1 else None

    def clean_number(self) -> str:
        sender = senders.canonical(self.cleaned_data["number"])
        if senders.number_of(sender) is None:
            raise ValidationError(_("This is not a phone number with + and its country code. Nothing was looked for."))
        return sender


@admin.register(DataRequest)
class DataRequestAdmin(ReadOnlyAdmin):
    view_roles = EDIT
    list_display = (
        "__str__",
        "channel",
        "hotline",
        "reference",
        "created_at",
        "state_badge",
        "erase_at",
        "organization",
    )
    list_select_related = ("hotline", "organization")
    list_filter = ("channel", ("organization", ScopedRelatedFilter))
    fieldsets = (
        (None, {"fields": ("organization", "hotline", "channel", "reference", "author", "created_at", "proven_at")}),
        (gettext_lazy("What it concerns"), {"fields": ("conversations_linked",)}),
        (gettext_lazy("Erasure"), {"fields": ("erase_at", "erased_at", "kept")}),
    )
    actions_list = ("letter",)
    actions_detail = ("download", "erase")

    @display(description=gettext_lazy("state"), label=_COLOURS)  # type: ignore[untyped-decorator]
    def state_badge(self, asked: DataRequest) -> tuple[str, Any]:
        state = state_of(asked)
        return state, _STATES[state]

    @admin.display(description=gettext_lazy("Conversations"))
    def conversations_linked(self, asked: DataRequest) -> str:
        if asked.proven_at is None:
            return _("Not known before the code has come.")
        rows = Conversation.objects.filter(organization_id=asked.organization_id, pk__in=asked.conversations)
        links = [(reverse("admin:conversations_conversation_change", args=[row.pk]), row.pseudonym) for row in rows]
        if not links:
            return _("Nothing is stored about this number.")
        return format_html_join(", ", '<a class="pv-link" href="{}">{}</a>', links)

    # --- letters ----------------------------------------------------------------------------------------------------
    @action(description=gettext_lazy("Answer a letter"), icon="mail")  # type: ignore[untyped-decorator]
    def letter(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:rights_datarequest_enter"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("enter/", view(self.enter), name="rights_datarequest_enter"),
            path("<int:pk>/data/", view(self.data), name="rights_datarequest_data"),
            *super().get_urls(),
        ]

    def enter(self, request: HttpRequest) -> HttpResponse:
        """A letter: whose conversations they are is looked up by the number, which is then forgotten."""
        mine = Organization.objects.for_user(request.user, EDIT).order_by("name")
        if not mine:
            raise PermissionDenied
        form = LetterForm(mine, request.POST or None)
        if request.method == "POST" and form.is_valid():
            asked = self._entered(request, form.cleaned_data)
            return HttpResponseRedirect(reverse("admin:rights_datarequest_change", args=[asked.pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Answer a letter"),
            "opts": self.opts,
            "form": form,
        }
        return TemplateResponse(request, "rights/enter.html", context, status=400 if form.errors else 200)

    def _entered(self, request: HttpRequest, data: dict[str, Any]) -> DataRequest:
        now = timezone.now()
        asked = DataRequest.objects.create(
            organization=data["organization"],
            channel=DataRequest.Channel.LETTER,
            reference=data["reference"],
            author_id=request.user.pk,
            created_at=now,
            proven_at=now,
            conversations=conversations_of(data["organization"].pk, data["number"], now),
        )
        self.log_addition(request, asked, "Entered from a letter.")
        count = len(asked.conversations)
        said = ngettext("%(count)d conversation was found.", "%(count)d conversations were found.", count)
        self.message_user(request, said % {"count": count})
        return asked

    # --- answers ----------------------------------------------------------------------------------------------------
    @dialog_action(
        description=gettext_lazy("Get what is stored"),
        title=gettext_lazy("Get what is stored as a file?"),
        text=gettext_lazy("For the writer of the letter, and for nobody else. That you took it is recorded."),
        submit=gettext_lazy("Get the file"),
        form_class=DialogForm,
        icon="download",
        roles=OWN,
        shown=lambda row: row.channel == DataRequest.Channel.LETTER and row.erased_at is None,
    )
    def download(self, request: HttpRequest, row: DataRequest, form: DialogForm) -> str:
        link = reverse("admin:rights_datarequest_data", args=[row.pk])
        return format_html('<a class="pv-link" href="{}">{}</a>', link, _("Here is the file."))

    def data(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The file, for owners, and of letters only: who proved his number himself has got it himself."""
        asked = self.get_object(request, str(pk))
        if asked is None:
            raise Http404
        if not access(request).may(asked.organization_id, OWN) or asked.channel != DataRequest.Channel.LETTER:
            raise PermissionDenied
        self.log_change(request, asked, "What is stored was taken as a file.")
        return views.file_of(asked, masked=True)

    @dialog_action(
        description=gettext_lazy("Erase"),
        title=gettext_lazy("Erase texts and number?"),
        text=gettext_lazy(
            "They are erased in 20 hours, but for conversations kept as evidence. Counts and the pseudonym stay."
        ),
        submit=gettext_lazy("Erase"),
        form_class=DialogForm,
        icon="delete_forever",
        roles=OWN,
        shown=lambda row: row.channel == DataRequest.Channel.LETTER and row.erase_at is None,
    )
    def erase(self, request: HttpRequest, row: DataRequest, form: DialogForm) -> str:
        erasing.wish(row, timezone.now())
        self.log_change(request, row, "Erasure was asked for.")
        return _("Texts and number are erased in 20 hours, but for what is kept as evidence.")


def page_of(_request: HttpRequest, hotline: Hotline) -> Mapping[str, Any] | None:
    """The box on a hotline's page that tells the public address; a draft has none yet."""
    if hotline.state == Hotline.State.DRAFT:
        return None
    return {"url": settings.PUBLIC_URL + reverse("rights:begin", args=[hotline.uuid])}


extension.add_panel(extension.Panel("rights/panel.html", page_of))
