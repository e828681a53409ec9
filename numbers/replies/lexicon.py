"""Which of several languages a short message's words are from. `lexicon.toml` holds the words."""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

#: Letters that carry no accent which could be taken off, with what people type for them.
_PLAIN = str.maketrans({"ı": "i", "ł": "l", "đ": "d", "ø": "o", "æ": "ae", "œ": "oe", "ß": "ss"})
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u00b4`", "'"))
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_STRETCHED = re.compile(r"(.)\1{2,}")


@dataclass(frozen=True)
class Lexicon:
    """Languages by word, with its accents and without; and by language its letters beyond a to z."""

    words: dict[str, frozenset[str]]
    letters: dict[str, frozenset[str]]


def folded(text: str) -> str:
    """`text` in one spelling: NFKC, small letters, straight apostrophes, nothing invisible. Accents stay."""
    folded = unicodedata.normalize("NFKC", text).lower().translate(_APOSTROPHES)
    # Turkish capital I with dot becomes i and a combining dot; format characters hide inside words.
    return "".join(char for char in folded if char != "\u0307" and unicodedata.category(char) != "Cf")


def _joined(word: str) -> str:
    return word.replace("'", "")


def _plain(word: str) -> str:
    """Without the accents that senders leave out."""
    decomposed = unicodedata.normalize("NFD", _joined(word).translate(_PLAIN))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


@functools.cache
def load() -> Lexicon:
    """The lexicon, read once in a process."""
    data = tomllib.loads((Path(__file__).parent / "lexicon.toml").read_text(encoding="utf-8"))
    words: dict[str, set[str]] = {}
    for language, row in data.items():
        for word in folded(row["words"]).split():
            for form in {_joined(word), _plain(word)}:
                words.setdefault(form, set()).add(language)
    return Lexicon(
        {word: frozenset(languages) for word, languages in words.items()},
        {language: frozenset(row["letters"]) for language, row in data.items()},
    )


def votes(folded_text: str) -> Counter[str]:
    """One vote for each language that a word of the text may be from. A word of several languages votes for all."""
    counted: Counter[str] = Counter()
    for word in _WORD.findall(folded_text):
        for languages in _languages_of(word):
            counted.update(languages)
    return counted


def leaders(folded_text: str) -> frozenset[str]:
    """All languages with most votes, of those that hotlines offer and of the others; empty where no word is known."""
    counted = votes(folded_text)
    most = max(counted.values(), default=0)
    return frozenset(language for language, count in counted.items() if count == most > 0)


def winner(folded_text: str, candidates: Collection[str]) -> str | None:
    """The one of `candidates` with most votes; None where two are equal, or another language has more than either."""
    winners = leaders(folded_text).intersection(candidates)
    return next(iter(winners)) if len(winners) == 1 else None


def _languages_of(word: str) -> Iterator[frozenset[str]]:
    known = load().words
    whole = next((known[form] for form in _forms(word) if form in known), None)
    if whole is not None:
        yield whole
        return
    parts = [known[_plain(part)] for part in word.split("'") if _plain(part) in known] if "'" in word else []
    if parts:
        yield from parts
        return
    by_letters = _by_letters(word)
    if by_letters:
        yield frozenset({by_letters})


def _forms(word: str) -> Iterator[str]:
    """The word as it is written, without its accents, and without the stretching of "saluuuut" and "helllo"."""
    yield _joined(word)
    plain = _plain(word)
    yield plain
    if _STRETCHED.search(plain):
        yield _STRETCHED.sub(r"\1", plain)
        yield _STRETCHED.sub(r"\1\1", plain)


def _by_letters(word: str) -> str | None:
    """The only language that has all the letters of `word` that are not plain Latin; None for none or several."""
    special = {letter for letter in word if letter > "\x7f"}
    if not special:
        return None
    having = [language for language, letters in load().letters.items() if special <= letters]
    return having[0] if len(having) == 1 else None
