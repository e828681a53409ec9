"""All texts of a number in one language beside those of another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminTextareaWidget

from hotlines.models import Hotline

from . import lint, versions
from .counting import CountedTextarea
from .models import SENT, Arm, Purpose, ReplyTemplate, TextVersion


@dataclass
class Entry:
    """One place: `source` is the text beside it, `text` what stands there or was posted, "" where there is none.

    Where a text waits for approval it is the one to go on with, and `sent` the one that is in use until then.
    """

    purpose: Purpose
    step: int
    source: str
    text: str
    row: ReplyTemplate | None = None
    waits: bool = False
    sent: str = ""
    problems: list[str] = field(default_factory=list)
    #: Of the text that is stored, whatever was posted: tells whether it is still the one that somebody was shown.
    mark: str = field(init=False)

    def __post_init__(self) -> None:
        self.mark = _mark(self.text)

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
    """Every place that has a text in either language, in the order of their purposes. Two statements."""
    found = ReplyTemplate.objects.filter(hotline=hotline, language__in=(source, target), arm=Arm.A)
    rows = {(row.language, row.purpose, row.step): row for row in found}
    waiting = dict(TextVersion.objects.filter(template__in=found, state="waits").values_list("template", "text"))
    places = {(purpose, step) for _language, purpose, step in rows}
    order = list(Purpose)
    made = []
    for purpose, step in sorted(places, key=lambda place: (order.index(Purpose(place[0])), place[1])):
        there, here = rows.get((source, purpose, step)), rows.get((target, purpose, step))
        sent = here.text if here and here.approved else ""
        draft = waiting.get(here.pk) if here else None
        text = draft if draft is not None else here.text if here else ""
        made.append(Entry(Purpose(purpose), step, there.text if there else "", text, here, draft is not None, sent))
    return made


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def take(hotline: Hotline, language: str, made: list[Entry], posted: Mapping[str, Any], author: Any) -> int:
    """Write what was posted and is another text; returns how many. What may not be sent says why and stays unwritten.

    An empty field leaves the text that is there: a text is taken away on its own page. A text that somebody else
    changed since the page was opened is never written over, nor back.
    """
    taken = 0
    for entry in made:
        text = lint.normalized(str(posted.get(f"text-{entry.name}", "")))
        if not text or text == entry.text:
            continue
        shown = str(posted.get(f"shown-{entry.name}", "")) or entry.mark
        if shown != entry.mark:
            if shown != _mark(text):
                changed = _("Somebody else changed this text while you wrote: “%(text)s”. Save again to use yours.")
                entry.problems, entry.text = [changed % {"text": entry.text}], text
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
