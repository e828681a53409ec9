"""How often a short message's language is seen: `make languages` writes docs/languages.md from the labelled set.

Deterministic, so a test holds the page to what the code does.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from replies import detector, languages

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "languages.md"
LABELLED = {
    language: row["messages"]
    for language, row in tomllib.loads((HERE / "labelled_messages.toml").read_text(encoding="utf-8")).items()
}
OFFERED = list(LABELLED)
#: What a French NGO offers; a message in another language must not be taken for one of these.
FEW = ["fr", "en"]


@dataclass(frozen=True)
class Score:
    """Of `count` messages so many were seen, and so many taken for another language; the rest showed nothing."""

    count: int
    seen: int
    wrong: int

    @property
    def share(self) -> float:
        return self.seen / self.count


def score(language: str, offered: list[str]) -> Score:
    """The messages of a language, on a hotline that offers `offered`."""
    found = [languages.seen_in(text, offered) for text in LABELLED[language]]
    right = language if language in offered else None
    return Score(len(found), sum(tag == right for tag in found), sum(tag is not None and tag != right for tag in found))


def without_detector(language: str) -> Score:
    """The same by letters and words alone."""
    with mock.patch.object(detector, "guess", return_value=None):
        return score(language, OFFERED)


def total(scores: list[Score]) -> Score:
    return Score(*(sum(getattr(one, name) for one in scores) for name in ("count", "seen", "wrong")))


_PAGE = """# In which language a message is

Written by `make languages`. A reply is in the language that the message shows; where it shows none, in the one
that the sender used before, then in one of his number's country, then in the number's default.

A message shows its language by its letters (Arabic, Ukrainian), then by words that people write in such messages
(`numbers/replies/lexicon.toml`), then by the statistics of its letters (py3langid; from {least} words on, and where
it is {confident:.0%} sure or more). The detector chooses among all languages of the lexicon and not among those that
the number offers: it would take most foreign messages for one of these.

Measured on {all.count} short messages written for this (`tests/replies/labelled_messages.toml`), on a number that
offers all twelve languages:

| language | messages | seen | taken for another | seen without the detector |
|---|--:|--:|--:|--:|
{rows}
| all | {all.count} | {all.share:.1%} | {all.wrong} | {words.share:.1%} |

Of {foreign.count} messages in the ten other languages to a number that offers French and English alone, {foreign.wrong}
were taken for one of these two; the others showed none of them, and the country of the number decides.

The messages were written by the authors of the lexicon, though after it and without looking at it; those of strangers
will be stranger. What is not seen is no loss by itself: most senders' countries speak what they write.
"""


def page() -> str:
    """docs/languages.md."""
    everywhere = {language: score(language, OFFERED) for language in OFFERED}
    words = {language: without_detector(language) for language in OFFERED}
    rows = (
        f"| {language} | {its.count} | {its.share:.0%} | {its.wrong} | {words[language].share:.0%} |"
        for language, its in everywhere.items()
    )
    return _PAGE.format(
        confident=detector.CONFIDENT,
        least=detector.LEAST_WORDS,
        all=total([*everywhere.values()]),
        words=total([*words.values()]),
        foreign=total([score(language, FEW) for language in OFFERED if language not in FEW]),
        rows="\n".join(rows),
    )


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(page())
