"""What texts a hotline needs before it may answer."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext as _

from hotlines.choices import language_name
from hotlines.models import Hotline

from .languages import base
from .models import Arm, Purpose, ReplyTemplate


def texts_missing(hotline: Hotline) -> list[str]:
    """In words, what is missing: a reply in the default language, the hotline's own or the organization's."""
    tags = {hotline.default_language, base(hotline.default_language)}
    found = ReplyTemplate.objects.filter(
        Q(hotline=hotline) | Q(hotline__isnull=True),
        organization=hotline.organization_id,
        purpose=Purpose.REPLY,
        arm=Arm.A,
        approved=True,
        language__in=tags,
    )
    if found.exists():
        return []
    missing = _("There is no reply text in the default language (%(language)s). Write one first.")
    return [missing % {"language": language_name(hotline.default_language)}]
