"""What regulators say about ranges of numbers; `number_rules.toml` beside this file has the facts and their sources."""

from __future__ import annotations

import datetime
import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

_WORDS = {
    "french-mobile": gettext_lazy(
        "Since %(since)s French numbers in 06 and 07 are reserved for use between people; platforms that send "
        "automatically are given other ranges, like 09 37 to 09 39. Ask your provider before you publish this number."
    ),
}


@dataclass(frozen=True)
class Rule:
    name: str
    prefixes: tuple[str, ...]
    since: datetime.date
    source: str
    url: str


@functools.cache
def rules() -> tuple[Rule, ...]:
    data = tomllib.loads((Path(__file__).parent / "number_rules.toml").read_text(encoding="utf-8"))
    return tuple(Rule(name, **{**values, "prefixes": tuple(values["prefixes"])}) for name, values in data.items())


def advice(number: str, today: datetime.date) -> list[str]:
    """One sentence with its source for every rule that concerns `number` (E.164) at `today`."""
    return [
        (_WORDS[rule.name] % {"since": date_format(rule.since, "YEAR_MONTH_FORMAT")})
        + " "
        + _("Source: %(source)s.") % {"source": rule.source}
        for rule in rules()
        if rule.since <= today and number.startswith(rule.prefixes)
    ]
