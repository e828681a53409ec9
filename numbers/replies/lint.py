"""What is wrong with a text before it is saved, and what would make it cheaper."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from . import segments

#: What reads the same in GSM-7. Other letters lose their accents, which Unicode's own tables say (see `replacement`).
CHEAPER = {
    "\u2018": "'",
    "\u2019": "'",
    "\u201a": "'",
    "\u2039": "'",
    "\u203a": "'",
    "\u02bc": "'",
    "\u00b4": "'",
    "`": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u201e": '"',
    "\u00ab": '"',
    "\u00bb": '"',
    "\u2010": "-",
    "\u2011": "-",
    "\u2012": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2212": "-",
    "\u2022": "-",
    "\u00b7": ".",
    "\u2026": "...",
    "\u00a0": " ",
    "\u2009": " ",
    "\u202f": " ",
    "\u00d7": "x",
    "\u0152": "OE",
    "\u0153": "oe",
    "\u0131": "i",
    "\u0141": "L",
    "\u0142": "l",
    "\u0110": "D",
    "\u0111": "d",
    "\u00ad": "",
    "\u200b": "",
    "\u2060": "",
    "\ufeff": "",
}
#: French guillemets stand off from their words by a space, straight quotes do not.
_GUILLEMETS = re.compile("\u00ab[ \u00a0\u2009\u202f]?|[ \u00a0\u2009\u202f]?\u00bb")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|%\([^)]*\)s|%s\b|\$\{\w+\}|\$[^\W\d]\w*")


@dataclass(frozen=True)
class Proposal:
    """A character that forces UCS-2 and what to write instead; `replacement` is None where nothing reads the same."""

    char: str
    replacement: str | None


@dataclass(frozen=True)
class Review:
    """What an editor is told about a text: `before` as it is, `after` with every known replacement made."""

    text: str
    before: segments.Count
    proposals: tuple[Proposal, ...]
    cheaper: str
    after: segments.Count

    @property
    def saves(self) -> int:
        """Segments that the cheaper text saves; 0 where replacing would change the writing and not the price."""
        return self.before.segments - self.after.segments


def normalized(text: str) -> str:
    """`text` as it is stored and sent: accents in one character, line ends as one, no white space around.

    A decomposed é would make the text UCS-2, and a browser's CR LF costs a character that nobody sees.
    """
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def replacement(char: str) -> str | None:
    """What to write instead of a character that is not in GSM-7, or None where there is nothing that reads the same."""
    if char in CHEAPER:
        return CHEAPER[char]
    if "\u0300" <= char <= "\u036f":  # an accent that no letter takes
        return ""
    plain = "".join(part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    return plain if plain and plain != char and segments.encoding_of(plain) is segments.GSM7 else None


def cheaper(text: str) -> str:
    """`text` with the characters that force UCS-2 replaced where a replacement is known."""
    text = _GUILLEMETS.sub('"', normalized(text))
    known = {char: replacement(char) for char in segments.count(text).forcing}
    return normalized(text.translate({ord(char): instead for char, instead in known.items() if instead is not None}))


def review(text: str) -> Review:
    """Everything the editor shows beside a text while somebody writes it."""
    text, cheap = normalized(text), cheaper(text)
    before = segments.count(text)
    proposals = tuple(Proposal(char, replacement(char)) for char in before.forcing)
    return Review(text, before, proposals, cheap, segments.count(cheap))


def validate_text(text: str) -> None:
    """Raise `ValidationError` for a text that a provider would refuse or a reader would see broken."""
    text = normalized(text)
    if not text:
        raise ValidationError(_("The text is empty."), code="empty")
    control = next((char for char in text if _is_broken(char)), None)
    if control is not None:
        raise ValidationError(
            _("The text holds a character that phones cannot show (U+%(code)s). Remove it."),
            code="control",
            params={"code": f"{ord(control):04X}"},
        )
    placeholder = _PLACEHOLDER.search(text)
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


def _is_broken(char: str) -> bool:
    """Controls, halves of pairs, private characters (the apple logo), and the mark that a wrong decoding left."""
    return (unicodedata.category(char) in {"Cc", "Cs", "Co"} and char != "\n") or char == "\ufffd"
