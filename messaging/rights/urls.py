from __future__ import annotations

from django.urls import path

from . import views

app_name = "rights"
urlpatterns = [
    path("<uuid:hotline>/", views.begin, name="begin"),
    path("request/<str:secret>/", views.page, name="page"),
    path("request/<str:secret>/erase/", views.erase, name="erase"),
    path("request/<str:secret>/data.json", views.data, name="data"),
]
