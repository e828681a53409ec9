"""Pages about who wrote: conversations, masked and read-only, and the blocks on them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from hotlines import extension
from hotlines.choices import language_name
from hotlines.models import Hotline
from organizations.scoped_admin import DialogForm, ReadOnlyAdmin, ScopedRelatedFilter, dialog_action
from organizations.tenancy import EDIT
from organizations.widgets import RadioGroup
from privacy import pseudonyms

from . import blocks, missed, number_health, threads
from .block_file_page import BlockFilePage
from .models import Block, Conversation
from .words import BlockCause

#: A search for a pseudonym looks at this many conversations at most.
_MOST_SEARCHED = 100_000
_DURATIONS: Any = (
    ("", gettext_lazy("until somebody lifts it")),
    ("1", gettext_lazy("for one day")),
    ("7", gettext_lazy("for one week")),
    ("30", gettext_lazy("for 30 days")),
    ("365", gettext_lazy("for one year")),
)
_STATES: Any = {
    "answered": gettext_lazy("is answered"),
    "used_up": gettext_lazy("replies used up"),
    "limit": gettext_lazy("blocked: reply limit"),
    "person": gettext_lazy("blocked by a person"),
    "everywhere": gettext_lazy("blocked on all numbers"),
    "stop": gettext_lazy("wrote STOP"),
}
_COLOURS = {
    "answered": "success",
    "used_up": "info",
    "limit": "warning",
    "person": "danger",
    "everywhere": "danger",
    "stop": "info",
}


def everywhere(now: datetime.datetime) -> Exists:
    """Whether the sender of a conversation is blocked on all numbers of its organization."""
    return Exists(
        Block.objects.filter(
            blocks.standing(now),
            conversation__isnull=True,
            organization=OuterRef("organization"),
            sender_key=OuterRef("sender_key"),
        )
    )


def state_of(conversation: Any, now: datetime.datetime) -> str:
    """A key of `_STATES`. `conversation` carries the annotation `is_blocked_everywhere`."""
    if conversation.opted_out_at is not None:
        return "stop"
    if conversation.is_blocked_everywhere:
        return "everywhere"
    if conversation.blocked_until is not None and conversation.blocked_until > now:
        return "person" if conversation.block_cause == BlockCause.PERSON else "limit"
    return "used_up" if conversation.slots_used >= conversation.hotline.reply_limit else "answered"


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, label) for name, label in _STATES.items() if name != "used_up"]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        blocked = Q(blocked_until__gt=timezone.now(), opted_out_at=None)
        conditions = {
            "stop": Q(opted_out_at__isnull=False),
            "everywhere": Q(is_blocked_everywhere=True, opted_out_at=None),
            "person": blocked & Q(block_cause=BlockCause.PERSON),
            "limit": blocked & Q(block_cause=BlockCause.LIMIT),
            "answered": ~blocked & Q(opted_out_at=None, is_blocked_everywhere=False),
        }
        condition = conditions.get(self.value() or "")
        return queryset.filter(condition) if condition is not None else queryset


class ReasonForm(DialogForm):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("Your colleagues read it. No names and no numbers, please."),
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
class ConversationAdmin(ReadOnlyAdmin):
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
    list_filter = (StateFilter, ("hotline", ScopedRelatedFilter), ("organization", ScopedRelatedFilter))
    ordering = ("-last_message_at",)
    search_fields = ("uuid",)  # makes the field appear; what it finds is in `get_search_results`
    search_help_text = gettext_lazy("A pseudonym, like Loutre-7F3A")
    fieldsets = (
        (None, {"fields": ("organization", "hotline", "masked_shown", "language_named", "state_told")}),
        (
            gettext_lazy("Counts"),
            {"fields": ("messages_received", "slots_told", "episode", "first_message_at", "last_message_at")},
        ),
    )
    actions_detail = ("block", "unblock")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(is_blocked_everywhere=everywhere(timezone.now()))

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

    @admin.display(description=gettext_lazy("number"))
    def masked_shown(self, conversation: Conversation) -> str:
        return format_html('<bdi class="pv-phone" dir="ltr">{}</bdi>', conversation.masked_sender)

    @admin.display(description=gettext_lazy("language"), ordering="language")
    def language_named(self, conversation: Conversation) -> str:
        return language_name(conversation.language) if conversation.language else _("not known yet")

    @admin.display(description=gettext_lazy("replies in this episode"), ordering="slots_used")
    def slots_told(self, conversation: Conversation) -> str:
        return _("%(used)d of %(limit)d") % {
            "used": conversation.slots_used,
            "limit": conversation.hotline.reply_limit,
        }

    @display(description=gettext_lazy("state"), label=_COLOURS)  # type: ignore[untyped-decorator]
    def state_badge(self, conversation: Conversation) -> tuple[str, Any]:
        state = state_of(conversation, timezone.now())
        return state, _STATES[state]

    @admin.display(description=gettext_lazy("state"))
    def state_told(self, conversation: Conversation) -> str:
        now = timezone.now()
        state = state_of(conversation, now)
        told = str(_STATES[state])
        if state in {"limit", "person"} and conversation.blocked_until:
            told += ", " + until_told(conversation.blocked_until)
        return told

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        row = self.get_object(request, object_id)
        number = request.GET.get("page", "")
        page = int(number) if number.isascii() and number.isdigit() and len(number) < 9 else None
        context = {**(extra_context or {}), "thread": threads.read(row, page), "title": _("Conversation")}
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


def until_told(until: datetime.datetime | None) -> str:
    """`until 3 March 2027 08:00`, or until somebody lifts it."""
    if until is None or until >= blocks.FOREVER:
        return str(_DURATIONS[0][1])
    moment = date_format(timezone.localtime(until), "SHORT_DATETIME_FORMAT")
    return _("until %(moment)s") % {"moment": moment}


class StandingFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("standing")), ("no", _("past"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        standing = blocks.standing(timezone.now())
        match self.value():
            case "yes":
                return queryset.filter(standing)
            case "no":
                return queryset.exclude(standing)
        return queryset


@admin.register(Block)
class BlockAdmin(BlockFilePage):
    list_display = (
        "sender_shown",
        "cause",
        "where",
        "reason",
        "author",
        "since",
        "until_shown",
        "state_badge",
        "organization",
    )
    list_select_related = ("conversation__hotline", "author", "organization")
    list_filter = (
        StandingFilter,
        "cause",
        ("conversation__hotline", ScopedRelatedFilter),
        ("organization", ScopedRelatedFilter),
    )
    ordering = ("-since",)
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("organization", "sender_linked", "cause", "where", "reason", "author", "since")}),
        (gettext_lazy("End"), {"fields": ("until_shown", "state_told", "lifted_at", "lifted_by", "lifted_reason")}),
    )
    actions_detail = ("lift",)

    def get_queryset(self, request: HttpRequest) -> Any:
        """A block on all numbers names no conversation; one of the same sender stands in for it."""
        same = Conversation.objects.filter(
            organization=OuterRef("organization"), sender_key=OuterRef("sender_key")
        ).order_by("pk")
        return (
            super()
            .get_queryset(request)
            .annotate(
                one_conversation=Subquery(same.values("pk")[:1]), its_hotline=Subquery(same.values("hotline_id")[:1])
            )
        )

    @admin.display(description=gettext_lazy("sender"))
    def sender_shown(self, block: Any) -> str:
        if block.conversation:
            return str(block.conversation.pseudonym)
        return pseudonyms.readable(block.sender_key, block.its_hotline) if block.its_hotline else _("unknown")

    @admin.display(description=gettext_lazy("sender"))
    def sender_linked(self, block: Any) -> str:
        conversation = block.conversation_id or block.one_conversation
        if not conversation:
            return self.sender_shown(block)
        url = reverse("admin:conversations_conversation_change", args=(conversation,))
        return format_html('<a class="pv-link" href="{}">{}</a>', url, self.sender_shown(block))

    @admin.display(description=gettext_lazy("where"))
    def where(self, block: Block) -> str:
        return str(block.conversation.hotline) if block.conversation else _("all numbers")

    @admin.display(description=gettext_lazy("until"), ordering="until")
    def until_shown(self, block: Block) -> str:
        return _("for good") if block.cause == BlockCause.STOP else until_told(block.until)

    @display(  # type: ignore[untyped-decorator]
        description=gettext_lazy("state"), label={"standing": "danger", "lifted": "success", "past": "info"}
    )
    def state_badge(self, block: Block) -> tuple[str, str]:
        if block.lifted_at is not None:
            return "lifted", _("lifted")
        return ("standing", _("standing")) if block.stands_at(timezone.now()) else ("past", _("past"))

    @admin.display(description=gettext_lazy("state"))
    def state_told(self, block: Block) -> str:
        return self.state_badge(block)[1]  # type: ignore[no-any-return]

    @dialog_action(
        description=gettext_lazy("Lift this block"),
        title=gettext_lazy("Lift this block?"),
        text=gettext_lazy("Where no other block holds, the sender is answered again."),
        submit=gettext_lazy("Lift the block"),
        form_class=ReasonForm,
        icon="lock_open",
        variant=ActionVariant.PRIMARY,
        roles=EDIT,
        shown=lambda block: block.cause != BlockCause.STOP and block.stands_at(timezone.now()),
    )
    def lift(self, request: HttpRequest, row: Block, form: ReasonForm) -> str:
        blocks.lift(row, request.user, form.cleaned_data["reason"])
        self.log_change(request, row, f"Lifted. {form.cleaned_data['reason']}")
        return _("The block is lifted.")


def blocks_of(_request: HttpRequest, hotline: Hotline) -> Mapping[str, Any]:
    """The box of blocks on a hotline's page: by cause, what stands now and what began in the last 30 days."""
    now = timezone.now()
    recent = Q(since__gte=now - datetime.timedelta(days=30))
    counts = {"standing": Count("pk", filter=blocks.standing(now)), "recent": Count("pk", filter=recent)}
    here = Block.objects.filter(conversation__hotline=hotline).order_by().values("cause").annotate(**counts)
    by_cause: dict[str, Any] = {row["cause"]: row for row in here}
    page = reverse("admin:conversations_block_changelist")
    rows = [
        {
            "label": cause.label,
            "standing": by_cause.get(cause, {}).get("standing", 0),
            "recent": by_cause.get(cause, {}).get("recent", 0),
            "url": f"{page}?cause__exact={cause.value}&conversation__hotline__id__exact={hotline.pk}",
        }
        for cause in BlockCause
    ]
    everyone = Block.objects.filter(organization=hotline.organization_id, conversation=None).aggregate(**counts)
    rows.append({"label": _("on all numbers, by a person"), "url": f"{page}?cause__exact=person", **everyone})
    return {"rows": rows}


extension.add_panel(extension.Panel("conversations/blocks_panel.html", blocks_of))
extension.add_panel(number_health.PANEL)
extension.add_panel(missed.PANEL)
