"""What people are told of a level: why it changed, by which figures, what it does, and what they have to do."""

from __future__ import annotations

from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .models import LevelChange
from .words import Cause, Level


def cause(change: LevelChange) -> str:
    """Why a level changed, with its figures, in the active language."""
    figures = {name: localize(value) for name, value in change.figures.items()}
    return str(_CAUSES[Cause(change.cause)]) % figures


_CAUSES = {
    Cause.ARRIVALS: gettext_lazy(
        "Many new senders: %(new_in_bin)s in the last five minutes, where %(usual_in_bin)s are usual."
    ),
    Cause.TEXTS: gettext_lazy("%(largest_text)s new senders wrote almost the same text within an hour."),
    Cause.GROUP: gettext_lazy(
        "New senders resemble each other, by their text or their numbers, more than is usual (groups: %(groups)s)."
    ),
    Cause.HALF: gettext_lazy("Half of a budget of the day is used."),
    Cause.SPENT: gettext_lazy("A budget is used up."),
    Cause.ROOM: gettext_lazy("There is room in the budgets again."),
    Cause.CALM: gettext_lazy("It has been calm long enough."),
}


def consequence(level: str) -> str:
    """What the level does, and what is to be done."""
    match Level(level):
        case Level.RAID:
            return _(
                "This looks like a raid. Each new sender gets one reply, those who resemble nobody first, and none of "
                "your budgets is passed. It ends by itself. Nobody is blocked for it. Nothing has to be done; tell "
                "your partners if it lasts."
            )
        case Level.WATCH:
            return _("Those who resemble each other wait while others are answered. Nothing has to be done.")
        case Level.SILENT:
            return _(
                "Messages are received and kept, and replies wait. They leave when the budget has room: tomorrow, next "
                "month, or as soon as somebody raises it. After a day a reply is given up."
            )
    return _("Everybody is answered as usual.")
