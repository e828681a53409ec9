"""Who wrote: a provider's `From` in one canonical form, which is what is pseudonymised and sealed.

`number:+33612345678`, `short:38055`, `name:infosms` or `withheld:`. Only ASCII digits make a number: `\\d` would let
Arabic-Indic digits through, and `33612345678<33899…` would be two destinations at Plivo (SECURITY.md T7).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

import phonenumbers

_NUMBER = re.compile(r"\+?([1-9][0-9]{6,14})", re.ASCII)
#: As phones show numbers: 06 12 34 56 78, 0033 6..., +33 (0)6...
_DIALLED = re.compile(r"\+?[0-9][0-9 ().\-\N{NO-BREAK SPACE}]{5,24}", re.ASCII)
_SHORT = re.compile(r"[0-9]{1,6}", re.ASCII)
_LONGEST_NAME = 64
_WITHHELD = frozenset({"", "anonymous", "unknown", "unavailable", "private", "restricted"})


def canonical(written: str, home: str = "") -> str:
    """The canonical form of a provider's sender; every text has one.

    A phone shows numbers of its own country as people there dial them (0612345678): with `home`, a number in E.164 of
    that country, so does `written`.
    """
    text = written.strip()
    if _SHORT.fullmatch(text):
        return f"short:{text}"
    match = _NUMBER.fullmatch(text)
    if home and not (match and text.startswith("+")) and (dialled := _dialled(text, home)):
        return f"number:{dialled}"
    if match:
        return f"number:+{match[1]}"
    name = unicodedata.normalize("NFKC", text).casefold()
    if name in _WITHHELD:
        return "withheld:"
    if len(name) > _LONGEST_NAME:
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"name:{name}"


def _dialled(text: str, home: str) -> str | None:
    """In E.164, where it is a possible number of the country of `home`, or one with its code in front."""
    if not _DIALLED.fullmatch(text):
        return None
    try:
        country = phonenumbers.parse(home).country_code
        found = phonenumbers.parse(text, phonenumbers.region_code_for_country_code(country or 0))
    except phonenumbers.NumberParseException:
        return None
    # Not `is_possible_number`: it takes numbers that only work within their town.
    if phonenumbers.is_possible_number_with_reason(found) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    written = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
    return written if _NUMBER.fullmatch(written) else None


def number_of(sender: str) -> str | None:
    """The E.164 number of a canonical sender, or None where it is not a number."""
    return sender.removeprefix("number:") if sender.startswith("number:") else None


def same_number(left: str, right: str) -> bool:
    """Whether two ways of writing a number (with or without +) mean the same."""
    return canonical(left) == canonical(right)
