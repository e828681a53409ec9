"""STOP, HELP and their kin: the whole message and nothing less (SECURITY.md 1.5)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.corpus.samples import Sample, samples

from shield.keywords import HELP, STOP, Keyword, keyword

NAMES = {"stop": Keyword.STOP, "help": Keyword.HELP, "none": Keyword.NONE}
WORDS = st.sampled_from(sorted(STOP | HELP))
NOISE = st.text(" \t\r\n.,;:!?…«»\"'()-_*/\u00a0\u200b\u200f\u202e\ufe0f👍🙏🏽❤😀¡¿、。", max_size=60)


def meaning(word: str) -> Keyword:
    return Keyword.STOP if word in STOP else Keyword.HELP


@pytest.mark.parametrize("sample", samples("stop"), ids=str)
def test_the_corpus(sample: Sample) -> None:
    assert keyword(sample.text) is NAMES[sample.keyword]


def test_no_word_means_two_things_and_each_is_written_as_it_is_compared() -> None:
    assert set() == STOP & HELP
    for word in STOP | HELP:
        assert unicodedata.normalize("NFKC", word).casefold() == word
        assert word.isalpha()


@given(word=WORDS, before=NOISE, after=NOISE)
def test_what_stands_around_a_word_changes_nothing(word: str, before: str, after: str) -> None:
    assert keyword(before + word + after) is meaning(word)


@given(
    word=WORDS, form=st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]), style=st.sampled_from(["upper", "title", "lower"])
)
def test_case_and_the_way_accents_are_written_change_nothing(word: str, form: str, style: str) -> None:
    written = unicodedata.normalize(form, getattr(word, style)())  # type: ignore[arg-type]
    assert keyword(written) is meaning(word)


@given(word=WORDS, other=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20), before=st.booleans())
def test_a_word_among_others_is_a_message(word: str, other: str, before: bool) -> None:
    assert keyword(f"{other} {word}" if before else f"{word} {other}") is Keyword.NONE


@given(st.text(max_size=300))
def test_any_text_has_one_meaning_and_none_raises(text: str) -> None:
    assert keyword(text) in Keyword


@given(st.text(st.characters(categories=["L", "N", "M"]), min_size=41, max_size=200))
def test_a_long_text_is_a_message(text: str) -> None:
    assert keyword(text) is Keyword.NONE


def test_a_text_of_64_kib_is_decided_from_its_ends() -> None:
    assert keyword(" " * 32_000 + "stop" + "!" * 32_000) is Keyword.STOP
    assert keyword("." * 65_536) is Keyword.NONE
    assert keyword("x" * 65_536) is Keyword.NONE
