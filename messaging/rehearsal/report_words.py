"""What the figures of a rehearsal mean, in the reader's language: for every kind of report."""

from __future__ import annotations

import datetime
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.template.defaultfilters import filesizeformat
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from hotlines import durations
from organizations import money

from .result import Bill, Result, quantile

#: Invisible characters that some languages cannot be written without.
_JOINERS = "\u200c\u200d"
NOTHING = "–"


@dataclass(frozen=True)
class Tile:
    """One figure, large; `note` says what it is measured against."""

    label: str
    value: str
    note: str
    alarming: bool = False


# --- figures --------------------------------------------------------------------------------------------------------
def share(part: int, whole: int) -> float | None:
    """In per cent, rounded down to the hundredth, so that 100 means all; None where there was nobody."""
    return part * 10_000 // whole / 100 if whole else None


def days_passed(result: Result) -> int:
    """On how many days more was spent than the budget allowed."""
    return sum(day.micros > day.cap_micros for day in result.days)


def by_trace(results: Iterable[Result]) -> dict[str, list[Result]]:
    """The results of each trace, by seed; traces in the order in which they came."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.trace, []).append(result)
    return {trace: sorted(group, key=lambda result: result.seed) for trace, group in groups.items()}


def worst(group: Sequence[Result]) -> Result:
    """The one in which the fewest genuine senders were answered within a day, or which cost most."""

    def badness(result: Result) -> tuple[float, int, int]:
        served = result.served_in_a_day / result.genuine_senders if result.genuine_senders else 1.0
        return -served, result.false_blocks, result.with_shield.micros

    return max(group, key=badness)


def most_in_a_day(group: Iterable[Result]) -> int | None:
    """Micros of the day that cost most, over all seeds."""
    return max((day.micros for result in group for day in result.days), default=None)


# --- words ----------------------------------------------------------------------------------------------------------
def spoken(seconds: float) -> str:
    """`45 s`, `1 min 40 s`, `3 h`, `2 d 5 h`: the two units that matter, held together by no-break spaces."""
    if 0 < seconds < 1:
        said = _("under 1 s")
    elif round(seconds) < 60:
        said = _("%(count)s s") % {"count": round(seconds)}
    elif round(seconds) < 3600:
        said = _pair(_("%(count)s min"), _("%(count)s s"), *divmod(round(seconds), 60))
    elif round(seconds / 60) < 1440:
        said = _pair(_("%(count)s h"), _("%(count)s min"), *divmod(round(seconds / 60), 60))
    else:
        said = _pair(pgettext("short for days", "%(count)s d"), _("%(count)s h"), *divmod(round(seconds / 3600), 24))
    return said.replace(" ", "\N{NO-BREAK SPACE}")


def _pair(large: str, small: str, many: int, rest: int) -> str:
    parts = [(large, many), (small, rest)] if rest else [(large, many)]
    return " ".join(text % {"count": count(number)} for text, number in parts)


def level(name: str) -> str:
    """A level as its people read it; one that is not known here, by its own name."""
    words = {
        "normal": pgettext("level of the shield", "normal"),
        "watch": pgettext("level of the shield", "watch"),
        "raid": pgettext("level of the shield", "raid"),
        "silent": pgettext("level of the shield", "silent"),
    }
    return words.get(name) or plain(name)


def noticed(result: Result) -> str:
    """When the raid was noticed."""
    if result.noticed_after is not None:
        return _("after %(time)s") % {"time": spoken(result.noticed_after)}
    return pgettext("the raid was noticed", "never") if result.raid_senders else _("there was none")


def plain(text: str) -> str:
    """`text` on one line and without characters that steer a terminal or turn the direction of what follows."""
    words = " ".join(text.split("\n"))
    return "".join(
        char if char.isprintable() or char in _JOINERS or unicodedata.category(char) == "Zs" else "\ufffd"
        for char in words
    )


def scale(amounts: Sequence[int]) -> list[str]:
    """Micros beside a plot: without the currency, and without decimals where all are whole."""
    decimals = 0 if all(micros % money.MICROS == 0 for micros in amounts) else 2
    return [number_format(money.amount(micros), decimals, force_grouping=True) for micros in amounts]


def named(label: str, value: str) -> str:
    """What stands before a colon, and what after."""
    return _("%(label)s: %(value)s") % {"label": label, "value": value}


def count(number: int) -> str:
    """A number as the reader groups its digits."""
    return number_format(number, force_grouping=True)


def percent(value: float | None) -> str:
    """A share as the reader writes it; a dash where there is none."""
    if value is None:
        return NOTHING
    return _("%(number)s%%") % {"number": number_format(value, 0 if value == int(value) else 2)}


def moment(at: datetime.datetime) -> str:
    """A day and a time of day (UTC)."""
    return date_format(at.astimezone(datetime.UTC), pgettext("a date's format", "D j M, H:i"))


def date(at: datetime.datetime) -> str:
    """A day (UTC)."""
    return date_format(at.astimezone(datetime.UTC), pgettext("a date's format", "D j M"))


def period(result: Result) -> str:
    """From when to when it was, with the year."""
    form = pgettext("a date's format", "D j M Y, H:i")
    start, end = (date_format(at.astimezone(datetime.UTC), form) for at in (result.starts_at, result.ends_at))
    return _("%(start)s to %(end)s (UTC)") % {"start": start, "end": end}


def _sent(bill: Bill) -> str:
    said = ngettext("%(money)s for %(count)s reply", "%(money)s for %(count)s replies", bill.replies)
    return said % {"money": money.spoken(bill.micros), "count": count(bill.replies)}


def _part(part: int, whole: int) -> str:
    return _("%(part)s of %(whole)s") % {"part": count(part), "whole": count(whole)} if whole else _("nobody wrote")


def _served(part: int, whole: int) -> str:
    if not whole:
        return _("nobody wrote")
    return _("%(part)s of %(whole)s (%(share)s)") % {
        "part": count(part),
        "whole": count(whole),
        "share": percent(share(part, whole)),
    }


def _both(shielded: int, unshielded: int) -> str:
    return _("%(count)s (without the shield %(without)s)") % {
        "count": count(shielded),
        "without": count(unshielded),
    }


def delay(result: Result, portion: float) -> str:
    """How long `portion` of the answered waited at most."""
    seconds = quantile(result.delays, portion)
    return _("nobody was answered") if seconds is None else spoken(seconds)


def fullest_day(result: Result) -> str:
    """What was spent on the day that cost most, or that passed its budget by most."""
    if not result.days:
        return NOTHING
    day = max(result.days, key=lambda day: (max(day.micros - day.cap_micros, 0), day.micros))
    said = _("%(money)s of %(budget)s, on %(date)s")
    return said % {"money": money.spoken(day.micros), "budget": money.spoken(day.cap_micros), "date": date(day.at)}


def kept(result: Result) -> str:
    """Whether a day cost more than its budget."""
    passed = days_passed(result)
    if not passed:
        return _("never passed")
    return ngettext("PASSED on %(count)s day", "PASSED on %(count)s days", passed) % {"count": count(passed)}


def lines(result: Result) -> list[tuple[str, str]]:
    """Every figure with its name."""
    shielded, unshielded = result.with_shield, result.without_shield
    return [
        (_("Messages written to the number"), count(result.messages)),
        (_("Genuine senders"), count(result.genuine_senders)),
        (_("Senders of the raid"), count(result.raid_senders)),
        (_("Spent with the shield"), _sent(shielded)),
        (_("Spent without the shield"), _sent(unshielded)),
        (_("Price of the messages received"), money.spoken(result.inbound_micros)),
        (_("Messages that did not arrive, the number being disconnected"), count(result.undelivered)),
        (_("Fullest day, and its budget"), fullest_day(result)),
        (_("Daily budget"), kept(result)),
        (
            _("Replies to genuine senders"),
            _both(shielded.replies - shielded.replies_to_raid, unshielded.replies - unshielded.replies_to_raid),
        ),
        (_("Replies to the raid"), _both(shielded.replies_to_raid, unshielded.replies_to_raid)),
        (_("Genuine senders answered within a day"), _served(result.served_in_a_day, result.genuine_senders)),
        (_("Genuine senders answered within an hour"), _served(result.served_in_an_hour, result.genuine_senders)),
        (_("Delay of a first reply: half of them at most"), delay(result, 0.5)),
        (_("Delay of a first reply: 99 of 100 at most"), delay(result, 0.99)),
        (_("Senders blocked"), count(result.blocks)),
        (_("Genuine senders blocked too early"), count(result.false_blocks)),
        (_("Raid noticed"), noticed(result)),
        (_("False alarms"), count(result.false_alarms)),
        (_("Memory of the detector, at most"), filesizeformat(result.detector_bytes)),
        (
            _("Time to judge one sender, 99 of 100 at most"),
            _("%(count)s ms") % {"count": number_format(result.judging_seconds * 1000, 2)},
        ),
    ]


def sentences(result: Result) -> list[str]:
    """What was rehearsed and what came of it, for somebody who reads nothing else."""
    wrote = ngettext(
        "%(count)s genuine sender wrote within %(time)s.",
        "%(count)s genuine senders wrote within %(time)s.",
        result.genuine_senders,
    )
    lasted = durations.spoken(int((result.ends_at - result.starts_at).total_seconds()))
    found = [wrote % {"count": count(result.genuine_senders), "time": lasted}]
    if not result.genuine_senders:
        found = [_("No genuine sender wrote.")]
    raid = sum(hour.raid_messages for hour in result.hours)
    if result.raid_senders:
        came = ngettext(
            "A raid of %(count)s sender came with %(messages)s messages.",
            "A raid of %(count)s senders came with %(messages)s messages.",
            result.raid_senders,
        )
        found.append(came % {"count": count(result.raid_senders), "messages": count(raid)})
    else:
        found.append(_("There was no raid."))
    cost = _("The replies cost %(money)s; without the shield they would have cost %(without)s.")
    shielded, unshielded = money.spoken(result.with_shield.micros), money.spoken(result.without_shield.micros)
    return [*found, cost % {"money": shielded, "without": unshielded}]


def tiles(result: Result) -> list[Tile]:
    """The six figures that decide whether the shield did its work."""
    everybody = result.genuine_senders
    day, hour = share(result.served_in_a_day, everybody), share(result.served_in_an_hour, everybody)
    alarms = ngettext("%(count)s false alarm", "%(count)s false alarms", result.false_alarms)
    blocked = ngettext("of %(count)s sender blocked", "of %(count)s senders blocked", result.blocks)
    without = _("without the shield %(money)s") % {"money": money.spoken(result.without_shield.micros)}
    missed = bool(result.raid_senders) and result.noticed_after is None
    return [
        Tile(_("Genuine senders answered within a day"), percent(day), _part(result.served_in_a_day, everybody)),
        Tile(_("Genuine senders answered within an hour"), percent(hour), _part(result.served_in_an_hour, everybody)),
        Tile(_("Spent with the shield"), money.spoken(result.with_shield.micros), without),
        Tile(_("Daily budget"), kept(result), fullest_day(result), alarming=days_passed(result) > 0),
        Tile(_("Raid noticed"), noticed(result), alarms % {"count": count(result.false_alarms)}, alarming=missed),
        Tile(
            _("Genuine senders blocked too early"),
            count(result.false_blocks),
            blocked % {"count": count(result.blocks)},
            alarming=result.false_blocks > 0,
        ),
    ]


def of_seeds(trace: str, many: int) -> str:
    """The title of what several seeds of one trace found together."""
    said = ngettext("%(trace)s, %(count)s seed", "%(trace)s, %(count)s seeds", many)
    return said % {"trace": plain(trace), "count": count(many)}


def tick(timestamp: float) -> str:
    """A moment under a plot: the day at midnight, the time of day between."""
    at = datetime.datetime.fromtimestamp(timestamp, datetime.UTC)
    midnight = not (at.hour or at.minute)
    return date_format(at, pgettext("a date's format", "j M") if midnight else pgettext("a date's format", "H:i"))


def seeds(group: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """The heads and rows of the table of several seeds; the last two rows are their total and the worst of each."""
    heads = [
        _("Seed"),
        _("Answered within a day"),
        _("Answered within an hour"),
        pgettext("money", "Spent"),
        _("Fullest day"),
        _("Raid noticed"),
        _("Blocked too early"),
        _("False alarms"),
    ]
    served = [
        (share(result.served_in_a_day, result.genuine_senders), share(result.served_in_an_hour, result.genuine_senders))
        for result in group
    ]
    rows = [_row(str(result.seed), [result], noticed(result)) for result in group]
    raids = [result for result in group if result.raid_senders]
    seen = [result.noticed_after for result in raids if result.noticed_after is not None]
    found = _part(len(seen), len(raids))
    total = _row(_("total"), group, found if raids else NOTHING)
    total[4] = NOTHING
    latest = max(
        raids, key=lambda result: math.inf if result.noticed_after is None else result.noticed_after, default=None
    )
    extreme = [
        _("worst"),
        percent(min((day for day, _hour in served if day is not None), default=None)),
        percent(min((hour for _day, hour in served if hour is not None), default=None)),
        money.spoken(max(result.with_shield.micros for result in group)),
        total[4] if (most := most_in_a_day(group)) is None else money.spoken(most),
        NOTHING if latest is None else noticed(latest),
        count(max(result.false_blocks for result in group)),
        count(max(result.false_alarms for result in group)),
    ]
    return heads, [*rows, total, extreme]


def _row(name: str, group: Sequence[Result], found: str) -> list[str]:
    genuine, most = sum(result.genuine_senders for result in group), most_in_a_day(group)
    return [
        name,
        percent(share(sum(result.served_in_a_day for result in group), genuine)),
        percent(share(sum(result.served_in_an_hour for result in group), genuine)),
        money.spoken(sum(result.with_shield.micros for result in group)),
        NOTHING if most is None else money.spoken(most),
        found,
        count(sum(result.false_blocks for result in group)),
        count(sum(result.false_alarms for result in group)),
    ]
