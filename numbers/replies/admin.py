"""The page of a reply text: what it says, and what it costs while somebody writes it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from hotlines import choices, extension
from hotlines.models import Hotline
from organizations.scoped_admin import ScopedAdmin, ScopedForm, ScopedRelatedFilter, access
from organizations.tenancy import EDIT

from . import lint, packs, readiness, segments
from .models import Purpose, ReplyTemplate

#: Longer than any text a provider takes, by far; the live count refuses more.
_MOST_CHARACTERS = 10_000


class CountedTextarea(UnfoldAdminTextareaWidget):  # type: ignore[misc]
    """A text field that says, while one writes, how many SMS the text is and what would make it cheaper."""

    template_name = "replies/counted_textarea.html"

    class Media:
        js = ("replies/segments.js",)
        css: ClassVar = {"screen": ("replies/segments.css",)}

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["widget"]["attrs"].update({"dir": "auto", "rows": "5"})
        context["count_url"] = reverse("admin:replies_replytemplate_segments")
        context["historical"] = packs.historical()
        return context


class ReplyTemplateForm(ScopedForm):
    language = forms.ChoiceField(label=gettext_lazy("Language"), widget=UnfoldAdminSelectWidget())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "language" in self.fields:
            own = [self.instance.language] if self.instance.language else []
            self.fields["language"].choices = choices.languages(own)  # type: ignore[attr-defined]

    def clean_text(self) -> str:
        return lint.normalized(self.cleaned_data["text"])

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        organization = cleaned.get("organization") or getattr(self.instance, "organization", None)
        place = {name: cleaned.get(name) for name in ("hotline", "purpose", "step", "language")}
        if organization and place["purpose"] and place["step"] and place["language"]:
            others = ReplyTemplate.objects.filter(organization=organization).exclude(pk=self.instance.pk)
            hotline = place.pop("hotline")
            same = others.filter(hotline=hotline, **place) if hotline else others.filter(hotline=None, **place)
            if same.exists():
                twice = _("There is already a text for this purpose, step and language. Change that one instead.")
                raise ValidationError(twice, code="twice")
        return cleaned


class LanguageFilter(admin.SimpleListFilter):
    title = gettext_lazy("language")
    parameter_name = "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        own = model_admin.get_queryset(request).order_by().values_list("language", flat=True).distinct()
        return sorted(((code, choices.language_name(code)) for code in own), key=lambda choice: choice[1])

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(language=self.value()) if self.value() else queryset


@admin.register(ReplyTemplate)
class ReplyTemplateAdmin(ScopedAdmin):
    form = ReplyTemplateForm
    list_display = ("where", "purpose", "step", "language_named", "beginning", "segments_told", "organization")
    list_display_links = ("where", "beginning")
    list_select_related = ("hotline", "organization")
    list_filter = (
        ("hotline", ScopedRelatedFilter),
        "purpose",
        LanguageFilter,
        ("organization", ScopedRelatedFilter),
    )
    search_fields = ("text",)
    fieldsets = (
        (None, {"fields": ("organization", "hotline", "purpose", "step", "language")}),
        (gettext_lazy("Text"), {"fields": ("text",)}),
    )

    @admin.display(description=gettext_lazy("hotline"), ordering="hotline__name")
    def where(self, template: ReplyTemplate) -> str:
        return template.hotline.name if template.hotline else _("all hotlines (default)")

    @admin.display(description=gettext_lazy("language"), ordering="language")
    def language_named(self, template: ReplyTemplate) -> str:
        return choices.language_name(template.language)

    @admin.display(description=gettext_lazy("text"))
    def beginning(self, template: ReplyTemplate) -> str:
        return excerpt(template)

    @admin.display(description=gettext_lazy("SMS"))
    def segments_told(self, template: ReplyTemplate) -> str:
        return told(template)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "text":
            kwargs["widget"] = CountedTextarea()
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "hotline":
            field.empty_label = _("all hotlines (default)")
        return field

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        if obj.hotline and obj.language not in obj.hotline.languages:
            unused = _("“%(hotline)s” does not answer in this language yet. Add the language on its page.")
            messages.warning(request, unused % {"hotline": obj.hotline})

        self._warn_of_silence(request, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        self._warn_of_silence(request, obj)

    def _warn_of_silence(self, request: HttpRequest, template: ReplyTemplate) -> None:
        """An active number may just have lost the text that it falls back to."""
        concerned = Hotline.objects.filter(organization=template.organization_id, state=Hotline.State.ACTIVE)
        for hotline in concerned.filter(pk=template.hotline_id) if template.hotline_id else concerned:
            for problem in readiness.texts_missing(hotline):
                messages.warning(request, f"{hotline}: {problem}")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("segments/", wrap(require_POST(self.count)), name="replies_replytemplate_segments"),
            path("of-kind/<int:hotline>/", wrap(require_POST(self.of_kind)), name="replies_replytemplate_of_kind"),
            *super().get_urls(),
        ]

    def count(self, request: HttpRequest) -> HttpResponse:
        """What `replies.lint` says about a text that is being written, in the reader's words."""
        if not access(request).anywhere(EDIT):
            raise PermissionDenied
        text = request.POST.get("text", "")
        if len(text) > _MOST_CHARACTERS:
            return JsonResponse({"summary": _("The text is too long."), "problems": []}, status=413)
        return JsonResponse(review_told(text))

    def of_kind(self, request: HttpRequest, hotline: int) -> HttpResponse:
        """Bring the texts of the hotline's kind that it lacks, for instance after a language was added."""
        row = Hotline.objects.for_user(request.user, EDIT).filter(pk=hotline).first()
        if row is None:
            raise Http404
        added = len(packs.copy_to_hotline(row))
        said = ngettext("%(count)d text was added.", "%(count)d texts were added.", added) % {"count": added}
        messages.success(request, said if added else _("Nothing was missing: no text was added."))
        return redirect("admin:hotlines_hotline_change", row.pk)


def review_told(text: str) -> dict[str, Any]:
    """The review of a text as the page shows it: sentences, and the cheaper text where there is one."""
    review = lint.review(text)
    problems = []
    if review.text:
        try:
            lint.validate_text(text)
        except ValidationError as error:
            problems = error.messages
    forcing = [
        {"char": proposal.char, "name": _char_name(proposal.char), "replacement": proposal.replacement}
        for proposal in review.proposals
    ]
    return {
        "summary": summary(review.before),
        "segments": review.before.segments,
        "encoding": review.before.encoding.name,
        "problems": problems,
        "forcing": forcing,
        "cheaper": review.cheaper if review.saves > 0 else "",
        "offer": _saving(review) if review.saves > 0 else "",
    }


def _char_name(char: str) -> str:
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".strip()


def _saving(review: lint.Review) -> str:
    offer = ngettext(
        "Some characters make this text dearer. Written differently it is %(count)d SMS.",
        "Some characters make this text dearer. Written differently it is %(count)d SMS.",
        review.after.segments,
    )
    return offer % {"count": review.after.segments}


def summary(counted: segments.Count) -> str:
    """`1 SMS, 133 characters of 160 (GSM-7)`."""
    if not counted.segments:
        return _("The text is empty.")
    sms = ngettext("%(count)d SMS", "%(count)d SMS", counted.segments) % {"count": counted.segments}
    left = ngettext("%(left)d character left", "%(left)d characters left", counted.left) % {"left": counted.left}
    return _("%(sms)s (%(encoding)s), %(left)s in the last one") % {
        "sms": sms,
        "encoding": counted.encoding.name,
        "left": left,
    }


def excerpt(template: ReplyTemplate) -> str:
    """The first words, isolated, because a text in Arabic would turn its neighbours around."""
    text = template.text if len(template.text) <= 80 else template.text[:79] + "…"
    return format_html('<bdi lang="{}">{}</bdi>', template.language, text)


def told(template: ReplyTemplate) -> str:
    if template.purpose in {Purpose.NOTICE, Purpose.SUSPENDED, Purpose.VOICE}:
        return _("not sent")
    counted = segments.count(lint.normalized(template.text))
    return f"{counted.segments} ({counted.encoding.name})"


def texts_of(request: HttpRequest, hotline: Hotline) -> Mapping[str, Any]:
    """The box of texts on a hotline's page."""
    rows = ReplyTemplate.objects.filter(hotline=hotline).order_by("language", "purpose", "step")
    return {
        "rows": [
            {
                "template": row,
                "language": choices.language_name(row.language),
                "text": excerpt(row),
                "segments": told(row),
            }
            for row in rows
        ],
        "hotline": hotline,
        "may_edit": access(request).may(hotline.organization_id, EDIT),
    }


extension.add_panel(extension.Panel("replies/texts_panel.html", texts_of))
