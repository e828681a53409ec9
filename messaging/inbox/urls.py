from __future__ import annotations

from django.urls import path
from django.views.decorators.common import no_append_slash

from . import views

# Every path ends in "/" and nothing is routable below it (SECURITY.md W3). Without its "/" a path is not redirected to:
# a provider would follow with a GET, and the message would be gone.
urlpatterns = [
    path("<slug:provider>/<str:token>/message/", no_append_slash(views.MessageHook.as_view()), name="hook-message"),
    path("<slug:provider>/<str:token>/call/", no_append_slash(views.CallHook.as_view()), name="hook-call"),
    path(
        "<slug:provider>/<str:token>/report/<uuid:reply>/",
        no_append_slash(views.ReportHook.as_view()),
        name="hook-report",
    ),
]
