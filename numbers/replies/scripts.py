"""Which of several languages a text's letters belong to, where they are not Latin. `scripts.toml` holds the facts."""

from __future__ import annotations

import functools
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Writing:
    """How a language is written. `alphabet` is empty where no other language of `scripts.toml` shares its script."""

    scripts: frozenset[str]
    alphabet: frozenset[str]


@functools.cache
def writings() -> dict[str, Writing]:
    """Every language that has a script of its own or shares one that is not Latin."""
    data = tomllib.loads((Path(__file__).parent / "scripts.toml").read_text(encoding="utf-8"))
    return {
        language: Writing(frozenset(row["scripts"]), frozenset(row.get("alphabet", "")))
        for language, row in data.items()
    }


@functools.lru_cache(maxsize=4096)
def script_of(letter: str) -> str:
    """The first word of the letter's Unicode name in small letters: "latin", "arabic", "cjk"; "" where it has none."""
    return unicodedata.name(letter, "").partition(" ")[0].lower()


def fitting(folded: str, languages: Iterable[str]) -> list[str]:
    """Those of `languages` in whose script most of the letters of `folded` (`lexicon.folded`) are, in their order.

    Several remain where their alphabets do not tell either; none where most letters are Latin or nobody's.
    """
    letters = [char for char in folded if char.isalpha()]
    by_script = Counter(script_of(letter) for letter in letters)
    known = {language: writings()[language] for language in languages if language in writings()}
    counts = {language: sum(by_script[name] for name in writing.scripts) for language, writing in known.items()}
    most = max(counts.values(), default=0)
    if 2 * most <= len(letters):
        return []
    strangers = {language: _strangers(letters, known[language]) for language, count in counts.items() if count == most}
    fewest = min(strangers.values())
    return [language for language, number in strangers.items() if number == fewest]


def _strangers(letters: list[str], writing: Writing) -> int:
    """How many letters are of the writing's script and not of its alphabet."""
    if not writing.alphabet:
        return 0
    return sum(letter not in writing.alphabet and script_of(letter) in writing.scripts for letter in letters)
