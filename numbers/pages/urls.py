"""Addresses begin with the language, so that a link says in which one it will be read."""

from __future__ import annotations

from django.conf import settings
from django.urls import converters, path, register_converter

from . import views
from .models import LONGEST_SLUG


class LanguageConverter:
    regex = "|".join(code for code, _name in settings.LANGUAGES)

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class SlugConverter(converters.SlugConverter):
    """No longer than one is: what is looked up here is remembered for a moment."""

    regex = f"[-a-zA-Z0-9_]{{1,{LONGEST_SLUG}}}"


register_converter(LanguageConverter, "language")
register_converter(SlugConverter, "address")

app_name = "pages"
urlpatterns = [
    path("n/<address:slug>/", views.choose_language, name="any"),
    path("<language:language>/<address:slug>/", views.page, name="page"),
    path("<language:language>/<address:slug>/contact.vcf", views.contact, name="contact"),
    path("<language:language>/<address:slug>/poster.pdf", views.poster, name="poster"),
]
