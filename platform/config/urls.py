from __future__ import annotations

from allauth.account import views as account
from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from replies import recordings

handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
urlpatterns: list[URLPattern | URLResolver] = [
    path("hooks/", include("inbox.urls")),
    path("recordings/<uuid:recording>/", recordings.serve, name="recording"),
    path("rights/", include("rights.urls")),
    path("", include("pages.urls")),
    path("admin/", admin.site.urls),
    path("accounts/login/", RedirectView.as_view(pattern_name="admin:login", query_string=True), name="account_login"),
    path("accounts/logout/", account.logout, name="account_logout"),
    path("accounts/inactive/", account.account_inactive, name="account_inactive"),
    path("accounts/reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("accounts/sessions/", include("allauth.usersessions.urls")),
    path("api/v1/", include("partners.api.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]
if settings.SIMULATOR:
    urlpatterns += [
        path("", RedirectView.as_view(pattern_name="simulator:page")),
        path("simulator/", include("simulator.urls")),
    ]
