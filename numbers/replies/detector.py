"""Which language a longer message is in, by the statistics of its letters: py3langid, where words told nothing.

It chooses among all languages that the lexicon knows, offered or not: asked only whether a Polish message is French or
English, it says one of them with confidence (docs/languages.md has the figures). Its model takes 90 MB in the process
that sends, and is loaded with the first message that needs it; a webhook never asks.
"""

from __future__ import annotations

import functools
import re
import threading
from typing import Any

from . import lexicon

#: Below this probability a guess is worse than the country of the number. Measured: tests/replies/quality.py.
CONFIDENT = 0.5
#: A single word, a name, a laugh show nothing; and who writes 3 and 7 for letters, as in Arabic, no statistics know.
LEAST_LETTERS, LEAST_WORDS = 6, 2
_WORD = re.compile(r"[^\W\d_]+")
_NO_WORDS = re.compile(r"\S*(?:://|@)\S*")
_DIGITS_IN_WORDS = re.compile(r"[^\W\d_]\d|\d[^\W\d_]")
_lock = threading.Lock()


def guess(text: str) -> str | None:
    """The language as its ISO 639-1 code, or None where the text is too short or could be several."""
    text = _NO_WORDS.sub(" ", text)
    words = _WORD.findall(text)
    if len(words) < LEAST_WORDS or sum(map(len, words)) < LEAST_LETTERS or _DIGITS_IN_WORDS.search(text):
        return None
    with _lock:
        language, probability = _identifier().classify(text)
    return str(language) if probability >= CONFIDENT else None


@functools.cache
def _identifier() -> Any:
    """Imported here, because it brings NumPy, and most processes never ask."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([language for language in lexicon.load().letters if language in identifier.labels])
    return identifier
