"""The admin's site: who may enter, whose clock it shows, and a sign-in that cannot be tried out."""

from __future__ import annotations

import functools
import zoneinfo
from typing import TYPE_CHECKING, Any

from allauth.account.utils import perform_login
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from organizations.models import Organization

from . import login

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite

    UnfoldForm = AdminAuthenticationForm
else:
    from unfold.forms import AuthenticationForm as UnfoldForm
    from unfold.sites import UnfoldAdminSite as AdminSite


class SignInForm(UnfoldForm):
    """Every active user may enter: what she finds inside depends on her memberships alone, and a user without any
    finds her invitations and who to ask.
    """

    def confirm_login_allowed(self, user: Any) -> None:
        super(AdminAuthenticationForm, self).confirm_login_allowed(user)


class SignIn(LoginView):
    """The password, after which allauth asks for the second factor where there is one."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = perform_login(
            self.request, form.get_user(), email_verification="none", redirect_url=self.get_success_url()
        )
        return response


class PeopleAdminSite(AdminSite):
    index_title = _("Today")
    enable_nav_sidebar = True
    login_form = SignInForm

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_authenticated)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        refused = login.refusal(request)
        if refused is not None:
            return login.refuse(request, refused, self.each_context(request))
        if request.method == "GET" and self.has_permission(request):
            return redirect("admin:index")
        context = {
            **self.each_context(request),
            "title": _("Log in"),
            "subtitle": None,
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            **(extra_context or {}),
        }
        if REDIRECT_FIELD_NAME not in {**request.GET, **request.POST}:
            context[REDIRECT_FIELD_NAME] = reverse("admin:index")
        request.current_app = self.name
        view = SignIn.as_view(
            extra_context=context, authentication_form=self.login_form, template_name="admin/login.html"
        )
        response: Any = view(request)
        if response.status_code == 302:
            login.give_back(request)
        return response  # type: ignore[no-any-return]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002  Django's signature
        """Pages show times by the clock of the user's organization."""
        inner = super().admin_view(view, cacheable)

        @functools.wraps(inner)
        def on_her_clock(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            with timezone.override(_zone(request)):
                response: Any = inner(request, *args, **kwargs)
                if hasattr(response, "render") and not response.is_rendered:
                    response.render()
                return response  # type: ignore[no-any-return]

        return on_her_clock


def _zone(request: HttpRequest) -> zoneinfo.ZoneInfo:
    """The clock of her first organization; an operator without one reads UTC."""
    organization = Organization.objects.filter(memberships__user_id=request.user.pk or 0).order_by("pk").first()
    return zoneinfo.ZoneInfo(organization.time_zone if organization else "UTC")
