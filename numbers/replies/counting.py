"""What a text costs, said while somebody writes it."""

from __future__ import annotations

import decimal
import unicodedata
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminTextareaWidget

from organizations import money

from . import lint, packs, segments

#: Longer than any text a provider takes, by far; the live count refuses more.
MOST_CHARACTERS = 10_000


class CountedTextarea(UnfoldAdminTextareaWidget):  # type: ignore[misc]
    """A text field that says, while one writes, how many SMS the text is and what would make it cheaper."""

    template_name = "replies/counted_textarea.html"

    class Media:
        js = ("replies/segments.js",)
        css: ClassVar = {"screen": ("replies/segments.css",)}

    def __init__(self, attrs: Any = None, *, historical: bool = True) -> None:
        super().__init__(attrs)
        self.historical = historical

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["widget"]["attrs"].update({"dir": "auto", "rows": "5"})
        context["count_url"] = reverse("admin:replies_replytemplate_segments")
        context["historical"] = packs.historical() if self.historical else ()
        return context


def review_told(text: str, price: decimal.Decimal | None = None) -> dict[str, Any]:
    """The review of a text as the page shows it: sentences, and the cheaper text where there is one.

    `price` is that of a segment, in the platform's currency, where it is known.
    """
    review = lint.review(text)
    problems = []
    if review.text:
        try:
            lint.validate_text(text)
        except ValidationError as error:
            problems = error.messages
    forcing = [
        {"char": proposal.char, "name": _char_name(proposal.char), "replacement": proposal.replacement}
        for proposal in review.proposals
    ]
    return {
        "summary": ". ".join([summary(review.before), *thousand(review.before, price)]),
        "segments": review.before.segments,
        "encoding": review.before.encoding.name,
        "problems": problems,
        "forcing": forcing,
        "cheaper": review.cheaper if review.saves > 0 else "",
        "offer": _saving(review) if review.saves > 0 else "",
    }


def thousand(counted: segments.Count, price: decimal.Decimal | None) -> list[str]:
    """`1,000 of them cost 70.00 EUR.`, where a price is known."""
    if not price or not counted.segments:
        return []
    cost = money.spoken(money.micros(1000 * counted.segments * price))
    return [_("%(count)s of them cost %(cost)s.") % {"count": number_format(1000, force_grouping=True), "cost": cost}]


def _char_name(char: str) -> str:
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".strip()


def _saving(review: lint.Review) -> str:
    offer = ngettext(
        "Some characters make this text dearer. Written differently it is %(count)d SMS.",
        "Some characters make this text dearer. Written differently it is %(count)d SMS.",
        review.after.segments,
    )
    return offer % {"count": review.after.segments}


def summary(counted: segments.Count) -> str:
    """`1 SMS, 133 characters of 160 (GSM-7)`."""
    if not counted.segments:
        return _("The text is empty.")
    sms = ngettext("%(count)d SMS", "%(count)d SMS", counted.segments) % {"count": counted.segments}
    left = ngettext("%(left)d character left", "%(left)d characters left", counted.left) % {"left": counted.left}
    return _("%(sms)s (%(encoding)s), %(left)s in the last one") % {
        "sms": sms,
        "encoding": counted.encoding.name,
        "left": left,
    }
