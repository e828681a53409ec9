"""The number as a contact for a phone's address book (vCard 3.0, RFC 2426), which tells nobody what it is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_LINE = 75  # octets, without the line's end
#: What ends a line or hides in one.
_CONTROLS = {"Cc", "Zl", "Zp", "Cs"}
_NAMELESS = "contact"


def card(name: str, number: str) -> str:
    """One contact: a name and a number, and nothing more that somebody could read over a shoulder."""
    written = _escaped(plain(name) or _NAMELESS)
    lines = (
        "BEGIN:VCARD",
        "VERSION:3.0",
        f"N:;{written};;;",
        f"FN:{written}",
        f"TEL;TYPE=CELL:{re.sub(r'[^0-9+]', '', number)}",
        "END:VCARD",
    )
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line))


def filename(name: str) -> str:
    """`Camille.vcf`: letters, digits, spaces and hyphens are all that a file system is asked to keep."""
    kept = "".join(char if char.isalnum() or unicodedata.category(char) == "Mn" else " " for char in plain(name))
    return f"{'-'.join(kept.split()) or _NAMELESS}.vcf"


def plain(name: str) -> str:
    """On one line, and without characters that only control others."""
    return " ".join("".join(" " if unicodedata.category(char) in _CONTROLS else char for char in name).split())


def _escaped(text: str) -> str:
    return re.sub(r"([\\;,])", r"\\\1", text)


def _folded(line: str) -> Iterator[str]:
    """Parts of at most 75 octets; all but the first begin with the space that says so. No letter is cut in two."""
    part = ""
    for char in line:
        if len((part + char).encode()) > _LINE:
            yield part
            part = " "
        part += char
    yield part
