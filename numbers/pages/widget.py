"""The widget that partners' sites embed: its tag, and what proves that its file is the one that was released.

Sites pin the file by its integrity, so the bytes of a released one never change: a change is a new version, with a new
name, beside the old one (`released.toml`).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from django.conf import settings
from django.contrib.staticfiles import finders
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from . import showing
from .models import Page

VERSION = 1
THEMES = ("light", "dark")
_COLOUR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)


def path(version: int = VERSION) -> str:
    """Among static files. Not by the storage's name, which holds the bytes' hash: a tag's `src` is for years."""
    return f"pages/widget-{version}.js"


def address() -> str:
    """On this host: `/static/pages/widget-1.js`."""
    return settings.STATIC_URL + path()


def integrity(version: int = VERSION) -> str:
    """As the attribute of a script's tag has it (https://www.w3.org/TR/sri-2/)."""
    found = finders.find(path(version))
    if found is None:
        raise FileNotFoundError(path(version))
    return f"sha384-{base64.b64encode(hashlib.sha384(Path(found).read_bytes()).digest()).decode()}"


def is_for(page: Page) -> bool:
    """Whether there is anything to embed: a number that everybody may see."""
    return page.published and not page.is_list


class Look(TypedDict):
    """How a widget is to look; `theme` and `accent` are empty where the visitor's own and the usual one are wished."""

    language: str
    theme: str
    accent: str


def look(asked: Mapping[str, str], language: str) -> Look:
    """What was asked for, without what cannot be; `language` is that of who asks for none."""
    theme, accent = asked.get("theme", ""), asked.get("accent", "")
    wished = asked.get("language", language)
    return Look(
        language=wished if wished in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE,
        theme=theme if theme in THEMES else "",
        accent=accent if _COLOUR.fullmatch(accent) else "",
    )


def snippet(page: Page, language: str, *, theme: str = "", accent: str = "") -> SafeString:
    """HTML for who pastes it into a site: the tag, and for browsers without scripts a link to the page."""
    return format_html(
        '{}<noscript><a href="{}">{}</a></noscript>',
        tag(settings.PUBLIC_URL + address(), page, language, theme=theme, accent=accent),
        showing.url(page, language),
        showing.shown(page, language, timezone.now()).name.text,
    )


def tag(src: str, page: Page, language: str, *, theme: str = "", accent: str = "", target: str = "") -> SafeString:
    """The script's element, with what is shown where Paravent does not answer."""
    shown = showing.shown(page, language, timezone.now())
    attributes = {
        "src": src,
        "integrity": integrity(),
        "crossorigin": "anonymous",
        "data-hotline": page.slug,
        "data-language": language,
        # Written as people read it.
        "data-number": shown.number.international if shown.number else "",
        "data-name": shown.name.text,
        "data-theme": theme,
        "data-accent": accent,
        "data-target": target,
    }
    given = ((name, value) for name, value in attributes.items() if value)
    return format_html("<script {} defer></script>", format_html_join(" ", '{}="{}"', given))
