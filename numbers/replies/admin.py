"""The page of a reply text: what it says, and what it costs while somebody writes it."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files import File
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from hotlines import choices, extension
from hotlines.models import Hotline
from organizations.scoped_admin import ScopedAdmin, ScopedForm, ScopedRelatedFilter, access
from organizations.tenancy import EDIT

from . import lint, packs, readiness, recordings, segments, text_files
from .models import MOST_BYTES, Purpose, ReplyTemplate

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


@dataclass(frozen=True)
class _Kept:
    """A recording as a file field shows it."""

    url: str
    name: str

    def __str__(self) -> str:
        return self.name


class ReplyTemplateForm(ScopedForm):
    language = forms.ChoiceField(label=gettext_lazy("Language"), widget=UnfoldAdminSelectWidget())
    sound = forms.FileField(
        label=gettext_lazy("Recording"),
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".mp3,.wav,audio/mpeg,audio/wav"}),
        help_text=gettext_lazy(
            "Only for a spoken message: MP3 or WAV of a minute at most. Callers then hear it instead of a voice of the "
            "provider, also in languages that the provider has no voice for. The text above must say what is heard."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "language" in self.fields:
            own = [self.instance.language] if self.instance.language else []
            self.fields["language"].choices = choices.languages(own)  # type: ignore[attr-defined]
        kept = recordings.recorded(self.instance) if self.instance.pk else None
        if kept is not None and "sound" in self.fields:
            seconds = ngettext("%(count)d second", "%(count)d seconds", kept.seconds) % {"count": kept.seconds}
            self.initial["sound"] = _Kept(reverse("recording", args=(kept.uuid,)), seconds)

    def clean_sound(self) -> Any:
        """What was looked at, False to remove what is there, or what is there."""
        sound = self.cleaned_data["sound"]
        return recordings.examined(sound.read(MOST_BYTES + 1)) if isinstance(sound, File) else sound

    def clean_text(self) -> str:
        return lint.normalized(self.cleaned_data["text"])

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if isinstance(cleaned.get("sound"), recordings.Audio) and cleaned.get("purpose") != Purpose.VOICE:
            self.add_error("sound", _("Only a spoken message can be recorded. Choose that purpose, or no file."))
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
        (gettext_lazy("Text"), {"fields": ("text", "sound", "listen")}),
    )
    readonly_fields = ("listen", "reading")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may not change a text may still hear it."""
        (place, where), (heading, text) = super().get_fieldsets(request, obj)
        may = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        shown = ["text", *(["sound"] if may else [])]
        shown += ["listen"] if obj and recordings.recorded(obj) else []
        shown += ["reading"] if obj and unread(obj) else []
        return ((place, where), (heading, {**text, "fields": shown}))

    @admin.display(description=gettext_lazy("listen"))
    def listen(self, template: ReplyTemplate) -> str:
        recording = recordings.recorded(template)
        if recording is None:
            return ""
        player = '<audio controls preload="metadata" src="{}" type="{}"></audio>'
        return format_html(player, reverse("recording", args=(recording.uuid,)), recording.media_type)

    @admin.display(description=gettext_lazy("reading"))
    def reading(self, _template: ReplyTemplate) -> str:
        return _(
            "This is a text of the platform that no native speaker has read yet. Have somebody read it before you give "
            "the number away; once it is changed, this note goes."
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
        self._keep_sound(request, obj, form)
        if obj.hotline and obj.language not in obj.hotline.languages:
            unused = _("“%(hotline)s” does not answer in this language yet. Add the language on its page.")
            messages.warning(request, unused % {"hotline": obj.hotline})

        self._warn_of_silence(request, obj)

    def _keep_sound(self, request: HttpRequest, template: ReplyTemplate, form: Any) -> None:
        """Keep what was uploaded, remove what is no longer wanted, and say where a recording may tell another text."""
        sound = form.cleaned_data.get("sound")
        if isinstance(sound, recordings.Audio):
            recordings.keep(template, sound)
        elif sound is False or template.purpose != Purpose.VOICE:
            recordings.remove(template)
        elif sound and "text" in form.changed_data:
            old = _("The recording was kept as it is. If it does not say the new text, upload another or remove it.")
            messages.warning(request, old)

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
            path("file/<int:hotline>/<str:language>/", wrap(self.text_file), name="replies_replytemplate_text_file"),
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

    def text_file(self, request: HttpRequest, hotline: int, language: str) -> HttpResponseBase:
        """The texts of a number in one language as a file, there and back."""
        row = Hotline.objects.for_user(request.user).filter(pk=hotline).first()
        if row is None or language not in row.languages:
            raise Http404
        if request.GET.get("download"):
            content = text_files.written(row, language).encode()
            name = f"paravent-{row.number.lstrip('+')}-{language}.toml"
            return FileResponse(io.BytesIO(content), as_attachment=True, filename=name, content_type="text/plain")
        may_edit = access(request).may(row.organization_id, EDIT)
        problems: list[str] = []
        if request.method == "POST":
            if not may_edit:
                raise PermissionDenied
            try:
                self._take(request, row, language)
            except ValidationError as error:
                problems = error.messages
            else:
                return redirect("admin:hotlines_hotline_change", row.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Texts in %(language)s") % {"language": choices.language_name(language)},
            "hotline": row,
            "language_name": choices.language_name(language),
            "may_edit": may_edit,
            "problems": problems,
        }
        return TemplateResponse(request, "replies/text_file.html", context, status=400 if problems else 200)

    def _take(self, request: HttpRequest, hotline: Hotline, language: str) -> None:
        file = request.FILES.get("file")
        if not isinstance(file, File):
            raise ValidationError(_("Choose a file first."), code="file")
        taken = text_files.apply(hotline, language, text_files.read(file.read(text_files.LARGEST + 1)))
        said = _("The file was taken: %(added)d new, %(changed)d changed, %(same)d as they were.")
        messages.success(request, said % vars(taken))
        self.log_change(request, hotline, f"Texts in {language} from a file: {taken}.")


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


def unread(template: ReplyTemplate) -> bool:
    """Whether it is a pack's text, unchanged, that no native speaker has read."""
    return template.hotline is not None and packs.unreviewed(template.hotline.kind, template.language, template.text)


def told(template: ReplyTemplate) -> str:
    if template.purpose in {Purpose.NOTICE, Purpose.SUSPENDED, Purpose.VOICE}:
        return _("not sent")
    counted = segments.count(lint.normalized(template.text))
    return f"{counted.segments} ({counted.encoding.name})"


def texts_of(request: HttpRequest, hotline: Hotline) -> Mapping[str, Any]:
    """The box of texts on a hotline's page."""
    texts = ReplyTemplate.objects.filter(hotline=hotline).select_related("hotline")
    rows = list(texts.order_by("language", "purpose", "step"))
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
        "languages": [(tag, choices.language_name(tag)) for tag in hotline.languages],
        "unread": sorted({choices.language_name(row.language) for row in rows if unread(row)}),
        "hotline": hotline,
        "may_edit": access(request).may(hotline.organization_id, EDIT),
    }


extension.add_panel(extension.Panel("replies/texts_panel.html", texts_of))
