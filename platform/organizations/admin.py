"""Pages about people: organizations, members, invitations, and the users that the operator creates."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING, Any, ClassVar

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.decorators import action
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from . import members, trail_admin  # noqa: F401  the page of the trail registers itself
from .models import Invitation, Member, Organization
from .scoped_admin import ScopedAdmin, ScopedForm, access
from .tenancy import OWN

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
else:
    from unfold.admin import ModelAdmin

admin.site.unregister(User)
admin.site.unregister(Group)
# allauth's raw rows; a person's second factors have pages of their own.
admin.site.unregister(Authenticator)
admin.site.unregister(EmailAddress)
admin.site.unregister(UserSession)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """For the operator alone: a list of users is a list of people who help."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    actions = None
    list_display = ("username", "email", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("email", "first_name", "last_name")}),
        (_("Rights"), {"fields": ("is_active", "is_superuser")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return access(request).operator

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access(request).operator

    def has_add_permission(self, request: HttpRequest) -> bool:
        return access(request).operator

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access(request).operator

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access(request).operator

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field) if access(request).operator else None
        if row is None:
            raise Http404
        return row


@admin.register(Organization)
class OrganizationAdmin(ScopedAdmin):
    change_roles = OWN
    delete_roles = ()
    list_display = ("name", "time_zone", "alert_email")
    fieldsets = (
        (None, {"fields": ("name",)}),
        (_("Clock and alerts"), {"fields": ("time_zone", "alert_email")}),
        (_("What all numbers together may spend"), {"fields": ("day_budget", "month_budget")}),
        (_("Texts"), {"fields": ("texts_need_approval",)}),
        (_("Evidence"), {"fields": ("evidence_recipient",)}),
    )

    def organization_of(self, row: Any) -> int | None:
        return row.pk  # type: ignore[no-any-return]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return access(request).operator

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name != "time_zone":
            return field
        zones = [(name, name.replace("_", " ")) for name in sorted(zoneinfo.available_timezones()) if "/" in name]
        return forms.ChoiceField(
            label=field.label,
            help_text=field.help_text,
            initial=db_field.default,
            choices=zones,
            widget=UnfoldAdminSelectWidget(),
        )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """A list of one helps nobody."""
        own = access(request).organizations(self.view_roles)
        if len(own) == 1 and not access(request).operator:
            return redirect("admin:organizations_organization_change", own[0])
        return super().changelist_view(request, extra_context)


class MemberForm(ScopedForm):
    def clean_role(self) -> str:
        role: str = self.cleaned_data["role"]
        if self.instance.pk is not None:
            try:
                members.check_role(self.instance, role)
            except members.LastOwner as error:
                raise ValidationError(LAST_OWNER, code="last_owner") from error
        return role


LAST_OWNER = _("An organization must keep an owner. Make somebody else an owner first.")


@admin.register(Member)
class MemberAdmin(ScopedAdmin):
    """Who belongs to the organization. New people are invited, so that no page lists the platform's users."""

    form = MemberForm
    add_roles = ()
    change_roles = OWN
    delete_roles = OWN
    list_display = ("user", "role", "may_reveal", "organization")
    list_select_related = ("user", "organization")
    list_filter = ("role",)
    fieldsets = ((None, {"fields": ("user", "role", "may_reveal", "organization")}),)
    actions_list = ("invite",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """The operator alone: she sees every user anyway, and gives a new organization its first owner."""
        return access(request).operator

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("organization", "user") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (
            not isinstance(obj, Member) or not members.is_last_owner(obj)
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        if change:
            members.change(obj, obj.role, may_reveal=obj.may_reveal)
        else:
            super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        members.remove(obj)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._unless_last_owner(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._unless_last_owner(request, super().delete_view, *args, **kwargs)

    def _unless_last_owner(self, request: HttpRequest, view: Any, *args: Any, **kwargs: Any) -> Any:
        """Another owner may have left between the form's check and the lock."""
        try:
            return view(request, *args, **kwargs)
        except members.LastOwner:
            messages.error(request, LAST_OWNER)
            return redirect("admin:organizations_member_changelist")

    @action(description=_("Invite somebody"), icon="person_add")  # type: ignore[untyped-decorator]
    def invite(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:organizations_invitation_add")

    def get_actions_list(self, request: HttpRequest) -> list[Any]:
        shown: list[Any] = super().get_actions_list(request) if access(request).anywhere(OWN) else []  # type: ignore[misc]
        return shown


class InvitationForm(ScopedForm):
    class Meta:
        widgets: ClassVar = {"name": UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"})}

    def clean_name(self) -> str:
        return members.folded(self.cleaned_data["name"])


@admin.register(Invitation)
class InvitationAdmin(ScopedAdmin):
    form = InvitationForm
    view_roles = OWN
    add_roles = OWN
    change_roles = ()
    delete_roles = OWN
    list_display = ("name", "role", "organization", "invited_by", "created_at", "standing")
    list_select_related = ("organization", "invited_by")
    fieldsets = (
        (
            None,
            {
                "fields": ("organization", "name", "role"),
                "description": _(
                    "The invitation waits for two weeks. Whoever signs in under this user name or address sees it and "
                    "may accept. Paravent does not tell you whether such a user exists: tell the person yourself."
                ),
            },
        ),
    )

    @admin.display(description=_("expires"))
    def standing(self, invitation: Invitation) -> Any:
        return invitation.expires_at if invitation.expires_at > timezone.now() else _("expired")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        obj.invited_by = request.user
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        accept = path(
            "<int:invitation>/accept/",
            self.admin_site.admin_view(require_POST(self.accept)),
            name="organizations_invitation_accept",
        )
        return [accept, *super().get_urls()]

    def accept(self, request: HttpRequest, invitation: int) -> HttpResponse:
        """From the first page the invited person sees. There is no "decline": it would tell that she exists."""
        offered = next((offer for offer in members.offered_to(request.user) if offer.pk == invitation), None)
        if offered is None:
            raise Http404
        members.accept(offered, request.user)
        messages.success(
            request, _("You are now a member of %(organization)s.") % {"organization": offered.organization}
        )
        return redirect(reverse("admin:index"))
