"""The step of a new number that is about its texts."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest
from django.utils.translation import gettext as _

from hotlines.choices import language_name
from hotlines.guide import Standing, Step, change_url
from hotlines.models import Hotline

from . import choosing, packs, readiness


def texts(_request: HttpRequest, hotline: Hotline) -> Step:
    """Which of its languages have a reply, and which texts nobody has read who speaks them from childhood."""
    rows = list(choosing.replies(hotline).values_list("language", "text"))
    there = {language for language, _text in rows}
    without = [tag for tag in hotline.languages if tag not in there]
    unread = {tag for tag, text in rows if tag in hotline.languages and packs.unreviewed(hotline.kind, tag, text)}
    answered = [tag for tag in hotline.languages if tag in there]
    said = [_("It answers in: %(languages)s.") % {"languages": _named(answered)}]
    if without:
        other = _("Without a text, and answered in another language: %(languages)s.")
        said.append(other % {"languages": _named(without)})
    if unread:
        said.append(
            _("No native speaker has read these texts yet: %(languages)s. Have somebody read them.")
            % {"languages": _named(unread)}
        )
    missing = readiness.texts_missing(hotline)
    standing = Standing.TODO if missing else Standing.ADVICE if without or unread else Standing.DONE
    return Step(_("Texts"), standing, [*said, *missing], change_url(hotline, "texts"), _("Open the texts"))


def _named(tags: Iterable[str]) -> str:
    return ", ".join(sorted(language_name(tag) for tag in tags)) or "–"
