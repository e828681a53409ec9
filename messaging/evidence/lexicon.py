"""Words of a threat, by language, so that somebody looks at such a message soon. A hint, and no judgement.

All languages are looked for in every text: a sender's language is a guess, and a threat may come in another one.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from pathlib import Path

_FOLDER = Path(__file__).parent / "lexicon"


def threatens(text: str) -> bool:
    """Whether a phrase of the lexicon stands in `text`, in whole words, whatever its capitals, accents and spaces."""
    return _pattern().search(f" {_bare(text)} ") is not None


def languages() -> list[str]:
    """The codes of the languages that have a lexicon."""
    return sorted(path.stem for path in _FOLDER.glob("*.txt"))


def phrases(language: str) -> list[str]:
    """A language's phrases, as they are written."""
    lines = (_FOLDER / f"{language}.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


@functools.cache
def _pattern() -> re.Pattern[str]:
    known = {_bare(phrase) for language in languages() for phrase in phrases(language)}
    return re.compile(" (?:" + "|".join(re.escape(phrase) for phrase in sorted(known)) + ") ")


def _bare(text: str) -> str:
    """Letters and digits, in one case, without marks and Turkish dots; all else is a space, apostrophes nothing."""
    folded = unicodedata.normalize("NFKD", text.replace("’", "'")).casefold().replace("'", "").replace("ı", "i")
    kept = (char if char.isalnum() else " " for char in folded if unicodedata.category(char) not in {"Mn", "Cf"})
    return " ".join("".join(kept).split())
