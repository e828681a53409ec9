"""What a rehearsal found out, for a program, a terminal or a browser."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import get_language, get_language_bidi
from django.utils.translation import gettext as _

from organizations import money

from . import plots
from . import report_words as words
from .result import Bill, Change, Hour, Result, quantile

#: Of the JSON; it changes when a key goes or means something else, and stays when one is added.
FORMAT = "paravent-rehearsal/1"
#: Of a terminal.
COLUMNS = 100
#: Tables of more hours than this are told by day.
_MOST_HOURS = 200


# --- for a program --------------------------------------------------------------------------------------------------
def as_json(results: Sequence[Result]) -> str:
    """One object, the same in every language, in ASCII. Its keys:

    - `format`; `currency`, of every amount; `results`, as they came; `traces`, each with `seeds`, `total` and `worst`.
    - An amount is `{"micros": 1500000, "amount": "1.500000", "currency": "EUR"}`: the same twice, in whole millionths
      and as a decimal number in a string, because a reader's floating point would round it.
    - Moments are ISO 8601, durations are seconds, shares are per cent rounded down to the hundredth. What does not
      exist (a share of nobody, a raid that was not noticed) is null.
    """
    document = {
        "format": FORMAT,
        "currency": settings.CURRENCY,
        "results": [_record(result) for result in results],
        "traces": [_summary(trace, group) for trace, group in words.by_trace(results).items()],
    }
    return json.dumps(document, indent=2)


def _amount(micros: int) -> dict[str, Any]:
    return {"micros": micros, "amount": f"{money.amount(micros):.6f}", "currency": settings.CURRENCY}


def _bill(bill: Bill) -> dict[str, Any]:
    return {"replies": bill.replies, "replies_to_raid": bill.replies_to_raid, "cost": _amount(bill.micros)}


def _record(result: Result) -> dict[str, Any]:
    return {
        "trace": result.trace,
        "seed": result.seed,
        "starts_at": result.starts_at.isoformat(),
        "ends_at": result.ends_at.isoformat(),
        "messages": result.messages,
        "genuine_senders": result.genuine_senders,
        "raid_senders": result.raid_senders,
        "with_shield": _bill(result.with_shield),
        "without_shield": _bill(result.without_shield),
        "inbound_cost": _amount(result.inbound_micros),
        "undelivered": result.undelivered,
        "served_in_a_day": result.served_in_a_day,
        "served_in_a_day_percent": words.share(result.served_in_a_day, result.genuine_senders),
        "served_in_an_hour": result.served_in_an_hour,
        "served_in_an_hour_percent": words.share(result.served_in_an_hour, result.genuine_senders),
        "delay_seconds": {
            "answered": len(result.delays),
            "median": quantile(result.delays, 0.5),
            "p99": quantile(result.delays, 0.99),
            "most": quantile(result.delays, 1.0),
        },
        "blocks": result.blocks,
        "false_blocks": result.false_blocks,
        "noticed_after_seconds": result.noticed_after,
        "false_alarms": result.false_alarms,
        "days_over_budget": words.days_passed(result),
        "changes": [
            {"at": change.at.isoformat(), "before": change.before, "after": change.after, "why": change.why}
            for change in result.changes
        ],
        "hours": [
            {
                "at": hour.at.isoformat(),
                "genuine_messages": hour.genuine_messages,
                "raid_messages": hour.raid_messages,
                "genuine_replies": hour.genuine_replies,
                "raid_replies": hour.raid_replies,
                "cost": _amount(hour.micros),
            }
            for hour in result.hours
        ],
        "days": [
            {"at": day.at.isoformat(), "cost": _amount(day.micros), "cap": _amount(day.cap_micros)}
            for day in result.days
        ],
        "detector_bytes": result.detector_bytes,
        "judging_seconds": result.judging_seconds,
    }


def _summary(trace: str, group: Sequence[Result]) -> dict[str, Any]:
    raids = [result for result in group if result.raid_senders]
    seen = [result.noticed_after for result in raids if result.noticed_after is not None]
    genuine = sum(result.genuine_senders for result in group)
    most = words.most_in_a_day(group)
    shares = [
        share for result in group if (share := words.share(result.served_in_a_day, result.genuine_senders)) is not None
    ]
    return {
        "trace": trace,
        "seeds": [result.seed for result in group],
        "total": {
            "served_in_a_day_percent": words.share(sum(result.served_in_a_day for result in group), genuine),
            "served_in_an_hour_percent": words.share(sum(result.served_in_an_hour for result in group), genuine),
            "cost": _amount(sum(result.with_shield.micros for result in group)),
            "raids": len(raids),
            "raids_noticed": len(seen),
            "false_blocks": sum(result.false_blocks for result in group),
            "false_alarms": sum(result.false_alarms for result in group),
            "days_over_budget": sum(words.days_passed(result) for result in group),
        },
        "worst": {
            "seed": words.worst(group).seed,
            "served_in_a_day_percent": min(shares, default=None),
            "cost": _amount(max(result.with_shield.micros for result in group)),
            "cost_of_a_day": None if most is None else _amount(most),
            "noticed_after_seconds": max(seen, default=None) if len(seen) == len(raids) else None,
            "false_blocks": max(result.false_blocks for result in group),
            "false_alarms": max(result.false_alarms for result in group),
        },
    }


# --- for a terminal -------------------------------------------------------------------------------------------------
def as_text(results: Sequence[Result]) -> str:
    """Blocks of lines, none longer than `COLUMNS`; traces of several seeds end with a table of them."""
    blocks: list[str] = []
    for trace, group in words.by_trace(results).items():
        blocks += ["\n".join(_block(result)) for result in group]
        if len(group) > 1:
            title = words.of_seeds(trace, len(group))
            blocks.append("\n".join([*_wrapped(title), *_table(*words.seeds(group))]))
    return "\n\n".join(blocks or [_("Nothing was rehearsed.")]) + "\n"


def _block(result: Result) -> Iterator[str]:
    title = _("%(trace)s, seed %(seed)s") % {"trace": words.plain(result.trace), "seed": result.seed}
    yield from _wrapped(title)
    yield "=" * min(len(title), COLUMNS)
    yield from _wrapped(words.period(result))
    lines = words.lines(result)
    width = max(len(label) for label, _value in lines)
    for label, value in lines:
        yield from _wrapped(value, first=f"  {label:<{width}}  ", then=" " * (width + 4))
    yield from _wrapped(_("Changes of level"), first="  ")
    moments = [words.moment(change.at) for change in result.changes]
    for change, moment in zip(result.changes, moments, strict=True):
        said = words.named(_change(change), words.plain(change.why)) if change.why else _change(change)
        yield from _wrapped(said, first=f"    {moment:<{max(map(len, moments))}}  ", then=" " * 8)
    if not result.changes:
        yield from _wrapped(_("None: the level stayed normal."), first="    ")


def _change(change: Change) -> str:
    return f"{words.level(change.before)} → {words.level(change.after)}"


def _wrapped(text: str, first: str = "", then: str = "") -> list[str]:
    return textwrap.wrap(text, COLUMNS, initial_indent=first, subsequent_indent=then) or [first.rstrip()]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as narrow as their cells allow; where even that is too wide, a line of words for each row."""
    cells = [max(len(row[index]) for row in rows) for index in range(len(heads))]
    folded = [textwrap.wrap(head, max(width, 9)) for head, width in zip(heads, cells, strict=True)]
    widths = [max(width, *map(len, head)) for width, head in zip(cells, folded, strict=True)]
    if 2 * len(widths) + sum(widths) > COLUMNS:
        for row in rows:
            yield from _wrapped(
                ", ".join(words.named(head, cell) for head, cell in zip(heads, row, strict=True)), then="  "
            )
        return
    tops = list(itertools.zip_longest(*folded, fillvalue=""))
    for number, row in enumerate([*tops, *rows]):
        yield "".join(f"  {cell:>{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        if number == len(tops) - 1:
            yield "  " + "-" * (sum(widths) + 2 * len(widths) - 2)


# --- for a browser --------------------------------------------------------------------------------------------------
def as_html(results: Sequence[Result]) -> str:
    """One page that needs nothing else: no script, no other file, no other host."""
    groups = words.by_trace(results)
    context = {
        "language": get_language() or "en",
        "direction": "rtl" if get_language_bidi() else "ltr",
        "width": plots.WIDTH,
        "currency": settings.CURRENCY,
        "overview": [_overview(f"t{number}", group) for number, group in enumerate(groups.values(), 1)],
        "traces": [_section(f"t{number}", trace, group) for number, (trace, group) in enumerate(groups.items(), 1)],
    }
    return render_to_string("rehearsal/report.html", context)


def _overview(key: str, group: Sequence[Result]) -> dict[str, Any]:
    """The line of a trace in the table on top; of several seeds it tells the worst."""
    result = words.worst(group)
    return {
        "key": key,
        "name": words.plain(result.trace) or words.NOTHING,
        "served": words.percent(words.share(result.served_in_a_day, result.genuine_senders)),
        "spent": money.spoken(result.with_shield.micros),
        "unshielded": money.spoken(result.without_shield.micros),
        "noticed": words.noticed(result),
        "budget": words.kept(result),
        "passed": bool(words.days_passed(result)),
    }


def _section(key: str, trace: str, group: Sequence[Result]) -> dict[str, Any]:
    """Of several seeds the table tells all, and the rest the worst one."""
    result = words.worst(group)
    frame = plots.Frame(result.starts_at, result.ends_at)
    heads, rows = words.seeds(group)
    return {
        "key": key,
        "name": words.plain(trace) or words.NOTHING,
        "seed": str(result.seed),
        "period": words.period(result),
        "sentences": words.sentences(result),
        "tiles": words.tiles(result),
        "lines": words.lines(result),
        "seeds": {"heads": heads, "rows": rows[:-2], "sums": rows[-2:]} if len(group) > 1 else None,
        "changes": [(words.moment(change.at), _change(change), words.plain(change.why)) for change in result.changes],
        "bands": [_band(band) for band in plots.bands(result.changes, frame)],
        "levels": [_band(plots.Band(name, frame.starts_at, frame.ends_at, 0, 0)) for name in _levels(result)],
        "ticks": [(tick, words.tick(tick.value)) for tick in plots.ticks(frame)],
        "by_day": _by_day(result),
        "messages": _mirrored(result, frame, lambda hour: hour.genuine_messages, lambda hour: hour.raid_messages),
        "replies": _mirrored(result, frame, lambda hour: hour.genuine_replies, lambda hour: hour.raid_replies),
        "bills": _bills(result),
        "spending": _spending(result, frame),
        "waiting": _waiting(result),
    }


#: How high the band of a level is, of `_HIGHEST` pixels: it can be told without its colour.
_HEIGHTS = {"normal": 10, "watch": 20, "raid": 32, "silent": 44}
_HIGHEST = 44


def _levels(result: Result) -> list[str]:
    """Those that the hotline was at, the lowest first."""
    found = {"normal", *(name for change in result.changes for name in (change.before, change.after))}
    return sorted(found, key=lambda name: (_HEIGHTS.get(name, _HIGHEST + 1), name))


def _band(band: plots.Band) -> dict[str, Any]:
    height = _HEIGHTS.get(band.level, _HIGHEST)
    return {
        "x": band.x,
        "width": band.width,
        "y": _HIGHEST - height,
        "height": height,
        "kind": band.level if band.level in _HEIGHTS else "other",
        "word": words.level(band.level),
        "start": words.moment(band.starts_at),
        "end": words.moment(band.ends_at),
    }


def _by_day(result: Result) -> bool:
    """Whether a table has a row for each day, because it would have too many for each hour."""
    return len(result.hours) > _MOST_HOURS


def _mirrored(
    result: Result, frame: plots.Frame, genuine: Callable[[Hour], int], raid: Callable[[Hour], int]
) -> dict[str, Any]:
    plot = plots.mirror(result.hours, genuine, raid, frame)
    rows: dict[str, tuple[int, int]] = {}
    for hour in result.hours:
        label = words.date(hour.at) if _by_day(result) else words.moment(hour.at)
        before = rows.get(label, (0, 0))
        rows[label] = before[0] + genuine(hour), before[1] + raid(hour)
    return {
        "plot": plot,
        "lines": [(line, words.count(line.value)) for line in plot.lines],
        "most_genuine": words.count(max(map(genuine, result.hours), default=0)),
        "most_raid": words.count(max(map(raid, result.hours), default=0)),
        "rows": [(label, words.count(one), words.count(two)) for label, (one, two) in rows.items() if one or two],
    }


def _bills(result: Result) -> list[dict[str, Any]]:
    bills = (
        ("genuine", _("Replies with the shield"), result.with_shield.micros),
        ("raid", _("Replies without the shield"), result.without_shield.micros),
        ("muted", _("Messages received, either way"), result.inbound_micros),
    )
    portions = plots.shares([micros for _kind, _label, micros in bills])
    return [
        {"kind": kind, "label": label, "money": money.spoken(micros), "share": portion}
        for (kind, label, micros), portion in zip(bills, portions, strict=True)
    ]


def _spending(result: Result, frame: plots.Frame) -> dict[str, Any]:
    plot = plots.spent(result.hours, result.days, frame)
    return {
        "plot": plot,
        "lines": list(zip(plot.lines, words.scale([line.value for line in plot.lines]), strict=True)),
        "fullest": words.fullest_day(result),
        "kept": words.kept(result),
        "rows": [
            (
                words.date(day.at),
                money.spoken(day.micros),
                money.spoken(day.cap_micros),
                words.percent(words.share(day.micros, day.cap_micros)),
                day.micros > day.cap_micros,
            )
            for day in result.days
        ],
    }


def _waiting(result: Result) -> dict[str, Any]:
    plot = plots.waiting(result.delays, result.genuine_senders)
    portions = (0.5, 0.9, 0.99, 0.999, 1.0)
    found = ((portion, quantile(result.delays, portion)) for portion in portions)
    return {
        "plot": plot,
        "lines": [(line, words.percent(line.value)) for line in plot.lines],
        "ticks": [(tick, words.spoken(tick.value) if tick.value else _("at once")) for tick in plot.ticks],
        "median": words.delay(result, 0.5),
        "p99": words.delay(result, 0.99),
        "never": words.count(max(result.genuine_senders - len(result.delays), 0)),
        "rows": [
            (words.percent(round(portion * 100, 1)), words.spoken(value))
            for portion, value in found
            if value is not None
        ],
    }
