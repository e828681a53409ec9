"""What is wrong with a text before it is saved, and what would make it cheaper."""

from __future__ import annotations

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from . import segments

#: The characters that most often force UCS-2 in our languages, with what reads the same in GSM-7.
CHEAPER = {
    "\u2019": "'",
    "\u2018": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u00ab": '"',
    "\u00bb": '"',
    "\u2013": "-",
    "\u2014": "-",
    "\u2026": "...",
    "\u00a0": " ",
    "\u202f": " ",
    "\u0153": "oe",
    "\u0152": "OE",
    "\u00e7": "c",
    "\u00ea": "e",
    "\u00eb": "e",
    "\u00e2": "a",
    "\u00ee": "i",
    "\u00ef": "i",
    "\u00f4": "o",
    "\u00fb": "u",
}


def cheaper(text: str) -> str:
    """`text` with the characters that force UCS-2 replaced where a replacement is known."""
    return "".join(CHEAPER.get(char, char) for char in text)


def validate_text(text: str) -> None:
    """Raise `ValidationError` for a text that a provider would refuse or a reader would see broken."""
    if not text.strip():
        raise ValidationError(_("The text is empty."), code="empty")
    control = next((char for char in text if unicodedata.category(char) in {"Cc", "Cs"} and char not in "\n\r"), None)
    if control is not None:
        raise ValidationError(
            _("The text holds an invisible control character (U+%(code)s). Remove it."),
            code="control",
            params={"code": f"{ord(control):04X}"},
        )
    placeholder = re.search(r"\{[^{}]*\}|%\([^)]*\)s|\$\{?\w+\}?", text)
    if placeholder:
        raise ValidationError(
            _("“%(found)s” looks like a placeholder, and there is none of that name. Write the words themselves."),
            code="placeholder",
            params={"found": placeholder.group()},
        )
    counted = segments.count(text)
    if counted.units > counted.encoding.longest:
        raise ValidationError(
            _("The text is too long: %(units)d of at most %(most)d characters in %(encoding)s."),
            code="long",
            params={"units": counted.units, "most": counted.encoding.longest, "encoding": counted.encoding.name},
        )
