"""Why a number should not be given away now: it is raided, or cannot send."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _

from hotlines.models import Hotline
from shield import changes

from . import breaker


def doubts(hotlines: Sequence[Hotline], now: datetime.datetime) -> Mapping[int, str]:
    """By hotline, in words; their accounts must be loaded. One statement."""
    raided = changes.raided({hotline.pk for hotline in hotlines})
    found = {}
    for hotline in hotlines:
        if hotline.pk in raided:
            found[hotline.pk] = _("It is being raided.")
        elif hotline.account.sending_paused_at is not None:
            found[hotline.pk] = _("Sending is paused on its account.")
        elif breaker.is_open(hotline.account, now):
            found[hotline.pk] = _("Its provider does not answer.")
    return found
