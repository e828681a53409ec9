"""Which language a sender reads: what his message shows, what he used before, where his number is from.

Tags are BCP 47 as hotlines have them: "fr", "pt-BR". Two tags of one language stand in for each other, the nearer
one first. The facts are data beside this file: `scripts.toml`, `lexicon.toml`, `countries.toml`.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Sequence
from pathlib import Path

import phonenumbers

from . import detector, lexicon, scripts

#: A language shows in the first words or not at all; a text of 10,000 characters costs no more than this.
LOOK_AT = 1000


def base(tag: str) -> str:
    """The language of a tag without its region: "pt" for "pt-BR"."""
    return tag.partition("-")[0].lower()


def seen_in(text: str, offered: Sequence[str]) -> str | None:
    """The tag of `offered` in whose language `text` is, as far as it shows; None where it does not.

    Letters decide at once when one of the languages is written in them, then words that people write in such messages,
    then the statistics of longer ones. `offered` comes in order of preference: where several are written in the text's
    letters and neither alphabet nor words tell, the first of them is it.
    """
    languages = list(dict.fromkeys(base(tag) for tag in offered))
    folded = lexicon.folded(text[:LOOK_AT])
    fitting = scripts.fitting(folded, languages)
    language = lexicon.winner(folded, fitting or languages) or next(iter(fitting), None)
    if language is None or len(lexicon.leaders(folded)) > 1:
        language = (None if fitting else detector.guess(text[:LOOK_AT])) or language
    return next((tag for tag in offered if base(tag) == language), None)


def ladder(*, seen: str | None, remembered: str, number: str | None, offered: Sequence[str], default: str) -> list[str]:
    """The languages to look for a text in, best first, each once.

    What the message shows, what he used before, what his country speaks (the hotline's default first where it is one
    of those), the default, the rest of `offered`, so that some text is always found. Only tags of `offered` and
    `default` come, and after each language's tags its tag without region. `number` is E.164 with +, or None.
    """
    known = list(dict.fromkeys(tag for tag in (*offered, default) if tag))
    region, spoken = _home(number)
    spoken = sorted(spoken, key=lambda language: language != base(default))
    wanted = [seen or "", remembered, *spoken, *([default] if default else []), *known]
    rungs: list[str] = []
    for tag in wanted:
        siblings = [other for other in known if base(other) == base(tag)]
        rungs += sorted(siblings, key=lambda other: _distance(other, tag, region))
        rungs += [base(tag)] if siblings else []
    return list(dict.fromkeys(rungs))


def _distance(tag: str, wanted: str, region: str) -> int:
    """How far `tag` is from `wanted`, a tag of the same language, for somebody in `region`."""
    if tag == wanted and "-" in wanted:
        return 0
    if region and tag.partition("-")[2].upper() == region:
        return 1
    return 2 if tag == wanted else 3 if "-" not in tag else 4


def region_of(number: str | None) -> str:
    """The region that a number in E.164 is from, as its two letters, or "" where it tells none."""
    parsed = _parsed(number)
    return _region(parsed) if parsed else ""


def _parsed(number: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(number or "")
    except phonenumbers.NumberParseException:
        return None


def _region(parsed: phonenumbers.PhoneNumber) -> str:
    """A range that the metadata does not know yet has no region; its country code still has a main one."""
    known = phonenumbers.region_code_for_number(parsed)
    return known or phonenumbers.region_code_for_country_code(parsed.country_code or 0) or ""


def _home(number: str | None) -> tuple[str, Sequence[str]]:
    """The region a number is from and the languages spoken there; ("", ()) where it tells nothing."""
    parsed = _parsed(number)
    if parsed is None:
        return "", ()
    region = _region(parsed)
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    by_region, by_prefix = _countries()
    nearer = next((spoken for prefix, spoken in by_prefix.items() if e164.startswith(prefix)), None)
    return region, nearer or by_region.get(region, ())


@functools.cache
def _countries() -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    data = tomllib.loads((Path(__file__).parent / "countries.toml").read_text(encoding="utf-8"))
    by_region, by_prefix = (
        {place: tuple(languages.split()) for languages, places in data[table].items() for place in places.split()}
        for table in ("regions", "prefixes")
    )
    return by_region, by_prefix
