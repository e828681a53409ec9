"""The page of blocks, and the box of them on a hotline's page."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, Q, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from hotlines import extension
from hotlines.models import Hotline
from organizations.scoped_admin import DialogForm, ScopedRelatedFilter, dialog_action
from organizations.tenancy import EDIT
from privacy import pseudonyms

from . import blocks, missed, number_health
from .block_file_page import BlockFilePage
from .models import Block, Conversation
from .words import BlockCause

FOR_EVER = gettext_lazy("until somebody lifts it")


class ReasonForm(DialogForm):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("Your colleagues read it. No names and no numbers, please."),
    )


def until_told(until: datetime.datetime | None) -> str:
    """`until 3 March 2027 08:00`, or until somebody lifts it."""
    if until is None or until >= blocks.FOREVER:
        return str(FOR_EVER)
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
