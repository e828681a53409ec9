"""Durations are read again as they are written, in every language of the interface, and as people write them."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.utils import translation
from hypothesis import example, given
from hypothesis import strategies as st

from hotlines import durations
from hotlines.durations import DurationField

LANGUAGES = [language for language, _name in settings.LANGUAGES]


@pytest.mark.parametrize("language", LANGUAGES)
@example(1)
@example(2 * 86_400)
@example(11 * 86_400 + 2 * 3600 + 100 * 60)
@example(365 * 86_400)
@given(seconds=st.integers(1, 400 * 86_400))
def test_what_is_shown_is_read_as_the_same(language: str, seconds: int) -> None:
    with translation.override(language):
        assert durations.parse(durations.spoken(seconds)) == seconds


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_field_takes_back_what_it_showed(language: str) -> None:
    field = DurationField(unit=3600, least=3600, most=365 * 86_400)
    with translation.override(language):
        for hours in (1, 2, 3, 11, 24, 48, 720, 2160, 8760):
            assert field.clean(field.prepare_value(hours)) == hours


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 min", 5400),
        ("1 h 30", None),
        ("1 h 30 min", 5400),
        ("2 Stunden", 7200),
        ("3 Tage und 4 Std.", 3 * 86_400 + 4 * 3600),
        ("1 día y 2 horas", 86_400 + 7200),
        ("30 jours", 30 * 86_400),
        ("soon", None),
        ("", None),
        ("5 parsecs", None),
    ],
)
def test_people_write_it_in_their_own_way(text: str, seconds: int | None) -> None:
    if seconds is not None:
        assert durations.parse(text) == seconds
        return
    with pytest.raises(ValueError) as refused:  # noqa: PT011  it is the text itself
        durations.parse(text)
    assert str(refused.value) == text
