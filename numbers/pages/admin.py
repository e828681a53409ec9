"""Public pages: which number stands where, under which words, for whom to see."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone, translation
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from organizations.scoped_admin import ScopedAdmin, ScopedForm, ScopedRelatedFilter, page_action
from organizations.tenancy import VIEW

from . import showing, widget
from .models import Page

LONGEST_ABOUT = 1200


class PageForm(ScopedForm):
    """The words of each language are fields of their own, and stored together."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for code, _label in settings.LANGUAGES:
            if f"name_{code}" in self.fields:
                self.fields[f"name_{code}"].initial = self.instance.names.get(code, "")
                self.fields[f"about_{code}"].initial = self.instance.abouts.get(code, "")

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002  Django's signature
        for kind in ("name", "about"):
            written = {code: self.cleaned_data.get(f"{kind}_{code}", "").strip() for code, _label in settings.LANGUAGES}
            setattr(self.instance, f"{kind}s", {code: text for code, text in written.items() if text})
        return super().save(commit)


def _word_fields() -> dict[str, forms.Field]:
    fields: dict[str, forms.Field] = {}
    for code, label in settings.LANGUAGES:
        # Its direction is the language's, whatever the reader's is.
        attributes = {"lang": code, "dir": "rtl" if translation.get_language_info(code)["bidi"] else "ltr"}
        fields[f"name_{code}"] = forms.CharField(
            label=gettext_lazy("Name"),
            required=False,
            max_length=80,
            widget=UnfoldAdminTextInputWidget(attributes),
            help_text=label,
        )
        fields[f"about_{code}"] = forms.CharField(
            label=gettext_lazy("What it is for"),
            required=False,
            max_length=LONGEST_ABOUT,
            widget=UnfoldAdminTextareaWidget({**attributes, "rows": 4}),
            help_text=gettext_lazy("Empty: the number’s notice for pages."),
        )
    return fields


@admin.register(Page)
class PageAdmin(ScopedAdmin):
    form: Any = type("PageForm", (PageForm,), _word_fields())
    change_form_outer_after_template = "pages/admin_links.html"
    list_display = ("name", "address", "shown_now", "published_badge", "organization")
    list_select_related = ("organization", "hotline", "campaign__organization")
    list_filter = ("published", ("organization", ScopedRelatedFilter))
    actions_detail = ("widget",)
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("organization", "name", "slug", "published")}),
        (gettext_lazy("What it shows"), {"fields": ("hotline", "campaign", "demo", "contact_name")}),
        (gettext_lazy("Help and contact"), {"fields": ("helplines_checked_on", "website")}),
        *(
            (label, {"fields": (f"name_{code}", f"about_{code}"), "classes": ("collapse",)})
            for code, label in settings.LANGUAGES
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may not change the page reads its words on it."""
        found = super().get_fieldsets(request, obj)
        may = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return found if may else found[: -len(settings.LANGUAGES)]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A date by the browser's own means: the theme's calendar is too small for a fingertip."""
        if db_field.name == "helplines_checked_on":
            kwargs["widget"] = UnfoldAdminTextInputWidget({"type": "date"})
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        page = self.get_object(request, object_id)
        links = [(label, showing.url(page, code)) for code, label in settings.LANGUAGES]
        context = {**(extra_context or {}), "links": links if page.published else []}
        return super().change_view(request, object_id, form_url, context)

    @page_action(
        description=gettext_lazy("Embed in a site"),
        icon="widgets",
        roles=VIEW,
        shown=widget.is_for,
    )
    def widget(self, request: HttpRequest, row: Page) -> HttpResponse:
        """The tag for other sites, in the language and with the look that are chosen, and what it shows there."""
        if not widget.is_for(row):
            raise Http404
        look = widget.look(request.GET, translation.get_language())
        context = {
            **self.admin_site.each_context(request),
            "title": _("Embed in a site"),
            "subtitle": row.name,
            "opts": self.opts,
            "original": row,
            "languages": settings.LANGUAGES,
            "themes": [("", _("as the visitor has it")), ("light", _("light")), ("dark", _("dark"))],
            "look": look,
            "origin": settings.PUBLIC_URL,
            "snippet": widget.snippet(row, **look),
            "preview": widget.tag(widget.address(), row, **look, target="#widget-preview"),
        }
        return TemplateResponse(request, "pages/widget.html", context)

    @admin.display(description=gettext_lazy("address"))
    def address(self, page: Page) -> str:
        return format_html('<bdi dir="ltr">/{}/{}/</bdi>', settings.LANGUAGE_CODE, page.slug)

    @admin.display(description=gettext_lazy("shown now"))
    def shown_now(self, page: Page) -> str:
        if page.is_list:
            return _("all pages")
        hotline = showing.hotline_of(page, timezone.now())
        return format_html('<bdi class="pv-phone" dir="ltr">{}</bdi>', hotline.number) if hotline else _("none")

    @display(description=gettext_lazy("public"), label={"yes": "success", "no": "warning"})  # type: ignore[untyped-decorator]
    def published_badge(self, page: Page) -> tuple[str, str]:
        return ("yes", _("public")) if page.published else ("no", _("not public"))
