"""The page of a hotline: what it is, how it answers, and the address its provider calls."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import INPUT_CLASSES

from organizations.scoped_admin import (
    DialogForm,
    OccurringFilter,
    ScopedAdmin,
    ScopedRelatedFilter,
    dialog_action,
    page_action,
)
from organizations.tenancy import EDIT, OWN, VIEW

from . import (
    campaign_admin,  # noqa: F401  the page of campaigns registers itself
    choices,
    durations,
    extension,
    guide,
    kinds,
    lifecycle,
    number_rules,
    readiness,
    succession,
    summary,
)
from .forms import HotlineAddForm, HotlineForm, StateForm
from .kind_admin import KindForm
from .models import Hotline

_STATES = {"draft": "info", "active": "success", "silent": "warning", "suspended": "danger", "retired": "info"}
_LANGUAGES: Any = (gettext_lazy("Languages and countries"), {"fields": ("languages", "default_language", "countries")})
#: The owners' to say, because they pay.
_MONEY = ("replies_per_hour", "day_budget", "month_budget", "inbound_budget")
#: What a reader who may not edit sees in place of codes and seconds.
_SPELT_OUT = {
    "languages": "languages_named",
    "default_language": "default_language_named",
    "countries": "countries_named",
    "window_hours": "window_spoken",
    "block_hours": "block_spoken",
    "delay_seconds": "delay_spoken",
    "jitter_seconds": "jitter_spoken",
}


class KindFilter(OccurringFilter):
    title = gettext_lazy("kind")
    parameter_name = "kind"

    def name_of(self, value: str) -> str:
        return kinds.label(value)


@admin.register(Hotline)
class HotlineAdmin(ScopedAdmin):
    form = HotlineForm
    change_form_outer_before_template = "hotlines/summary.html"
    change_form_outer_after_template = "hotlines/panels.html"
    list_display = ("name", "number_isolated", "kind_told", "state_badge", "languages_named", "organization")
    list_select_related = ("organization",)
    list_filter = ("state", KindFilter, ("organization", ScopedRelatedFilter))
    search_fields = ("name", "number")
    add_fieldsets = (
        (
            None,
            {
                "fields": ("organization", "name", "number", "account", "kind"),
                "description": gettext_lazy(
                    "The kind brings its reply limit, its safety delay and its texts; you can change all of them "
                    "afterwards. A new number is a draft: it answers nobody until you activate it."
                ),
            },
        ),
        _LANGUAGES,
    )
    fieldsets = (
        (None, {"fields": ("organization", "name", "number", "kind_told", "campaign", "account", "stand_in")}),
        _LANGUAGES,
        (
            gettext_lazy("How often it answers"),
            {
                "fields": ("reply_limit", "window_hours", "block_hours"),
                "description": gettext_lazy(
                    "Replies cost money, and nobody is convinced by the tenth. Few are better."
                ),
            },
        ),
        (
            gettext_lazy("When it answers"),
            {
                "fields": (
                    "calls",
                    "delay_seconds",
                    "jitter_seconds",
                    "quiet_from",
                    "quiet_until",
                    "messages_per_second",
                ),
                "description": gettext_lazy(
                    "The reply may arrive while the person who gave the number still stands beside the sender. The "
                    "safety delay is there for that person."
                ),
            },
        ),
        (
            gettext_lazy("What it keeps"),
            {
                "fields": ("text_days", "number_days", "body_days"),
                "description": gettext_lazy(
                    "What is not kept cannot be stolen. What is over is erased every hour, unless somebody holds a "
                    "conversation as evidence."
                ),
            },
        ),
        (
            gettext_lazy("What it may spend"),
            {
                "fields": _MONEY,
                "description": gettext_lazy(
                    "A raid ends here and not at your bank. First replies go before repeats, so many people can still "
                    "be answered when little is left. With a fixed fee the account's limits count; leave these empty."
                ),
            },
        ),
    )
    actions_detail = ("guide", "change_state", "webhook", "make_kind", "rotate_webhook", "reset_pins")

    # --- what it shows ----------------------------------------------------------------------------------------------
    @admin.display(description=gettext_lazy("number"), ordering="number")
    def number_isolated(self, hotline: Hotline) -> str:
        return format_html('<bdi class="pv-phone" dir="ltr">{}</bdi>', hotline.number)

    @admin.display(description=gettext_lazy("kind"), ordering="kind")
    def kind_told(self, hotline: Hotline) -> str:
        return hotline.kind_label

    @display(description=gettext_lazy("state"), ordering="state", label=_STATES)  # type: ignore[untyped-decorator]
    def state_badge(self, hotline: Hotline) -> tuple[str, str]:
        return hotline.state, hotline.get_state_display()

    @admin.display(description=gettext_lazy("languages"))
    def languages_named(self, hotline: Hotline) -> str:
        return ", ".join(choices.language_name(code) for code in hotline.languages)

    @admin.display(description=gettext_lazy("Default language"))
    def default_language_named(self, hotline: Hotline) -> str:
        return choices.language_name(hotline.default_language)

    @admin.display(description=gettext_lazy("Countries answered"))
    def countries_named(self, hotline: Hotline) -> str:
        return ", ".join(sorted(choices.country_name(code) for code in hotline.countries))

    @admin.display(description=gettext_lazy("An episode lasts"))
    def window_spoken(self, hotline: Hotline) -> str:
        return durations.spoken(hotline.window_hours * 3600)

    @admin.display(description=gettext_lazy("A block lasts"))
    def block_spoken(self, hotline: Hotline) -> str:
        return durations.spoken(hotline.block_hours * 3600)

    @admin.display(description=gettext_lazy("Safety delay"))
    def delay_spoken(self, hotline: Hotline) -> str:
        return durations.spoken(hotline.delay_seconds)

    @admin.display(description=gettext_lazy("Random part of the delay"))
    def jitter_spoken(self, hotline: Hotline) -> str:
        return durations.spoken(hotline.jitter_seconds)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [
            (title, {**options, "fields": [_SPELT_OUT.get(name, name) for name in options["fields"]]})
            for title, options in fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ()
        number = () if obj.state == Hotline.State.DRAFT else ("number",)
        money = () if self.may(request, obj, OWN) else _MONEY
        return (*super().get_readonly_fields(request, obj), "kind_told", *number, *money)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in {"quiet_from", "quiet_until"}:
            # The theme's field warns of the distance between two clocks, which is not what is asked here.
            kwargs["widget"] = forms.TimeInput(format="%H:%M", attrs={"type": "time", "class": " ".join(INPUT_CLASSES)})
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  Django's signature
        kwargs.setdefault("form", HotlineForm if obj else HotlineAddForm)
        return super().get_form(request, obj, change, **kwargs)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        hotline = context.get("original")
        if hotline is not None:
            context["sentences"] = summary.sentences(hotline)
            context["may_edit"] = self.may(request, hotline, EDIT)
            context["missing"] = readiness.missing(hotline) if hotline.state != Hotline.State.ACTIVE else []
            context["succession"] = succession.sentence(hotline)
            context["advice"] = number_rules.advice(hotline.number, timezone.localdate())
            context["panels"] = extension.panels(request, hotline)
        return super().render_change_form(request, context, *args, **kwargs)

    # --- what it does -----------------------------------------------------------------------------------------------
    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            lifecycle.begin(obj)

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        """The way that begins here, step by step."""
        return HttpResponseRedirect(self.row_url(obj, "guide"))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Drafts to which nobody ever wrote. Others are retired: what happened on them stays."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and (
            not isinstance(obj, Hotline) or (obj.state == Hotline.State.DRAFT and not obj.conversations.exists())
        )

    @page_action(
        description=gettext_lazy("Step by step"),
        icon="checklist",
        roles=VIEW,
        shown=lambda hotline: hotline.state != Hotline.State.RETIRED,
    )
    def guide(self, request: HttpRequest, row: Hotline) -> HttpResponse:
        """Everything between a new number and its first reply, with what is done and what is left."""
        steps = guide.steps(request, row)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Step by step"),
            "subtitle": row.name,
            "opts": self.opts,
            "original": row,
            "steps": steps,
            "left": sum(step.standing is guide.Standing.TODO for step in steps),
        }
        return TemplateResponse(request, "hotlines/guide.html", context)

    @dialog_action(
        description=gettext_lazy("Change state"),
        title=gettext_lazy("Change the state of this number"),
        text=gettext_lazy("An active number answers. All others receive and answer nobody."),
        submit=gettext_lazy("Change state"),
        form_class=StateForm,
        icon="toggle_on",
        variant=ActionVariant.PRIMARY,
        roles=EDIT,
    )
    def change_state(self, request: HttpRequest, row: Hotline, form: StateForm) -> str:
        before, data = row.get_state_display(), form.cleaned_data
        lifecycle.change_state(row, data["state"], data["reason"], data["successor"], request.user)
        said = _("State: %(before)s → %(after)s.") % {"before": before, "after": row.get_state_display()}
        if row.successor is not None:
            said += " " + _("%(name)s takes its place.") % {"name": row.successor}
        self.log_change(request, row, f"{said} {data['reason']}".strip())
        return said

    @dialog_action(
        description=gettext_lazy("Make a kind of it"),
        title=gettext_lazy("Make a kind of this number"),
        text=gettext_lazy(
            "Its limits, delays and texts, as they are now, become a kind that you can choose when you add a number. "
            "Later changes of this number do not change the kind."
        ),
        submit=gettext_lazy("Make a kind of it"),
        form_class=KindForm,
        icon="library_add",
        roles=EDIT,
        shown=lambda _row: False,  # the page's own link opens it
    )
    def make_kind(self, request: HttpRequest, row: Hotline, form: KindForm) -> str:
        kind = lifecycle.make_kind(row, form.cleaned_data["name"])
        self.log_addition(request, kind, f"Made of {row}.")
        return _("“%(name)s” can be chosen as the kind of a new number.") % {"name": kind.name}

    @page_action(description=gettext_lazy("Show webhook address"), icon="link", roles=OWN)
    def webhook(self, request: HttpRequest, row: Hotline) -> HttpResponse:
        """The one page that shows the token. It is a secret: whoever has it and the signature key can send messages."""
        named = {"provider": row.account.provider, "token": row.hook_token}
        calls = extension.passes_calls(row.account.provider)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Webhook address"),
            "subtitle": row.name,
            "opts": self.opts,
            "original": row,
            "address": f"{settings.PUBLIC_URL}{reverse('hook-message', kwargs=named)}",
            "call_address": f"{settings.PUBLIC_URL}{reverse('hook-call', kwargs=named)}" if calls else "",
            "pins": row.pins.all(),
        }
        return TemplateResponse(request, "hotlines/webhook.html", context)

    @dialog_action(
        description=gettext_lazy("New webhook address"),
        title=gettext_lazy("Make a new webhook address?"),
        text=gettext_lazy(
            "The old address stops working within seconds. Until the provider has the new one, messages to this number "
            "are refused, and the provider gives them up after a few minutes."
        ),
        submit=gettext_lazy("Make a new address"),
        icon="autorenew",
        variant=ActionVariant.DANGER,
        roles=OWN,
        shown=lambda _row: False,
        then="webhook",
    )
    def rotate_webhook(self, request: HttpRequest, row: Hotline, form: DialogForm) -> str:
        row.rotate_hook_token()
        self.log_change(request, row, "New webhook address.")
        return _("This is the new address. Give it to the provider now.")

    @dialog_action(
        description=gettext_lazy("Reset signature pins"),
        title=gettext_lazy("Accept weaker signatures again?"),
        text=gettext_lazy(
            "Once a provider has signed with its best method, weaker ones are refused. Reset this only if the provider "
            "told you that it changed its signatures; the next good signature is remembered again."
        ),
        submit=gettext_lazy("Reset"),
        icon="lock_reset",
        variant=ActionVariant.DANGER,
        roles=OWN,
        shown=lambda _row: False,
        then="webhook",
    )
    def reset_pins(self, request: HttpRequest, row: Hotline, form: DialogForm) -> str:
        for pin in row.pins.all():
            pin.delete()  # one by one, because deletion tells the webhook's memory
        self.log_change(request, row, "Signature pins reset.")
        return _("The signature pins are reset.")
