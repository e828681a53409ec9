"""How people and raids write: what a detector lives on is measured here, not believed."""

from __future__ import annotations

import unicodedata
from random import Random

from rehearsal import texts

SAMPLE = 20_000


def bare(text: str) -> str:
    """Letters and single spaces alone, without marks, as a detector sees a text."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(char if char.isalpha() else " " * (not unicodedata.combining(char)) for char in decomposed)
    return " ".join(letters.split())


def grams(text: str) -> frozenset[str]:
    return frozenset(text[at : at + 3] for at in range(max(1, len(text) - 2)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def sample(seed: int) -> list[str]:
    random = Random(seed)
    return [texts.genuine(random) for _ in range(SAMPLE)]


GREETINGS = {bare(greeting) for greeting in texts.GREETINGS}
GENUINE = sample(1)
SAID = [text for text in map(bare, GENUINE) if text not in GREETINGS]


def distance(one: str, other: str) -> int:
    """Of Levenshtein."""
    row = list(range(len(other) + 1))
    for at, char in enumerate(one, 1):
        before, row = row, [at]
        for place, there in enumerate(other, 1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (char != there)))
    return row[-1]


# --- genuine ----------------------------------------------------------------------------------------------------------
def test_the_same_seed_writes_the_same_and_another_does_not() -> None:
    assert sample(1) == GENUINE
    assert sample(2) != GENUINE


def test_about_18_in_a_hundred_only_greet() -> None:
    share = 1 - len(SAID) / len(GENUINE)
    assert 0.17 < share < 0.19, share


def test_greetings_come_in_many_spellings() -> None:
    spelt: dict[str, set[str]] = {}
    for text in GENUINE:
        if bare(text) in GREETINGS:
            spelt.setdefault(bare(text), set()).add(text)
    assert spelt.keys() == GREETINGS
    assert len(spelt["salut"]) > 25
    assert {"salut", "Salut", "SALUT"} <= {text.strip(" !.?,:)") for text in spelt["salut"]}


def test_what_two_people_write_is_rarely_alike() -> None:
    random = Random(3)
    known = [grams(text) for text in SAID]
    pairs, alike = 40_000, 0
    for _ in range(pairs):
        place = int(random.random() * (len(known) - 1))
        alike += jaccard(known[place], known[place + 1 + int(random.random() * (len(known) - place - 1))]) >= 0.5
    assert alike / pairs < 0.003, alike


def test_hardly_anybody_writes_what_another_wrote() -> None:
    assert len(set(SAID)) / len(SAID) > 0.98


def test_most_write_french_and_some_english() -> None:
    english = sum(bool({"you", "it", "hello", "from", "sorry", "thx"} & set(text.split())) for text in SAID)
    assert 0.04 < english / len(SAID) < 0.2


def test_texts_are_as_long_as_those_of_people_and_filled_in() -> None:
    lengths = sorted(map(len, GENUINE))
    assert lengths[0] >= 1
    assert lengths[-1] <= 320
    assert 30 < lengths[len(lengths) // 2] < 90
    assert not any(char in text for text in GENUINE for char in "{}|")
    assert all(text == text.strip() for text in GENUINE)


def test_some_have_accents_some_have_none_and_some_are_shortened() -> None:
    said = [text for text in GENUINE if bare(text) not in GREETINGS]
    assert 0.2 < sum(any(char in "éèàêç" for char in text) for text in said) / len(said) < 0.7
    assert sum(text[0].isupper() for text in said) / len(said) > 0.25
    assert sum(" ke " in text or " ki " in text or " jsuis " in text for text in said) > 100
    assert 0.15 < sum(text[-1] in texts._EMOJI or text[-1] == "\ufe0f" for text in said) / len(said) < 0.35


def test_later_texts_are_shorter_and_filled_in() -> None:
    random = Random(4)
    later = [texts.later(random) for _ in range(5000)]
    assert sorted(map(len, later))[2500] < 40
    assert all(later)
    assert not any(char in text for text in later for char in "{}|")


# --- the raid's -------------------------------------------------------------------------------------------------------
def test_there_are_eight_templates_that_are_not_alike() -> None:
    assert len(set(texts.RAID_TEMPLATES)) == 8
    assert all(40 <= len(text) <= 140 for text in texts.RAID_TEMPLATES)
    known = [grams(bare(text)) for text in texts.RAID_TEMPLATES]
    assert max(jaccard(one, other) for one in known for other in known if one is not other) < 0.2


def test_a_varied_template_has_at_most_three_typos_and_something_appended() -> None:
    random = Random(5)
    seen = {"emoji": 0, "number": 0, "both": 0}
    typos = []
    for _ in range(120):
        template = texts.RAID_TEMPLATES[int(random.random() * 8)]
        words = texts.vary(template, random).split(" ")
        number = words.pop() if words[-1].isdigit() else ""
        emoji = words.pop() if words[-1] in texts._EMOJI else ""
        assert number or emoji
        seen["both" if number and emoji else "number" if number else "emoji"] += 1
        # Two letters that are swapped are two edits.
        typos.append(distance(" ".join(words), template))
    assert max(typos) <= 2 * texts.MOST_TYPOS
    assert 0.1 < typos.count(0) / len(typos) < 0.45
    assert min(seen.values()) > 15


def test_a_varied_template_is_still_the_nearest_to_its_own() -> None:
    random = Random(6)
    known = [grams(bare(text)) for text in texts.RAID_TEMPLATES]
    for place, template in enumerate(texts.RAID_TEMPLATES):
        for _ in range(50):
            varied = grams(bare(texts.vary(template, random)))
            assert max(range(8), key=lambda other: jaccard(known[other], varied)) == place
            assert jaccard(known[place], varied) >= 0.5


def test_a_text_of_a_letter_or_of_none_can_be_varied() -> None:
    random = Random(7)
    assert all(texts.vary(text, random).startswith(text) for text in ("", "a", "ab", "abc") for _ in range(50))
