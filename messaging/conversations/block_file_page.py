"""The page on which blocks leave as a file and come from one; `BlockAdmin` mounts it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from organizations.models import Organization
from organizations.scoped_admin import ReadOnlyAdmin, access
from organizations.tenancy import EDIT

from . import block_files


class BlockFileForm(forms.Form):
    organization = forms.ModelChoiceField(
        Organization.objects.none(), label=gettext_lazy("Organization"), widget=UnfoldAdminSelectWidget()
    )
    file = forms.FileField(
        label=gettext_lazy("File"), widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"})
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("For lines that have none. Your colleagues read it. No names and no numbers, please."),
    )

    def __init__(self, organizations: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].queryset = organizations  # type: ignore[attr-defined]
        if len(organizations) == 1:
            del self.fields["organization"]
            self.only: Organization | None = organizations[0]
        else:
            self.only = None

    @property
    def chosen(self) -> Organization:
        chosen: Organization = self.only or self.cleaned_data["organization"]
        return chosen

    def clean_file(self) -> Any:
        if self.cleaned_data["file"].size > block_files.LARGEST:
            raise ValidationError(block_files.too_long())
        return self.cleaned_data["file"]


class BlockFilePage(ReadOnlyAdmin):
    """What `BlockAdmin` inherits: two addresses, and the button to them, for whoever may block."""

    actions_list = ("as_file",)

    @action(description=gettext_lazy("Export and import"), icon="swap_vert")  # type: ignore[untyped-decorator]
    def as_file(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:conversations_block_file"))

    def get_actions_list(self, request: HttpRequest) -> list[Any]:
        shown: list[Any] = super().get_actions_list(request) if access(request).anywhere(EDIT) else []  # type: ignore[misc]
        return shown

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("file/", view(self.file), name="conversations_block_file"),
            path("export/<int:organization>/", view(self.export), name="conversations_block_export"),
            *super().get_urls(),
        ]

    def file(self, request: HttpRequest) -> HttpResponse:
        """Both ways on one page; a POST takes a file."""
        mine = Organization.objects.for_user(request.user, EDIT).order_by("name")
        if not mine:
            raise PermissionDenied
        form = BlockFileForm(mine, request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid() and self._taken(request, form):
            return HttpResponseRedirect(reverse("admin:conversations_block_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Blocks as a file"),
            "opts": self.opts,
            "organizations": mine,
            "form": form,
        }
        return TemplateResponse(
            request, "conversations/block_file.html", context, status=200 if not form.errors else 400
        )

    def _taken(self, request: HttpRequest, form: BlockFileForm) -> bool:
        organization, reason = form.chosen, form.cleaned_data["reason"]
        try:
            taken = block_files.take(organization, form.cleaned_data["file"].read(), request.user, reason)
        except ValidationError as error:
            form.add_error(None, error)
            return False
        said = ngettext("%(count)d sender is blocked now.", "%(count)d senders are blocked now.", taken.new)
        said %= {"count": taken.new}
        if taken.standing:
            more = ngettext("%(count)d was blocked already.", "%(count)d were blocked already.", taken.standing)
            said += " " + more % {"count": taken.standing}
        self.message_user(request, said)
        self.log_change(request, organization, f"Blocks from a file: {taken.new} new, {taken.standing} standing.")
        return True

    def export(self, request: HttpRequest, organization: int) -> HttpResponse:
        """The file. Another's organization is not there."""
        mine = Organization.objects.for_user(request.user, EDIT).filter(pk=organization).first()
        if mine is None:
            raise Http404
        now = timezone.now()
        self.log_change(request, mine, "Blocks exported as a file.")
        return HttpResponse(
            block_files.dump(mine, now),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="paravent-blocks-{now:%Y-%m-%d}.csv"'},
        )
