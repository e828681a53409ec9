from __future__ import annotations

from django.urls import URLPattern, path

from . import views

app_name = "simulator"
urlpatterns: list[URLPattern] = [
    path("", views.page, name="page"),
    path("sign/", views.sign, name="sign"),
    path("call/", views.call, name="call"),
    path("state/", views.state, name="state"),
    path("carrier/v1/Account/<str:auth_id>/Message/", views.carrier_messages, name="carrier-messages"),
    path("carrier/v1/Account/<str:auth_id>/Number/<str:number>/", views.carrier_number, name="carrier-number"),
]
