"""The language of a message that no word of the lexicon tells, and how often all of it together is right."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.replies import quality

from replies import detector, languages


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("minciuni de dimineață", "ro"),
        ("mentir tiene patas cortas", "es"),
        ("Lieferung bereits unterwegs", "de"),
        ("spotkamy wieczorem przyjaciele", "pl"),
    ],
)
def test_statistics_tell_where_words_do_not(text: str, language: str) -> None:
    assert detector.guess(text) == language


@pytest.mark.parametrize(
    "text",
    ["", "ok", "Kevin", "saluuuuut", "06 12 34 56 78", "https://example.org/bonjour-le-monde", "a b c", "😘 😘"],
)
def test_what_is_too_short_shows_nothing(text: str) -> None:
    assert detector.guess(text) is None


def test_every_language_has_forty_messages() -> None:
    assert len(quality.OFFERED) == 12
    assert all(len(set(messages)) >= 40 for messages in quality.LABELLED.values())


def test_nine_of_ten_are_seen_and_hardly_one_is_taken_for_another() -> None:
    scores = {language: quality.score(language, quality.OFFERED) for language in quality.OFFERED}
    overall = quality.total([*scores.values()])
    assert overall.share >= 0.9
    assert overall.wrong <= overall.count / 100
    assert all(its.share >= 0.75 and its.wrong <= 3 for its in scores.values())


def test_a_foreign_message_is_hardly_ever_taken_for_what_a_hotline_offers() -> None:
    foreign = [quality.score(language, quality.FEW) for language in quality.OFFERED if language not in quality.FEW]
    assert quality.total(foreign).wrong <= quality.total(foreign).count / 40


def test_the_page_says_what_the_code_does() -> None:
    assert quality.PAGE.read_text(encoding="utf-8") == quality.page()


def test_letters_and_words_go_before_statistics() -> None:
    assert languages.seen_in("слава", ["uk", "fr"]) == "uk"
    assert languages.seen_in("bonjour Lieferung bereits unterwegs merci salut", ["fr", "de"]) == "fr"


def test_a_process_that_does_not_ask_does_not_load_it() -> None:
    code = "import replies.languages, sys; sys.exit('numpy' in sys.modules or 'py3langid' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd="numbers", check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
