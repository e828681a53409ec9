"""Durations as people write them: `90 min`, `1 h`, `30 days`, `1 h 30 min`."""

from __future__ import annotations

import functools
import re
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

#: Seconds of a unit, by the ways to write it short; the whole words are those of the translations.
_SHORT = {
    **dict.fromkeys(("s", "sec", "sek", "seg", "ث"), 1),
    **dict.fromkeys(("min", "mn", "د"), 60),
    **dict.fromkeys(("h", "std", "س"), 3600),
    **dict.fromkeys(("d", "j", "t", "ي"), 86_400),
}
#: Plural forms change at these numbers, in the languages of the interface.
_COUNTS = (*range(13), 20, 21, 99, 100, 101, 102, 103, 111)
_PART = re.compile(r"\s*([0-9]{1,7})\s*([^\s\d,.]+)\.?\s*(?:,|\b(?:et|and|y|und|و)\b)?", re.IGNORECASE)


@functools.cache
def _units() -> dict[str, int]:
    """Seconds of a unit, by every way to write it in any language of the interface."""
    found = dict(_SHORT)
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            for seconds in _NAMES:
                words = (_counted(count, seconds) for count in _COUNTS)
                found |= dict.fromkeys((_unit_in(word) for word in words), seconds)
    return found


def _unit_in(words: str) -> str:
    return re.sub(r"[0-9\s]+", "", words).casefold()


_NAMES: Any = {
    86_400: ngettext_lazy("%(count)d day", "%(count)d days", "count"),
    3600: ngettext_lazy("%(count)d hour", "%(count)d hours", "count"),
    60: ngettext_lazy("%(count)d minute", "%(count)d minutes", "count"),
    1: ngettext_lazy("%(count)d second", "%(count)d seconds", "count"),
}


def _counted(count: int, seconds: int) -> str:
    """`3 hours`, in the reader's language."""
    return str(_NAMES[seconds] % {"count": count})


def parse(text: str) -> int:
    """Seconds. Raises `ValueError` for what is not a list of numbers with units."""
    seconds, position = 0, 0
    while position < len(text.rstrip()):
        part = _PART.match(text, position)
        if part is None or part[2].casefold() not in _units():
            raise ValueError(text)
        seconds += int(part[1]) * _units()[part[2].casefold()]
        position = part.end()
    if not position:
        raise ValueError(text)
    return seconds


def spoken(seconds: int) -> str:
    """`1 hour 30 minutes`, in the reader's language; `parse` understands it again."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    counts = ((days, 86_400), (hours, 3600), (minutes, 60), (rest, 1))
    parts = [_counted(count, unit) for count, unit in counts if count]
    return " ".join(parts) or _("none")


class DurationField(forms.IntegerField):
    """Stores whole `unit` seconds; shows and reads words. `most` in seconds."""

    def __init__(self, *, unit: int = 1, least: int = 0, most: int, **kwargs: Any) -> None:
        self.unit, self.least, self.most = unit, least, most
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return spoken(value * self.unit) if isinstance(value, int) else value

    def to_python(self, value: Any) -> Any:
        text = str(value or "").replace("\u00a0", " ").strip()
        if text in self.empty_values:
            return None
        if text in {"0", _("none")}:
            seconds = 0
        else:
            try:
                seconds = parse(text)
            except ValueError:
                raise ValidationError(_UNCLEAR, code="invalid") from None
        if seconds % self.unit:
            raise ValidationError(_("Whole hours, please."), code="whole")
        if not self.least <= seconds <= self.most:
            bounds = {"least": spoken(self.least) if self.least else "0", "most": spoken(self.most)}
            raise ValidationError(_("From %(least)s to %(most)s.") % bounds, code="range")
        return seconds // self.unit

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != initial)
        except ValidationError:
            return True


_UNCLEAR = gettext_lazy("Write a number and a unit, like 90 min, 1 h or 30 days.")
