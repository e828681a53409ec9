"""The page of a reply text: what it says, and what it costs while somebody writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.files import File
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from hotlines import choices, extension
from hotlines.models import Hotline
from organizations.scoped_admin import DialogForm, OccurringFilter, ScopedForm, ScopedRelatedFilter, dialog_action
from organizations.tenancy import EDIT

from . import history, lint, panel, readiness, recordings, versions
from .counting import CountedTextarea
from .models import MOST_BYTES, Arm, Purpose, ReplyTemplate, TextVersion
from .text_pages import TextPages

#: What makes a text another's in the eyes of who approved it.
_PLACE = ("hotline", "purpose", "step", "language", "arm")
#: The same as it is read where it cannot be changed.
_PLACE_READ = ("hotline", "purpose", "step", "language_named", "arm")


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
        if "arm" in self.fields:
            self.fields["arm"].required = False
        if "language" in self.fields:
            own = [self.instance.language] if self.instance.language else []
            self.fields["language"].choices = choices.languages(own)  # type: ignore[attr-defined]
        kept = recordings.recorded(self.instance) if self.instance.pk else None
        if kept is not None and "sound" in self.fields:
            seconds = ngettext("%(count)d second", "%(count)d seconds", kept.seconds) % {"count": kept.seconds}
            self.initial["sound"] = _Kept(reverse("recording", args=(kept.uuid,)), seconds)

    def clean_arm(self) -> str:
        """A text that is compared with none is A."""
        return self.cleaned_data["arm"] or Arm.A

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
        place = {name: cleaned.get(name) for name in ("hotline", "purpose", "step", "language", "arm")}
        if organization and place["purpose"] and place["step"] and place["language"]:
            others = ReplyTemplate.objects.filter(organization=organization).exclude(pk=self.instance.pk)
            hotline = place.pop("hotline")
            same = others.filter(hotline=hotline, **place) if hotline else others.filter(hotline=None, **place)
            if same.exists():
                twice = _("There is already a text for this purpose, step and language. Change that one instead.")
                raise ValidationError(twice, code="twice")
        return cleaned


class DecisionForm(DialogForm):
    """It shows what is decided about, and decides about that: a newer text may have come since."""

    seen = forms.IntegerField(widget=forms.HiddenInput())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting = versions.waiting(self.row)
        self.fields["seen"].initial = self.waiting.pk if self.waiting else 0

    def note(self) -> Any:
        return f"“{self.waiting.text}”" if self.waiting else ""

    def version(self) -> TextVersion:
        if self.waiting is None:
            raise ValidationError(_("Somebody has decided about this text already."), code="decided")
        if self.waiting.pk != self.cleaned_data["seen"]:
            raise ValidationError(_("A newer text waits. Read it first: close this and open it again."), code="newer")
        return self.waiting


class RefusalForm(DecisionForm):
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget())


class LanguageFilter(OccurringFilter):
    title = gettext_lazy("language")
    parameter_name = "language"

    def name_of(self, value: str) -> str:
        return choices.language_name(value)


class WaitingFilter(admin.SimpleListFilter):
    title = gettext_lazy("approval")
    parameter_name = "waits"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("waits for approval"))]

    def queryset(self, _request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(versions__state=TextVersion.State.WAITS) if self.value() == "yes" else queryset


@admin.register(ReplyTemplate)
class ReplyTemplateAdmin(TextPages):
    form = ReplyTemplateForm
    change_form_outer_after_template = "replies/history.html"
    actions_detail = ("approve", "refuse")
    list_display = ("where", "purpose", "step", "language_named", "beginning", "segments_told", "organization")
    list_display_links = ("where", "beginning")
    list_select_related = ("hotline", "organization")
    list_filter = (
        ("hotline", ScopedRelatedFilter),
        "purpose",
        LanguageFilter,
        WaitingFilter,
        ("organization", ScopedRelatedFilter),
    )
    search_fields = ("text",)
    fieldsets = (
        (None, {"fields": ("organization", "hotline", "purpose", "step", "language", "arm")}),
        (gettext_lazy("Text"), {"fields": ("text", "sound", "listen")}),
    )
    readonly_fields = ("listen", "reading")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may not change a text may still hear it."""
        (_none, where), (heading, text) = super().get_fieldsets(request, obj)
        read = dict(zip(_PLACE, _PLACE_READ, strict=True)) if self._stays(request, obj) else {}
        place = [read.get(name, name) for name in where["fields"]]
        may = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        shown = ["text", *(["sound"] if may else [])]
        shown += ["listen"] if obj and recordings.recorded(obj) else []
        shown += ["reading"] if obj and panel.unread(obj) else []
        return ((None, {**where, "fields": place}), (heading, {**text, "fields": shown}))

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
        return panel.excerpt(template)

    @admin.display(description=gettext_lazy("SMS"))
    def segments_told(self, template: ReplyTemplate) -> str:
        return panel.told(template)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "text":
            kwargs["widget"] = CountedTextarea()
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "hotline":
            field.empty_label = _("all hotlines (default)")
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Where two people stand for a text, it stays in its place: elsewhere it would say something else."""
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, *_PLACE_READ) if self._stays(request, obj) else fixed

    def _stays(self, request: HttpRequest, obj: Any) -> bool:
        may = obj is None or self.has_change_permission(request, obj)
        return not may or bool(obj and versions.needs_approval(obj.organization_id))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        text = obj.text
        if change:
            obj.text = form.initial["text"]
            if set(form.changed_data) - {"text", "sound"}:
                super().save_model(request, obj, form, change)
        if not change or text != obj.text:
            self.tell(request, versions.write(obj, text, request.user))
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
            if version := versions.hear_again(template, request.user):
                self.tell(request, version)
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

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        row = self.get_object(request, object_id)
        context = {**(extra_context or {}), "history": history.of(row), "may_edit": self.may(request, row, EDIT)}
        return super().change_view(request, object_id, form_url, context)

    @dialog_action(
        description=gettext_lazy("Approve the text"),
        title=gettext_lazy("Approve this text?"),
        text=gettext_lazy("You read it, and somebody else wrote it. From now on it is sent."),
        submit=gettext_lazy("Approve the text"),
        form_class=DecisionForm,
        icon="task_alt",
        variant=ActionVariant.PRIMARY,
        roles=EDIT,
        shown=lambda row: versions.waiting(row) is not None,
    )
    def approve(self, request: HttpRequest, row: ReplyTemplate, form: DecisionForm) -> str:
        versions.approve(form.version(), request.user)
        self.log_change(request, row, "Text approved.")
        return _("The text is approved, and sent from now on.")

    @dialog_action(
        description=gettext_lazy("Refuse the text"),
        title=gettext_lazy("Refuse this text?"),
        text=gettext_lazy("The text before it stays in use. Say why, so that a better one can be written."),
        submit=gettext_lazy("Refuse the text"),
        form_class=RefusalForm,
        icon="thumb_down",
        variant=ActionVariant.DANGER,
        roles=EDIT,
        shown=lambda row: versions.waiting(row) is not None,
    )
    def refuse(self, request: HttpRequest, row: ReplyTemplate, form: RefusalForm) -> str:
        versions.refuse(form.version(), request.user, form.cleaned_data["reason"])
        self.log_change(request, row, "Text refused.")
        return _("The text is refused; the one before it stays.")


extension.add_panel(extension.Panel("replies/texts_panel.html", panel.texts_of))
