from __future__ import annotations

import tomllib
import unicodedata
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from replies import lint, segments
from replies.lint import Proposal

TEXTS = tomllib.loads((Path(__file__).parent / "campaign_texts.toml").read_text())
french = st.text(st.sampled_from("aàâçéèêëîïôœùûÇÊŒ’«»… \u00a0\u202f\r\n\u0301\u0302—e'!🙂Привіт"), max_size=200)


@pytest.mark.parametrize("name", ["anti-relous", "anti-harassment"])
def test_the_cheaper_text_of_a_printed_campaign_is_the_one_that_was_meant(name: str) -> None:
    printed, meant = TEXTS[f"{name}-typographic"], TEXTS[f"{name}-straight"]
    assert lint.cheaper(printed["text"]) == meant["text"]
    reviewed = lint.review(printed["text"])
    assert (reviewed.before.segments, reviewed.after.segments) == (printed["segments"], meant["segments"])
    assert reviewed.saves == printed["segments"] - meant["segments"]
    assert reviewed.cheaper == meant["text"]
    assert lint.review(meant["text"]).proposals == ()


def test_the_characters_that_force_ucs2_come_with_what_to_write_instead() -> None:
    reviewed = lint.review("L’été, ça va être « chouette » … Œuf 🙂")
    assert reviewed.proposals == (
        Proposal("’", "'"),
        Proposal("ç", "c"),
        Proposal("ê", "e"),
        Proposal("«", '"'),
        Proposal("»", '"'),
        Proposal("…", "..."),
        Proposal("Œ", "OE"),
        Proposal("🙂", None),
    )
    assert reviewed.cheaper == 'L\'été, ca va etre "chouette" ... OEuf 🙂'
    assert reviewed.after.encoding is segments.UCS2


@pytest.mark.parametrize(
    ("char", "instead"),
    [
        *zip("âçêëîïôûÿÀÂÈÊÙÛ", "aceeiiouyAAEEUU", strict=True),
        *zip("ąćęłńóśźżŁ", "acelnoszzL", strict=True),
        *zip("ğışİŞ", "gisIS", strict=True),
        *zip("ășțţáíúãõ", "asttaiuao", strict=True),
        ("\u00a0", " "),
        ("\u202f", " "),
        ("\u200b", ""),
        ("„", '"'),
        ("–", "-"),
        ("²", "2"),
        ("™", "TM"),
        ("Я", None),
        ("ا", None),
        ("😀", None),
        ("°", None),
        ("\u0301", ""),
        ("\u064b", None),
    ],
)
def test_what_reads_the_same(char: str, instead: str | None) -> None:
    assert lint.replacement(char) == instead


def test_a_text_that_no_replacement_makes_cheaper_saves_nothing() -> None:
    reviewed = lint.review("Привіт’ " * 10)
    assert (reviewed.saves, reviewed.before.segments) == (0, 2)


@given(french)
def test_the_cheaper_text_never_costs_more_and_keeps_only_what_has_no_replacement(text: str) -> None:
    reviewed = lint.review(text)
    assert reviewed.after.segments <= reviewed.before.segments
    assert lint.cheaper(reviewed.cheaper) == reviewed.cheaper
    assert [lint.replacement(char) for char in reviewed.after.forcing] == [None] * len(reviewed.after.forcing)


@given(st.text())
def test_a_normalized_text_is_one_form(text: str) -> None:
    once = lint.normalized(text)
    assert lint.normalized(once) == once
    assert lint.normalized(unicodedata.normalize("NFD", text)) == lint.normalized(unicodedata.normalize("NFC", text))
    assert "\r" not in once


def test_a_decomposed_letter_is_the_letter_and_a_browsers_line_end_is_one_character() -> None:
    decomposed = unicodedata.normalize("NFD", "Arrêtez, à côté")
    assert len(decomposed) == 19
    assert lint.normalized(f" {decomposed}\r\nMerci \r\n") == "Arrêtez, à côté\nMerci"
    assert segments.count(lint.normalized(unicodedata.normalize("NFD", "é è à ù"))).encoding is segments.GSM7
    assert lint.review(unicodedata.normalize("NFD", "été")).proposals == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        (" \r\n\t ", "empty"),
        ("a\x00b", "control"),
        ("a\tb", "control"),
        ("a\x1bb", "control"),
        ("\ud83d", "control"),
        ("Ce num\ufffdro", "control"),
        ("\uf8ff", "control"),
        ("Bonjour {name}", "placeholder"),
        ("Bonjour {{ name }}", "placeholder"),
        ("Bonjour {% debug %}", "placeholder"),
        ("Bonjour %(name)s", "placeholder"),
        ("Bonjour %s", "placeholder"),
        ("Bonjour $name", "placeholder"),
        ("Bonjour ${name}", "placeholder"),
        ("a" * 1601, "long"),
        ("€" * 801, "long"),
        ("ê" * 738, "long"),
        ("🙂" * 369, "long"),
    ],
)
def test_a_text_that_cannot_be_sent_as_it_is_meant_is_refused(text: str, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        lint.validate_text(text)
    assert caught.value.code == code
    assert caught.value.messages[0]


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a\r\nb",
        "a" * 1600,
        "€" * 800,
        "ê" * 737,
        "e\u0302" * 737,
        "🙂" * 368,
        "100 % sûr, 5 $ {",
        "$5",
        "Merci 👩‍👩‍👧",
        "\u200fمرحبا",
    ],
)
def test_a_text_that_can_be_sent_is_not(text: str) -> None:
    lint.validate_text(text)
