"""What texts a hotline needs before it may answer."""

from __future__ import annotations

from django.utils.translation import gettext as _

from hotlines.choices import language_name
from hotlines.models import Hotline

from . import choosing
from .languages import base


def texts_missing(hotline: Hotline) -> list[str]:
    """In words, what is missing: a reply in the default language, the hotline's own or the organization's."""
    tags = {hotline.default_language, base(hotline.default_language)}
    found = choosing.replies(hotline).filter(language__in=tags)
    if found.exists():
        return []
    missing = _("There is no reply text in the default language (%(language)s). Write one first.")
    return [missing % {"language": language_name(hotline.default_language)}]
