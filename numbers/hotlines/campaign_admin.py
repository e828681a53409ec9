"""The page of campaigns: which number is given away now, and how the others are."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from organizations.scoped_admin import ScopedAdmin, ScopedRelatedFilter

from . import rotation
from .models import Campaign


@admin.register(Campaign)
class CampaignAdmin(ScopedAdmin):
    change_form_outer_after_template = "hotlines/campaign.html"
    list_display = ("name", "shown_now", "turn", "organization")
    list_select_related = ("organization",)
    list_filter = (("organization", ScopedRelatedFilter),)
    fieldsets: ClassVar[Any] = ((None, {"fields": ("organization", "name", "turn")}),)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list with what `shown_now` tells of each row, found for all of them at once."""
        found = super().get_changelist_instance(request)
        standings = rotation.standings(list(found.result_list), timezone.now())
        for campaign in found.result_list:
            campaign.shown = standings[campaign.pk].shown
        return found

    @admin.display(description=gettext_lazy("given away now"))
    def shown_now(self, campaign: Any) -> str:
        shown = campaign.shown
        if shown is None:
            return _("none is well")
        return format_html('{} <bdi class="pv-phone" dir="ltr">{}</bdi>', shown.name, shown.number)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        row = self.get_object(request, object_id)
        context = {**(extra_context or {}), "standing": rotation.standing(row, timezone.now())}
        return super().change_view(request, object_id, form_url, context)
