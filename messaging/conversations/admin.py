"""Pages about who wrote: conversations, masked and read-only, and the blocks on them."""

from __future__ import annotations

import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget

from hotlines.choices import language_name
from organizations.keyset import KeysetAdmin, Place
from organizations.scoped_admin import DialogForm, ScopedRelatedFilter, dialog_action
from organizations.tenancy import EDIT, OWN
from organizations.widgets import RadioGroup
from privacy import pseudonyms

from . import blocks, holds, testers, threads
from .block_admin import FOR_EVER, ReasonForm, until_told
from .list_filters import HeldFilter, LanguageFilter, PeriodFilter, StateFilter, TesterFilter
from .models import Conversation
from .states import COLOURS, STATES, everywhere, state_of

#: A search for a pseudonym looks at this many conversations at most.
_MOST_SEARCHED = 100_000
_DURATIONS: Any = (
    ("", FOR_EVER),
    ("1", gettext_lazy("for one day")),
    ("7", gettext_lazy("for one week")),
    ("30", gettext_lazy("for 30 days")),
    ("365", gettext_lazy("for one year")),
)


class BlockForm(ReasonForm):
    where = forms.ChoiceField(
        label=gettext_lazy("Where"),
        choices=(
            ("here", gettext_lazy("on this number")),
            ("everywhere", gettext_lazy("on all numbers of the organization")),
        ),
        initial="here",
        widget=RadioGroup(gettext_lazy("Where")),
    )
    days = forms.ChoiceField(
        label=gettext_lazy("How long"), choices=_DURATIONS, required=False, widget=UnfoldAdminSelectWidget()
    )


@admin.register(Conversation)
class ConversationAdmin(KeysetAdmin):
    change_form_outer_after_template = "conversations/thread.html"
    list_display = (
        "pseudonym_shown",
        "masked_shown",
        "hotline",
        "language_named",
        "messages_received",
        "slots_told",
        "state_badge",
        "last_message_at",
        "organization",
    )
    list_select_related = ("hotline", "organization")
    list_filter = (
        PeriodFilter,
        StateFilter,
        LanguageFilter,
        HeldFilter,
        TesterFilter,
        ("hotline", ScopedRelatedFilter),
        ("organization", ScopedRelatedFilter),
    )
    newest_by = "last_message_at"
    search_fields = ("uuid",)  # makes the field appear; what it finds is in `get_search_results`
    search_help_text = gettext_lazy("A pseudonym, like Loutre-7F3A")
    fieldsets = (
        (None, {"fields": ("organization", "hotline", "masked_shown", "language_named", "state_told", "held_told")}),
        (
            gettext_lazy("Counts"),
            {"fields": ("messages_received", "slots_told", "episode", "first_message_at", "last_message_at")},
        ),
    )
    actions_detail: tuple[str, ...] = ("block", "unblock", "hold", "review", "lift_hold", "mark_test", "unmark_test")

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).select_related(*self.list_select_related)
        return rows.annotate(is_blocked_everywhere=everywhere(timezone.now()))

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By pseudonym, which no column holds: it is computed for each conversation she may see."""
        wanted = search_term.strip().casefold()
        if not wanted:
            return queryset, False
        rows = queryset.order_by().values_list("pk", "sender_key", "hotline_id")[:_MOST_SEARCHED]
        found = [pk for pk, key, hotline in rows.iterator() if pseudonyms.readable(key, hotline).casefold() == wanted]
        return queryset.filter(pk__in=found), False

    @admin.display(description=gettext_lazy("sender"))
    def pseudonym_shown(self, conversation: Conversation) -> str:
        return conversation.pseudonym

    @admin.display(description=gettext_lazy("sender’s number"))
    def masked_shown(self, conversation: Conversation) -> str:
        return format_html('<bdi class="pv-phone" dir="ltr">{}</bdi>', conversation.masked_sender)

    @admin.display(description=gettext_lazy("language"))
    def language_named(self, conversation: Conversation) -> str:
        return language_name(conversation.language) if conversation.language else _("not known yet")

    @admin.display(description=gettext_lazy("replies in this episode"))
    def slots_told(self, conversation: Conversation) -> str:
        return _("%(used)d of %(limit)d") % {
            "used": conversation.slots_used,
            "limit": conversation.hotline.reply_limit,
        }

    @display(description=gettext_lazy("state"), label=COLOURS)  # type: ignore[untyped-decorator]
    def state_badge(self, conversation: Conversation) -> tuple[str, Any]:
        state = state_of(conversation, timezone.now())
        return state, STATES[state]

    @admin.display(description=gettext_lazy("state"))
    def state_told(self, conversation: Conversation) -> str:
        now = timezone.now()
        state = state_of(conversation, now)
        told = str(STATES[state])
        if state in {"limit", "person"} and conversation.blocked_until:
            told += ", " + until_told(conversation.blocked_until)
        return told

    @admin.display(description=gettext_lazy("Kept as evidence"))
    def held_told(self, conversation: Conversation) -> str:
        held = holds.of(conversation.pk) if conversation.held else None
        if held is None:
            return _("no: texts and number are erased when their time is over")
        return _("yes, to be reviewed by %(day)s: %(reason)s") % {
            "day": date_format(timezone.localtime(held.review_at), "SHORT_DATE_FORMAT"),
            "reason": held.reason,
        }

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        row = self.get_object(request, object_id)
        thread = threads.read(row, Place.read(request.GET.get("page", "")))
        may_edit = self.may(request, row, EDIT)
        context = {**(extra_context or {}), "thread": thread, "title": _("Conversation"), "may_edit": may_edit}
        return super().change_view(request, object_id, form_url, context)

    @dialog_action(
        description=gettext_lazy("Block"),
        title=gettext_lazy("Block this sender?"),
        text=gettext_lazy(
            "Nothing will be answered any more, and the texts will not be kept. Replies that wait are dropped."
        ),
        submit=gettext_lazy("Block"),
        form_class=BlockForm,
        icon="block",
        variant=ActionVariant.DANGER,
        roles=EDIT,
        shown=lambda row: state_of(row, timezone.now()) not in {"person", "everywhere", "stop"},
    )
    def block(self, request: HttpRequest, row: Conversation, form: BlockForm) -> str:
        data = form.cleaned_data
        until = timezone.now() + datetime.timedelta(days=int(data["days"])) if data["days"] else None
        if data["where"] == "everywhere":
            blocks.block_everywhere(row, request.user, data["reason"], until)
            said = _("This sender is blocked on all numbers.")
        else:
            blocks.block_conversation(row, request.user, data["reason"], until)
            said = _("This sender is blocked on this number.")
        self.log_change(request, row, f"{said} {data['reason']}")
        return said

    @dialog_action(
        description=gettext_lazy("Unblock"),
        title=gettext_lazy("Answer this sender again?"),
        text=gettext_lazy(
            "Every block on this sender that holds for this number is lifted, also one on all numbers. The sender may "
            "get all replies again."
        ),
        submit=gettext_lazy("Unblock"),
        form_class=ReasonForm,
        icon="lock_open",
        roles=EDIT,
        shown=lambda row: state_of(row, timezone.now()) in {"limit", "person", "everywhere", "used_up"},
    )
    def unblock(self, request: HttpRequest, row: Conversation, form: ReasonForm) -> str:
        blocks.unblock(row, request.user, form.cleaned_data["reason"])
        said = _("This sender is answered again.")
        self.log_change(request, row, f"{said} {form.cleaned_data['reason']}")
        return said

    @dialog_action(
        description=gettext_lazy("Keep as evidence"),
        title=gettext_lazy("Keep this conversation as evidence?"),
        text=gettext_lazy(
            "Nothing of it is erased any more, neither texts nor number, until somebody ends it; after a year somebody "
            "must say whether it is still needed. For threats, for a complaint, for a court."
        ),
        submit=gettext_lazy("Keep"),
        form_class=ReasonForm,
        icon="gavel",
        roles=EDIT,
        shown=lambda row: not row.held,
    )
    def hold(self, request: HttpRequest, row: Conversation, form: ReasonForm) -> str:
        holds.hold(row, request.user, form.cleaned_data["reason"])
        said = _("This conversation is kept as evidence.")
        self.log_change(request, row, f"{said} {form.cleaned_data['reason']}")
        return said

    @dialog_action(
        description=gettext_lazy("Keep for another year"),
        title=gettext_lazy("Is it still needed?"),
        text=gettext_lazy("It is kept for another year from today. If nobody needs it any more, end it instead."),
        submit=gettext_lazy("Keep"),
        form_class=ReasonForm,
        icon="event_repeat",
        roles=EDIT,
        shown=lambda row: row.held,
    )
    def review(self, request: HttpRequest, row: Conversation, form: ReasonForm) -> str:
        holds.review(row, request.user, form.cleaned_data["reason"])
        said = _("This conversation is kept for another year.")
        self.log_change(request, row, f"{said} {form.cleaned_data['reason']}")
        return said

    @dialog_action(
        description=gettext_lazy("Keep no longer"),
        title=gettext_lazy("Is this evidence needed no longer?"),
        text=gettext_lazy(
            "What is older than this number keeps is erased within an hour, for good. It cannot be brought back."
        ),
        submit=gettext_lazy("Keep no longer"),
        form_class=ReasonForm,
        icon="delete_history",
        variant=ActionVariant.DANGER,
        roles=OWN,
        shown=lambda row: row.held,
    )
    def lift_hold(self, request: HttpRequest, row: Conversation, form: ReasonForm) -> str:
        holds.lift(row, request.user, form.cleaned_data["reason"])
        said = _("This conversation is no longer kept as evidence.")
        self.log_change(request, row, f"{said} {form.cleaned_data['reason']}")
        return said

    @dialog_action(
        description=gettext_lazy("Mark as test"),
        title=gettext_lazy("Is this somebody who tries the number?"),
        text=gettext_lazy(
            "Somebody of yours, or a curious journalist: answered like all others, and counted apart, in your figures "
            "and in those you publish."
        ),
        submit=gettext_lazy("Mark as test"),
        icon="science",
        roles=EDIT,
        shown=lambda _row: False,  # the page's own link opens it
    )
    def mark_test(self, request: HttpRequest, row: Conversation, form: DialogForm) -> str:
        testers.mark(row, tester=True)
        self.log_change(request, row, "Marked as test.")
        return _("This conversation is counted as a test.")

    @dialog_action(
        description=gettext_lazy("No test"),
        title=gettext_lazy("Is this a sender like all others?"),
        text=gettext_lazy("The conversation is counted with all others again."),
        submit=gettext_lazy("No test"),
        icon="science_off",
        roles=EDIT,
        shown=lambda _row: False,  # the page's own link opens it
    )
    def unmark_test(self, request: HttpRequest, row: Conversation, form: DialogForm) -> str:
        testers.mark(row, tester=False)
        self.log_change(request, row, "No longer marked as test.")
        return _("This conversation is counted with all others.")
