"""The lists of alerts and of changes of level, and the button by which a person writes a reply herself."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget

from conversations.admin import ConversationAdmin
from conversations.models import Conversation
from hotlines.choices import language_name
from organizations.scoped_admin import DialogForm, ReadOnlyAdmin, ScopedRelatedFilter, dialog_action
from organizations.tenancy import EDIT
from replies import choosing
from replies.counting import CountedTextarea
from replies.models import SENT
from shield import sentences
from shield.models import Alert, LevelChange

from . import by_hand, telling


class ByHandForm(DialogForm):
    """Her own words, or one of the number's texts, for instance to try it on a tester."""

    template = forms.ChoiceField(
        label=gettext_lazy("A text of this number"), required=False, widget=UnfoldAdminSelectWidget()
    )
    text = forms.CharField(
        label=gettext_lazy("Or your own words"), required=False, widget=CountedTextarea(historical=False)
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        templates = choosing.query(self.row.hotline).filter(purpose__in=SENT).order_by("language", "purpose", "step")
        self.templates = {str(template.pk): template for template in templates}
        choices = [(key, f"{language_name(of.language)}: {of.text[:60]}") for key, of in self.templates.items()]
        self.fields["template"].choices = [("", "—"), *choices]

    def note(self) -> Any:
        try:
            ahead = by_hand.outlook(self.row, timezone.now())
        except ValidationError as error:
            return " ".join(error.messages)
        moment = date_format(timezone.localtime(ahead.due_at), "SHORT_DATETIME_FORMAT")
        which = {"slot": ahead.slot, "limit": ahead.limit, "moment": moment}
        if ahead.waiting is not None:
            return (
                _("It takes the place of the reply that waits, %(slot)d of %(limit)d, and leaves at %(moment)s.")
                % which
            )
        return _("It is reply %(slot)d of %(limit)d, and leaves at %(moment)s.") % which

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if bool(cleaned.get("template")) == bool((cleaned.get("text") or "").strip()):
            raise ValidationError(_("Choose a text, or write one: one of the two."), code="one")
        return cleaned


admin.site.unregister(Conversation)


@admin.register(Conversation)
class AnsweringConversationAdmin(ConversationAdmin):
    """The page of conversations, with the button by which a person answers."""

    actions_detail = ("by_hand", *ConversationAdmin.actions_detail)

    class Media:
        """What the dialog needs that is opened on the page."""

        js = ("replies/segments.js",)
        css: ClassVar = {"screen": ("replies/segments.css",)}

    @dialog_action(
        description=gettext_lazy("Reply by hand"),
        title=gettext_lazy("Write a reply to this sender"),
        text=gettext_lazy(
            "It counts as one of the number's replies, waits for the safety delay and costs what it costs, like all "
            "others. No names, no places, nothing that points to a person."
        ),
        submit=gettext_lazy("Send"),
        form_class=ByHandForm,
        icon="reply",
        variant=ActionVariant.PRIMARY,
        roles=EDIT,
        shown=lambda row: by_hand.is_offered(row, timezone.now()),
    )
    def by_hand(self, request: HttpRequest, row: Conversation, form: ByHandForm) -> str:
        template = form.templates.get(form.cleaned_data["template"])
        text, language = (template.text, template.language) if template else (form.cleaned_data["text"], "")
        reply = by_hand.write(row, text, language)
        self.log_change(request, row, f"Reply {reply.slot} of episode {reply.episode} written by hand.")
        moment = date_format(timezone.localtime(reply.due_at), "SHORT_DATETIME_FORMAT")
        return _("The reply is written and leaves at %(moment)s.") % {"moment": moment}


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """What concerns the platform alone belongs to no organization, and so to the operator's list."""

    list_display = ("at", "what", "told_badge", "organization")
    list_display_links = ("at",)
    list_select_related = ("organization", "hotline", "spending", "change", "detachment")
    list_filter = ("kind", ("organization", ScopedRelatedFilter))
    ordering = ("-at",)
    readonly_fields = ("what",)
    fieldsets: ClassVar[Any] = ((None, {"fields": ("at", "kind", "what", "told_at", "organization")}),)

    @admin.display(description=gettext_lazy("alert"))
    def what(self, alert: Alert) -> str:
        return telling.sentence(alert)

    @display(description=gettext_lazy("mail"), label={"told": "success", "waits": "info"})  # type: ignore[untyped-decorator]
    def told_badge(self, alert: Alert) -> tuple[str, str]:
        return ("told", _("sent")) if alert.told_at else ("waits", _("waits"))


@admin.register(LevelChange)
class LevelChangeAdmin(ReadOnlyAdmin):
    """Every raid, and when it ended; nothing here can be changed."""

    list_display = ("at", "hotline", "levels", "why", "organization")
    list_display_links = ("at",)
    list_select_related = ("organization", "hotline")
    list_filter = ("after", ("hotline", ScopedRelatedFilter), ("organization", ScopedRelatedFilter))
    ordering = ("-at",)
    readonly_fields = ("levels", "why")
    fieldsets: ClassVar[Any] = ((None, {"fields": ("at", "hotline", "levels", "why", "organization")}),)

    @admin.display(description=gettext_lazy("level"))
    def levels(self, change: LevelChange) -> str:
        return str(change)

    @admin.display(description=gettext_lazy("why"))
    def why(self, change: LevelChange) -> str:
        return sentences.cause(change)
