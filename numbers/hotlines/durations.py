"""Durations as people write them: `90 min`, `1 h`, `30 days`, `1 h 30 min`."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

#: Seconds of a unit, by every way to write it in English and French.
_UNITS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "seconds": 1,
    "seconde": 1,
    "secondes": 1,
    "min": 60,
    "mn": 60,
    "minute": 60,
    "minutes": 60,
    "h": 3600,
    "hour": 3600,
    "hours": 3600,
    "heure": 3600,
    "heures": 3600,
    "d": 86_400,
    "day": 86_400,
    "days": 86_400,
    "j": 86_400,
    "jour": 86_400,
    "jours": 86_400,
}
_PART = re.compile(r"\s*([0-9]{1,7})\s*([a-z]+)\.?\s*(?:,|et|and)?", re.ASCII | re.IGNORECASE)


def parse(text: str) -> int:
    """Seconds. Raises `ValueError` for what is not a list of numbers with units."""
    seconds, position = 0, 0
    while position < len(text.rstrip()):
        part = _PART.match(text, position)
        if part is None or part[2].lower() not in _UNITS:
            raise ValueError(text)
        seconds += int(part[1]) * _UNITS[part[2].lower()]
        position = part.end()
    if not position:
        raise ValueError(text)
    return seconds


def spoken(seconds: int) -> str:
    """`1 hour 30 minutes`, in the reader's language; `parse` understands it again."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [
        ngettext("%(count)d day", "%(count)d days", days) % {"count": days} if days else "",
        ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours} if hours else "",
        ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes} if minutes else "",
        ngettext("%(count)d second", "%(count)d seconds", rest) % {"count": rest} if rest else "",
    ]
    return " ".join(part for part in parts if part) or _("none")


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
