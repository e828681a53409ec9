"""How a number works, in three steps, for the page and the poster."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext as _

from hotlines.models import Hotline

#: Seconds from which a reply no longer comes while both still stand there.
_TIME_TO_LEAVE = 60


class Step(NamedTuple):
    title: str
    text: str


def of(hotline: Hotline) -> tuple[Step, ...]:
    """In the reader's language. How long the delay is stays with those who run the number."""
    if hotline.delay_seconds >= _TIME_TO_LEAVE:
        answers = _("Whoever writes to it gets an automatic reply, a while later: you have time to leave.")
    else:
        answers = _("Whoever writes to it gets an automatic reply.")
    return (
        Step(_("Give it away"), _("Somebody pesters you? Say this number or type it in, as if it were yours.")),
        Step(_("It answers for you"), answers),
        Step(
            _("Then it falls silent"),
            _("After a few replies it says nothing more. Nobody learns your own number, not even we."),
        ),
    )
