"""Likeness: what a raid changes cheaply changes nothing, and what people write differs (SECURITY.md 3.3)."""

from __future__ import annotations

import itertools
import os
import random
import statistics
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rehearsal import texts
from shield import likeness
from shield.likeness import ALIKE, BANDS, PERMUTATIONS, SHORT, Shape, agreement, bare, shape

#: Everything that Python can hold, halves of characters as well.
anything = st.text(st.characters(exclude_categories=()), max_size=120)
#: The dotless i alone has a capital that is another letter's.
letters = st.text(st.characters(categories=["L"], exclude_characters="ı"), max_size=60)
#: What is typed between letters and says nothing: digits of any script, marks, signs, emoji, spaces, joiners.
noise = st.text(
    st.characters(categories=["Nd", "Mn", "Mc", "Po", "Ps", "Pe", "Pd", "Sc", "Zs", "Cf", "Cc"])
    | st.sampled_from("😊🔥👋🏿❤☀🇫🇷👨‍👩‍👧²½"),
    max_size=4,
).filter(lambda text: "\N{COMBINING GREEK YPOGEGRAMMENI}" not in text)


def triples(text: str) -> set[str]:
    return {text[start : start + 3] for start in range(len(text) - 2)}


def people(seed: int, count: int) -> list[Shape]:
    """Long texts of people, each once: those of one who wrote the same as another are left out."""
    chance = random.Random(seed)
    shapes = [shape(texts.genuine(chance)) for _ in range(count)]
    return list({one.letters: one for one in shapes if one.signature}.values())


# --- what is stripped -------------------------------------------------------------------------------------------------
@given(text=letters, noises=st.lists(noise, max_size=60))
def test_nothing_that_is_no_letter_changes_a_shape(text: str, noises: list[str]) -> None:
    noises += [""] * (len(text) + 1 - len(noises))
    decorated = noises[-1] + "".join(char + extra for char, extra in zip(text, noises, strict=False))
    assert shape(decorated) == shape(text)


@given(letters)
def test_case_does_not_change_a_shape(text: str) -> None:
    assert shape(text.upper()) == shape(text.lower()) == shape(text.swapcase()) == shape(text)


@given(text=letters, times=st.lists(st.integers(1, 4), min_size=60, max_size=60))
def test_letters_that_are_held_down_do_not_change_a_shape(text: str, times: list[int]) -> None:
    # A ligature is several letters, which repeat as a whole: "ﬃﬃ" is "fifi".
    assume(all(len(bare(char)) == 1 for char in text))
    assert shape("".join(char * many for char, many in zip(text, times, strict=False))) == shape(text)


@given(text=anything, form=st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_it_does_not_matter_how_an_accent_is_encoded(text: str, form: str) -> None:
    assert bare(unicodedata.normalize(form, text)) == bare(text)  # type: ignore[arg-type]


@given(anything)
def test_what_is_left_is_letters_without_case_and_none_twice_in_a_row(text: str) -> None:
    left = bare(text)
    assert not left or left.isalpha()
    assert left.casefold() == left == bare(left)
    assert all(one != other for one, other in itertools.pairwise(left))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Saluuut !!! 👋", "salut"),
        ("ÇA VA ?? n°1", "cavan"),
        ("𝓢𝓪𝓵𝓾𝓽 ｓａｌｕｔ", "salutsalut"),
        ("sal\u200but\u00ad 06 12", "salut"),
        ("12345 ?!", ""),
        ("", ""),
        ("שָׁלוֹם, מה שלומך?", "שלוםמהשלומך"),
        ("مرحباً ١٢٣ كيف حالك؟", "مرحباكيفحالك"),
        ("\u202eسلام\u202c", "سلام"),
        ("你好，你在哪里？？", "你好你在哪里"),
        ("こんにちは。", "こんにちは"),
        ("ｶﾀｶﾅ カタカナ", "カタカナカタカナ"),
        ("Привет!!!", "привет"),
        ("Γειά σου", "γειασου"),
    ],
)
def test_what_is_left_of_a_text(text: str, left: str) -> None:
    assert bare(text) == unicodedata.normalize("NFKD", left)


def test_a_korean_text_keeps_all_its_letters_however_they_are_composed() -> None:
    assert len(bare("안녕하세요")) == len(unicodedata.normalize("NFD", "안녕하세요"))
    assert bare("안녕하세요") != bare("안녕히계세요")


# --- shapes -----------------------------------------------------------------------------------------------------------
@given(anything, anything)
def test_any_two_texts_can_be_compared(first: str, second: str) -> None:
    one, other = shape(first), shape(second)
    assert 0 <= agreement(one, other) == agreement(other, one) <= 1
    assert agreement(one, one) == agreement(other, other) == 1
    assert bool(one.signature) is (len(one.letters) >= SHORT)
    assert len(one.bands) == len(set(one.bands)) == (BANDS if one.signature else 0)


def test_the_first_and_the_last_letter_of_a_text_count_as_well() -> None:
    """Each is in one triple, of which one of 24 minima is often made: of about 55 triples in more than a third."""
    shapes = people(7, 120)
    first = sum(shape("ж" + one.letters[1:]).signature != one.signature for one in shapes)
    last = sum(shape(one.letters[:-1] + "ж").signature != one.signature for one in shapes)
    assert min(first, last) > len(shapes) / 3


def test_halves_of_characters_are_letters_of_nobody() -> None:
    assert bare("sa\ud800lut\udfff") == "salut"
    assert shape("\ud83d" * 500) == Shape("")


def test_a_text_is_long_from_twenty_letters_on() -> None:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    assert not shape(alphabet[:19]).signature
    assert len(shape(alphabet[:20]).signature) == PERMUTATIONS == BANDS * 3
    # Twenty letters and not twenty characters: what is stripped does not count.
    assert not shape("Saluuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuut 123456").signature


@given(st.text("abc", max_size=19), st.text("abc", max_size=40))
def test_a_short_text_is_like_its_equals_alone(first: str, second: str) -> None:
    one, other = shape(first), shape(second)
    assert agreement(one, other) == (one.letters == other.letters)


def test_short_texts_that_differ_by_a_letter_are_not_alike() -> None:
    assert agreement(shape("Salut !"), shape("SALUUUT 😊")) == 1
    assert agreement(shape("salut"), shape("salud")) == 0
    # A long text is not like the short one that it begins with.
    assert agreement(shape("bonjour tu vas bien"), shape("bonjour tu vas bien mon ami de toujours")) == 0


def test_other_processes_see_the_same_likeness() -> None:
    """Python's own hash of a text differs from one process to the next."""
    text = texts.RAID_TEMPLATES[0]
    program = "import sys; from shield.likeness import shape; print(*shape(sys.argv[1]).signature)"
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(likeness.__file__).parents[1])}
    said = subprocess.run([sys.executable, "-c", program, text], capture_output=True, check=True, env=environment)
    assert tuple(map(int, said.stdout.split())) == shape(text).signature


# --- raids and people -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("template", texts.RAID_TEMPLATES)
def test_a_template_with_up_to_three_typos_agrees_with_itself(template: str) -> None:
    chance, original = random.Random(template), shape(template)
    varied = [shape(texts.vary(template, chance)) for _ in range(150)]
    alike = [one for one in varied if agreement(original, one) >= ALIKE]
    assert len(alike) >= 0.97 * len(varied)  # measured: 0.997 to 1
    # What is alike is found by a band: 24 places in 8 bands of 3.
    found = [one for one in alike if set(one.bands) & set(original.bands)]
    assert len(found) >= 0.97 * len(alike)
    # Typos alone are what is left to tell them apart, and some have none.
    assert min(agreement(original, one) for one in varied) < 1 == max(agreement(original, one) for one in varied)


def test_two_variants_of_a_template_agree_mostly() -> None:
    """A cluster's leader is such a variant, and no template."""
    chance = random.Random(11)
    pairs = [[shape(texts.vary(template, chance)) for _ in range(2)] for template in texts.RAID_TEMPLATES * 40]
    assert statistics.fmean(agreement(*pair) >= ALIKE for pair in pairs) >= 0.95


def test_different_templates_do_not_agree() -> None:
    shapes = [shape(template) for template in texts.RAID_TEMPLATES]
    assert all(agreement(one, other) < 0.3 for one in shapes for other in shapes if one is not other)


def test_what_different_people_write_practically_never_agrees() -> None:
    shapes = people(3, 900)
    assert len(shapes) > 600
    pairs = [(one, other) for place, one in enumerate(shapes) for other in shapes[:place]]
    agreeing = sum(agreement(one, other) >= ALIKE for one, other in random.Random(4).sample(pairs, 60_000))
    assert agreeing <= 60  # measured: 3 of 10,000


def test_what_people_write_does_not_agree_with_a_raid() -> None:
    shapes, raid = people(5, 900), [shape(template) for template in texts.RAID_TEMPLATES]
    assert not [one for one in shapes if max(agreement(one, other) for other in raid) >= ALIKE]


def test_agreement_estimates_how_many_triples_are_shared() -> None:
    """As 24 throws of a coin would that falls as the share says: the error is that of a binomial, and without bias."""
    chance = random.Random(6)
    errors, expected = list[float](), list[float]()
    while len(errors) < 600:
        text = changed = texts.genuine(chance)
        for _ in range(int(chance.random() * 6)):
            changed = texts.vary(changed, chance)
        one, other = shape(text), shape(changed)
        if one.signature and other.signature:
            first, second = triples(one.letters), triples(other.letters)
            share = len(first & second) / len(first | second)
            errors.append(agreement(one, other) - share)
            expected.append(share * (1 - share) / PERMUTATIONS)
    assert abs(statistics.fmean(errors)) < 0.012  # four times its deviation
    spread = statistics.fmean(error**2 for error in errors) ** 0.5
    assert spread == pytest.approx(statistics.fmean(expected) ** 0.5, rel=0.2)
