"""Addresses begin with the language, so that a link says in which one it will be read."""

from __future__ import annotations

from django.conf import settings
from django.urls import path, register_converter

from . import views


class LanguageConverter:
    regex = "|".join(code for code, _name in settings.LANGUAGES)

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(LanguageConverter, "language")

app_name = "pages"
urlpatterns = [
    path("n/<slug:slug>/", views.choose_language, name="any"),
    path("<language:language>/<slug:slug>/", views.page, name="page"),
    path("<language:language>/<slug:slug>/contact.vcf", views.contact, name="contact"),
    path("<language:language>/<slug:slug>/poster.pdf", views.poster, name="poster"),
]
