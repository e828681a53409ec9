"""All texts of a number in one language beside those of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget

from hotlines.models import Hotline

from . import lint, versions
from .counting import CountedTextarea
from .models import SENT, Arm, Purpose, ReplyTemplate


@dataclass
class Entry:
    """One place: `source` is the text beside it, `text` what stands there or was posted, "" where there is none."""

    purpose: Purpose
    step: int
    source: str
    text: str
    row: ReplyTemplate | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.purpose.value}-{self.step}"

    @property
    def field(self) -> str:
        """The text as a field, which counts where it is sent by SMS."""
        attributes = {"id": f"text-{self.name}", "aria-labelledby": f"place-{self.name}", "maxlength": "2000"}
        counted = CountedTextarea(historical=False)
        widget = counted if self.purpose in SENT else UnfoldAdminTextareaWidget({"dir": "auto", "rows": "6"})
        return str(widget.render(f"text-{self.name}", self.text, attributes))


def entries(hotline: Hotline, source: str, target: str) -> list[Entry]:
    """Every place that has a text in either language, in the order of their purposes. One statement."""
    found = ReplyTemplate.objects.filter(hotline=hotline, language__in=(source, target), arm=Arm.A)
    rows = {(row.language, row.purpose, row.step): row for row in found}
    places = {(purpose, step) for _language, purpose, step in rows}
    order = list(Purpose)
    made = []
    for purpose, step in sorted(places, key=lambda place: (order.index(Purpose(place[0])), place[1])):
        there, here = rows.get((source, purpose, step)), rows.get((target, purpose, step))
        made.append(Entry(Purpose(purpose), step, there.text if there else "", here.text if here else "", here))
    return made


def take(hotline: Hotline, language: str, made: list[Entry], posted: Mapping[str, Any], author: Any) -> int:
    """Write what was posted and is another text; returns how many. What may not be sent says why and stays unwritten.

    An empty field leaves the text that is there: a text is taken away on its own page.
    """
    taken = 0
    for entry in made:
        text = lint.normalized(str(posted.get(f"text-{entry.name}", "")))
        if not text or text == entry.text:
            continue
        row = entry.row or versions.new(hotline, language, entry.purpose, entry.step)
        entry.text = text
        try:
            versions.write(row, text, author)
        except ValidationError as error:
            entry.problems = error.messages
        else:
            taken += 1
    return taken
