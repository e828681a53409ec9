"""What the list of conversations can be narrowed to."""

from __future__ import annotations

import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy

from hotlines import choices

from .models import Hold
from .states import STATES
from .words import BlockCause


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, label) for name, label in STATES.items() if name != "used_up"]

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


class HeldFilter(admin.SimpleListFilter):
    title = gettext_lazy("kept as evidence")
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("kept")), ("due", gettext_lazy("to be reviewed now"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        standing = Hold.objects.filter(conversation_id=OuterRef("pk"), lifted_at=None)
        if self.value() == "due":
            standing = standing.filter(review_at__lte=timezone.now())
        return queryset.filter(Exists(standing)) if self.value() in {"yes", "due"} else queryset


class TesterFilter(admin.SimpleListFilter):
    title = gettext_lazy("tests")
    parameter_name = "tester"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("only tests")), ("no", gettext_lazy("without tests"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(tester=self.value() == "yes") if self.value() in {"yes", "no"} else queryset


class PeriodFilter(admin.SimpleListFilter):
    title = gettext_lazy("last message")
    parameter_name = "since"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("1", gettext_lazy("in the last 24 hours")),
            ("7", gettext_lazy("in the last 7 days")),
            ("30", gettext_lazy("in the last 30 days")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() not in {"1", "7", "30"}:
            return queryset
        since = timezone.now() - datetime.timedelta(days=int(self.value() or ""))
        return queryset.filter(last_message_at__gte=since)


class LanguageFilter(admin.SimpleListFilter):
    """Choices that are known: those that occur would have to be looked for in all conversations."""

    title = gettext_lazy("language")
    parameter_name = "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        asked = [tag for tag in [request.GET.get(self.parameter_name, "")] if choices.is_language(tag)]
        return sorted(choices.languages(asked), key=lambda choice: choice[1])

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(language=self.value()) if self.value() else queryset
