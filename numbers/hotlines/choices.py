"""What a hotline's page offers for languages and countries."""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import phonenumbers
from django.conf.locale import LANG_INFO
from django.utils.translation import get_language, gettext

#: The languages that come with texts for every kind (DESIGN.md, "Replies in the sender's language").
LANGUAGES = ("fr", "en", "es", "de", "it", "pt", "nl", "ar", "tr", "pl", "uk", "ro")


def is_language(code: object) -> bool:
    """Whether it is written as a language's code is, like `fr` or `pt-BR`."""
    return isinstance(code, str) and re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?", code, re.ASCII) is not None


def is_country(code: object) -> bool:
    """Whether it is written as a country's code is, like `FR`."""
    return isinstance(code, str) and re.fullmatch(r"[A-Z]{2}", code, re.ASCII) is not None


def language_name(code: str) -> str:
    """A language by its name in the reader's language, or its code where it has none here."""
    known = LANG_INFO.get(code.lower())
    # Django's own catalogue translates the English names.
    return gettext(known["name"]) if known and "name" in known else code


def languages(besides: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Choices: the languages we have texts in, and those that a hotline has besides."""
    codes = dict.fromkeys((*LANGUAGES, *besides))
    return [(code, language_name(code)) for code in codes]


@functools.cache
def _countries() -> dict[str, dict[str, str]]:
    data = tomllib.loads((Path(__file__).parent / "countries.toml").read_text(encoding="utf-8"))
    languages = data.pop("languages")
    return {code: dict(zip(languages, names, strict=True)) for code, names in data.items()}


def country_name(code: str) -> str:
    """A country in the reader's language, with its calling code: `France (+33)`."""
    names = _countries().get(code)
    if names is None:
        return code
    name = names.get((get_language() or "").partition("-")[0], names["en"])
    return f"{name} (+{phonenumbers.country_code_for_region(code)})"


def countries(besides: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Choices, by name. Codes that a hotline has and the list lacks stay choosable."""
    codes = dict.fromkeys((*_countries(), *besides))
    return sorted(((code, country_name(code)) for code in codes), key=lambda choice: _sort_key(choice[1]))


def _sort_key(name: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", name) if not unicodedata.combining(char)).casefold()
