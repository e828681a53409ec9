"""The forms of a hotline: choices instead of codes, words instead of seconds."""

from __future__ import annotations

import copy
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from organizations.scoped_admin import DialogForm, ScopedForm
from organizations.widgets import CheckboxGroup, RadioGroup

from . import choices, kinds, readiness
from .durations import DurationField
from .models import Hotline, OwnKind

_HOUR, _DAY = 3600, 86_400


class HotlineAddForm(ScopedForm):
    """What a new hotline cannot do without; the rest comes from its kind."""

    languages = forms.MultipleChoiceField(
        label=_("Languages"),
        widget=CheckboxGroup(_("Languages")),
        help_text=_("It answers in the sender's language where that is one of these."),
    )
    default_language = forms.ChoiceField(
        label=_("Default language"),
        widget=UnfoldAdminSelectWidget(),
        help_text=_("For senders whose language is not known or not among these. Active numbers need a text in it."),
    )
    kind = forms.ChoiceField(
        label=_("Kind"),
        widget=UnfoldAdminSelectWidget(),
        help_text=_("You can make kinds of your own: each number's page offers it."),
    )
    countries = forms.MultipleChoiceField(
        label=_("Countries answered"),
        widget=UnfoldAdminSelect2MultipleWidget(),
        help_text=_("By the sender's number. Who writes from elsewhere is recorded and never answered."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" in self.fields:
            own = OwnKind.objects.for_user(self.request.user).values_list("name", flat=True)
            self.fields["kind"].choices = [*kinds.LABELS.items(), *((name, name) for name in own.distinct())]  # type: ignore[attr-defined]
        languages = choices.languages([*self.instance.languages, self.instance.default_language])
        for name, options in (
            ("languages", languages),
            ("default_language", languages),
            ("countries", choices.countries(self.instance.countries)),
        ):
            if name in self.fields:
                self.fields[name].choices = options  # type: ignore[attr-defined]
                self.initial.setdefault(name, getattr(self.instance, name))

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        kind, organization = cleaned.get("kind"), getattr(self.instance, "organization_id", None)
        organization = cleaned["organization"].pk if cleaned.get("organization") else organization
        known = kind in kinds.LABELS or OwnKind.objects.filter(organization=organization, name=kind).exists()
        if kind and not known:
            self.add_error("kind", _("This kind belongs to another organization."))
        return cleaned

    def clean_languages(self) -> list[str]:
        """In the order of the page; the hotline's default comes first wherever languages are tried in turn."""
        return list(self.cleaned_data["languages"])


class HotlineForm(HotlineAddForm):
    #: A number keeps the kind that it began with.
    kind = None  # type: ignore[assignment]
    window_hours = DurationField(
        label=_("An episode lasts"),
        unit=_HOUR,
        least=_HOUR,
        most=365 * _DAY,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("From a sender's first message. In the next episode all replies are possible again."),
    )
    block_hours = DurationField(
        label=_("A block lasts"),
        unit=_HOUR,
        least=_HOUR,
        most=365 * _DAY,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("After the last reply a sender is not answered for that long, and no text is kept."),
    )
    delay_seconds = DurationField(
        label=_("Safety delay"),
        most=6 * _HOUR,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Time for the person who gave the number to leave, before the reply arrives."),
    )
    jitter_seconds = DurationField(
        label=_("Random part of the delay"),
        most=2 * _HOUR,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Up to that much longer, by chance, so that nobody recognises the number by its rhythm."),
    )

    def clean(self) -> dict[str, Any] | None:
        """An active number must be able to answer after this form as it was before."""
        cleaned = super().clean() or self.cleaned_data
        if self.instance.state == Hotline.State.ACTIVE and "default_language" in self.changed_data:
            changed = copy.copy(self.instance)
            changed.default_language = cleaned.get("default_language", changed.default_language)
            for problem in readiness.missing(changed):
                self.add_error("default_language", problem)
        return cleaned


class StateForm(DialogForm):
    state = forms.ChoiceField(label=_("New state"), choices=Hotline.State.choices, widget=RadioGroup(_("New state")))
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Needed for a suspension. Your colleagues read it."),
    )
    successor = forms.ModelChoiceField(
        label=_("Successor"),
        queryset=Hotline.objects.none(),
        required=False,
        empty_label=_("none"),
        widget=UnfoldAdminSelectWidget(),
        help_text=_(
            "The number that takes its place, when this one is suspended or retired: it is shown to partners, and "
            "never sent to anybody. A draft that is ready becomes active with it."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["state"].initial = self.row.state
        successor: Any = self.fields["successor"]
        candidates = Hotline.objects.filter(organization=self.row.organization_id).exclude(pk=self.row.pk)
        successor.queryset = candidates.filter(state__in=[Hotline.State.ACTIVE, Hotline.State.DRAFT])
        successor.label_from_instance = lambda hotline: f"{hotline.name} ({hotline.get_state_display()})"
