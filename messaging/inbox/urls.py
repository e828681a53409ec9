from __future__ import annotations

from django.urls import path

from . import views

# Every path ends in "/" and nothing is routable below it (SECURITY.md W3).
urlpatterns = [
    path("<slug:provider>/<str:token>/message/", views.MessageHook.as_view(), name="hook-message"),
    path("<slug:provider>/<str:token>/report/<uuid:reply>/", views.ReportHook.as_view(), name="hook-report"),
]
