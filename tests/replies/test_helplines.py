"""Helplines are data with a source and its date, and no text that comes with Paravent names another."""

from __future__ import annotations

import datetime
import re

import phonenumbers
import pytest

from hotlines.choices import country_name
from replies import helplines, packs
from replies.models import Purpose

_NUMBER = re.compile(r"\d[\d .-]*\d")
NOTICES = [
    pytest.param(text.text, id=f"{kind}-{language}")
    for kind, languages in packs.packs().items()
    for language, pack in languages.items()
    for text in pack.texts
    if text.purpose in {Purpose.NOTICE, Purpose.SUSPENDED, Purpose.HELP}
]


@pytest.mark.parametrize("text", NOTICES)
def test_a_text_names_no_number_that_is_not_known(text: str) -> None:
    known = {line.number for line in helplines.all_lines()} | helplines.emergency()
    assert set(_NUMBER.findall(text)) <= known


@pytest.mark.parametrize("line", helplines.all_lines(), ids=lambda line: f"{line.country} {line.number}")
def test_a_line_has_a_country_a_source_and_kinds_that_are_there(line: helplines.Line) -> None:
    assert country_name(line.country) != line.country
    assert line.source.startswith("https://")
    assert line.by
    assert line.kinds <= set(packs.packs())
    digits = re.sub(r"\D", "", line.number)
    short = len(digits) <= 6
    parsed = None if short else phonenumbers.parse(digits, line.country)
    assert short or (parsed is not None and phonenumbers.is_possible_number(parsed))


def test_what_nobody_has_looked_at_for_two_years_is_old() -> None:
    dated = datetime.date(2025, 1, 1)
    line = helplines.Line("FR", "1", "x", frozenset(), always=True, source="", by="", dated=dated)
    assert not line.is_old(datetime.date(2026, 12, 31))
    assert line.is_old(datetime.date(2027, 1, 2))
    assert helplines.Line("FR", "1", "x", frozenset(), always=True, source="", by="").is_old(dated)


def test_a_number_is_told_the_lines_of_its_kind_and_countries() -> None:
    assert [line.number for line in helplines.of(["ES", "FR"], "lgbt")] == ["01 48 06 42 41", "028"]
    assert [line.number for line in helplines.of(["FR"], "anti-relous")] == ["3919"]
    assert [line.number for line in helplines.of(["FR"], "festival")] == ["3919", "01 48 06 42 41"]
    assert helplines.of(["JP"], "lgbt") == []
