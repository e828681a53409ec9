"""Webhooks and what they were told. They are the owners' to set up: whoever reads them learns of every alert."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.enums import ActionVariant

from organizations.scoped_admin import (
    DialogForm,
    ReadOnlyAdmin,
    ScopedAdmin,
    ScopedRelatedFilter,
    dialog_action,
    page_action,
)
from organizations.tenancy import OWN

from . import delivering, events, key_admin, signing  # noqa: F401  the pages of keys register themselves
from .models import Delivery, Endpoint


@admin.register(Endpoint)
class EndpointAdmin(ScopedAdmin):
    view_roles = OWN
    add_roles = OWN
    change_roles = OWN
    delete_roles = OWN
    list_display = ("label", "audience", "url", "state_badge", "organization")
    list_select_related = ("organization",)
    list_filter = ("audience", ("organization", ScopedRelatedFilter))
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": ("organization", "label", "url", "audience", "signature"),
                "description": gettext_lazy(
                    "Paravent posts each event here as JSON, signed by the Standard Webhooks specification, and tries "
                    "for three days. No event holds a sender, a text or a reason that people wrote."
                ),
            },
        ),
    )
    actions_detail = ("secret", "test", "pause", "resume")

    @display(description=gettext_lazy("state"), label={"well": "success", "paused": "danger", "trying": "warning"})  # type: ignore[untyped-decorator]
    def state_badge(self, endpoint: Endpoint) -> tuple[str, str]:
        if endpoint.paused_at is not None:
            said = _("gone (410)") if endpoint.paused_reason == "410" else _("paused")
            return "paused", said
        if endpoint.deliveries.filter(next_attempt_at__isnull=False, attempts__gt=0).exists():
            return "trying", _("does not answer")
        return "well", _("in use")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Its keys are of one way to sign."""
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "signature") if obj else fixed

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: Any) -> None:
        if not change:
            two = obj.signature == Endpoint.Signature.ED25519
            obj.secret = signing.new_private() if two else signing.new_shared()
        super().save_model(request, obj, form, change)

    @page_action(description=gettext_lazy("Show the signing key"), icon="key", roles=OWN)
    def secret(self, request: HttpRequest, row: Endpoint) -> HttpResponse:
        """The one page that shows it."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("Signing key"),
            "subtitle": row.label,
            "opts": self.opts,
            "original": row,
            "secret": signing.public(row.secret),
        }
        return TemplateResponse(request, "partners/secret.html", context)

    @dialog_action(
        description=gettext_lazy("Send a test"),
        title=gettext_lazy("Send a test event?"),
        text=gettext_lazy("It says nothing but that it came. Its delivery is in the list of deliveries."),
        submit=gettext_lazy("Send"),
        icon="send",
        roles=OWN,
        shown=lambda row: row.paused_at is None,
    )
    def test(self, request: HttpRequest, row: Endpoint, form: DialogForm) -> str:
        if row.paused_at is not None:
            raise ValidationError(_("This webhook is paused. Resume it first."))
        events.write_test(row, timezone.now())
        return _("The test is on its way: the list of deliveries says what became of it.")

    @dialog_action(
        description=gettext_lazy("Pause"),
        title=gettext_lazy("Send nothing to this webhook for now?"),
        text=gettext_lazy("What is on its way waits. What happens meanwhile is not told afterwards."),
        submit=gettext_lazy("Pause"),
        icon="pause",
        roles=OWN,
        shown=lambda row: row.paused_at is None,
    )
    def pause(self, request: HttpRequest, row: Endpoint, form: DialogForm) -> str:
        Endpoint.objects.filter(pk=row.pk, paused_at__isnull=True).update(
            paused_at=timezone.now(), paused_reason="by a person"
        )
        self.log_change(request, row, "Paused.")
        return _("Nothing is sent to this webhook.")

    @dialog_action(
        description=gettext_lazy("Resume"),
        title=gettext_lazy("Send to this webhook again?"),
        text=gettext_lazy("What was on its way leaves now."),
        submit=gettext_lazy("Resume"),
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        roles=OWN,
        shown=lambda row: row.paused_at is not None,
    )
    def resume(self, request: HttpRequest, row: Endpoint, form: DialogForm) -> str:
        Endpoint.objects.filter(pk=row.pk).update(paused_at=None, paused_reason="", resumed_at=timezone.now())
        self.log_change(request, row, "Resumed.")
        return _("Events are sent again.")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    view_roles = OWN
    list_display = ("happened", "event", "endpoint", "state_badge", "attempts", "detail", "organization")
    list_select_related = ("event", "endpoint", "organization")
    list_filter = (("endpoint", ScopedRelatedFilter), ("organization", ScopedRelatedFilter))
    ordering = ("-event__at", "-pk")
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": (
                    "happened",
                    "event",
                    "endpoint",
                    "attempts",
                    "detail",
                    "next_attempt_at",
                    "delivered_at",
                    "organization",
                )
            },
        ),
    )
    readonly_fields = ("happened",)
    actions_detail = ("send_again",)

    @admin.display(description=gettext_lazy("when"), ordering="event__at")
    def happened(self, delivery: Delivery) -> Any:
        return delivery.event.at

    @display(  # type: ignore[untyped-decorator]
        description=gettext_lazy("state"), label={"delivered": "success", "waits": "info", "given up": "danger"}
    )
    def state_badge(self, delivery: Delivery) -> tuple[str, str]:
        if delivery.delivered_at is not None:
            return "delivered", _("delivered")
        return ("waits", _("on its way")) if delivery.next_attempt_at is not None else ("given up", _("given up"))

    @dialog_action(
        description=gettext_lazy("Send again"),
        title=gettext_lazy("Send this event again?"),
        text=gettext_lazy("It has the same webhook-id, so that a receiver who has it knows it again."),
        submit=gettext_lazy("Send again"),
        icon="replay",
        roles=OWN,
    )
    def send_again(self, request: HttpRequest, row: Delivery, form: DialogForm) -> str:
        delivering.again(row)
        return _("It is on its way again.")
