"""What a hotline does, in sentences. The numbers of a policy are easy to mistype and hard to picture."""

from __future__ import annotations

from django.utils.formats import time_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .durations import spoken
from .models import Hotline

_HOUR = 3600


def sentences(hotline: Hotline) -> list[str]:
    """A few sentences for the people who run the number, in their language."""
    said = [_state(hotline), limit(hotline), _delay(hotline)]
    if hotline.quiet_from is not None and hotline.quiet_until is not None:
        quiet = {
            "from": time_format(hotline.quiet_from),
            "until": time_format(hotline.quiet_until),
            "zone": hotline.organization.time_zone,
        }
        said.append(_("Between %(from)s and %(until)s (%(zone)s) nothing is sent; replies wait for the end.") % quiet)
    return said


def _state(hotline: Hotline) -> str:
    words = {
        Hotline.State.DRAFT: _("This number is a draft: what arrives is kept, and nobody is answered."),
        Hotline.State.ACTIVE: _("This number is active: it answers."),
        Hotline.State.SILENT: _("This number is silent: it receives and answers nobody."),
        Hotline.State.SUSPENDED: _("This number is suspended: it answers nobody."),
        Hotline.State.RETIRED: _("This number is retired: it answers nobody."),
    }
    said = words[Hotline.State(hotline.state)]
    if hotline.state_reason:
        said += " " + _("Reason: %(reason)s.") % {"reason": hotline.state_reason.rstrip(".")}
    return said


def limit(hotline: Hotline) -> str:
    """How often it answers one sender."""
    most = hotline.reply_limit
    said = ngettext(
        "A sender gets %(limit)d reply at most in %(window)s, then a block of %(block)s.",
        "A sender gets %(limit)d replies at most in %(window)s, then a block of %(block)s.",
        most,
    )
    return said % {
        "limit": most,
        "window": spoken(hotline.window_hours * _HOUR),
        "block": spoken(hotline.block_hours * _HOUR),
    }


def _delay(hotline: Hotline) -> str:
    least, most = hotline.delay_seconds, hotline.delay_seconds + hotline.jitter_seconds
    if not most:
        return _("The reply leaves at once: whoever gave the number may still be standing there.")
    if least == most:
        return _("The reply leaves %(delay)s after the message.") % {"delay": spoken(least)}
    return _("The reply leaves %(least)s to %(most)s after the message.") % {
        "least": spoken(least) if least else "0",
        "most": spoken(most),
    }
