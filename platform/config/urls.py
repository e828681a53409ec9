from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from replies import recordings

handler500 = "config.errors.server_error"
urlpatterns: list[URLPattern | URLResolver] = [
    path("hooks/", include("inbox.urls")),
    path("recordings/<uuid:recording>/", recordings.serve, name="recording"),
    path("rights/", include("rights.urls")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
]
if settings.SIMULATOR:
    urlpatterns += [
        path("", RedirectView.as_view(pattern_name="simulator:page")),
        path("simulator/", include("simulator.urls")),
    ]
