"""The steps of a new number that are about money, and about what a sender lives through."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hotlines import durations, summary
from hotlines.choices import language_name
from hotlines.guide import Standing, Step, change_url
from hotlines.models import Account, Hotline
from organizations import money

from . import preview, readiness
from .preview import Turn


def limits(_request: HttpRequest, hotline: Hotline) -> Step:
    """What a sender may get, what that costs, and for how many the budgets are enough."""
    missing = readiness.budgets_missing(hotline)
    said = [summary.limit(hotline), *_cost(hotline, preview.turns(hotline, hotline.default_language, timezone.now()))]
    return Step(
        _("Limits, and what they cost"),
        Standing.TODO if missing else Standing.DONE,
        [*said, *missing],
        change_url(hotline),
        _("Change the limits"),
    )


def _cost(hotline: Hotline, turns: list[Turn]) -> list[str]:
    replies = [turn for turn in turns if turn.text is not None]
    if hotline.account.tariff == Account.Tariff.FLAT:
        return [_("A fixed fee: a reply costs nothing more, and the limits of the account count.")]
    if not replies or any(turn.micros is None for turn in replies):
        return []
    first, most = replies[0].micros or 0, sum(turn.micros or 0 for turn in replies)
    said = _("The first reply costs %(first)s, one sender %(most)s at most in an episode.")
    found = [said % {"first": money.spoken(first), "most": money.spoken(most)}]
    if first and hotline.day_budget is not None:
        senders = money.micros(hotline.day_budget) // first
        enough = ngettext(
            "A day's budget of %(budget)s is enough for the first reply to %(count)d sender.",
            "A day's budget of %(budget)s is enough for the first reply to %(count)d senders.",
            senders,
        )
        found.append(enough % {"budget": money.spoken(money.micros(hotline.day_budget)), "count": senders})
    return found


def lived_through(request: HttpRequest, hotline: Hotline) -> Step:
    """The conversation as his phone shows it, in a language of the number."""
    asked = request.GET.get("language", "")
    language = asked if asked in hotline.languages else hotline.default_language
    turns = preview.turns(hotline, language, timezone.now())
    return Step(
        _("What a sender lives through"),
        Standing.DONE if any(turn.text for turn in turns) else Standing.TODO,
        [],
        template="shield/preview.html",
        data={
            "turns": [_shown(turn) for turn in turns],
            "language": language,
            "languages": [(tag, language_name(tag)) for tag in hotline.languages],
        },
    )


def _wait(turn: Turn) -> str:
    """When a reply follows; "" where none does."""
    if turn.waits is None or turn.waits_most is None:
        return ""
    least, most = int(turn.waits.total_seconds()), int(turn.waits_most.total_seconds())
    if not most:
        return _("at once")
    if least == most:
        return _("after %(time)s") % {"time": durations.spoken(least)}
    if not least:
        return _("within %(time)s") % {"time": durations.spoken(most)}
    return _("after %(least)s to %(most)s") % {"least": durations.spoken(least), "most": durations.spoken(most)}


def _shown(turn: Turn) -> dict[str, object]:
    cost = money.spoken(turn.micros) if turn.micros else ""
    sms = ngettext("%(count)d SMS", "%(count)d SMS", turn.segments) % {"count": turn.segments}
    return {
        "turn": turn,
        "waits": _wait(turn),
        "size": f"{sms}, {cost}" if cost else sms,
        "blocked_for": durations.spoken(int(turn.blocked_for.total_seconds())) if turn.blocked_for else "",
    }
