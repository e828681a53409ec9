from __future__ import annotations

import tomllib
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replies import languages, lexicon, scripts

MESSAGES = tomllib.loads((Path(__file__).parent / "short_messages.toml").read_text())
ALL = ["fr", "en", "es", "de", "it", "pt", "nl", "ar", "tr", "pl", "uk", "ro"]
SHOWN = [(text, language) for language in ALL for text in MESSAGES[language]["messages"]]


def ladder(**changes: object) -> list[str]:
    values = {"seen": None, "remembered": "", "number": None, "offered": ["fr", "en"], "default": "fr"} | changes
    return languages.ladder(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "language"), SHOWN)
def test_a_short_message_shows_its_language(text: str, language: str) -> None:
    assert languages.seen_in(text, ALL) == language


@pytest.mark.parametrize(("text", "language"), SHOWN)
def test_a_message_in_a_language_that_is_not_offered_is_taken_for_none_that_is(text: str, language: str) -> None:
    offered = [other for other in ("fr", "en", "es", "pl") if other != language]
    assert languages.seen_in(text, offered) is None


@pytest.mark.parametrize("text", MESSAGES["none"]["messages"])
def test_a_message_without_evidence_shows_nothing(text: str) -> None:
    assert languages.seen_in(text, ALL) is None


@pytest.mark.parametrize(("text", "of"), MESSAGES["shared"].items())
def test_words_of_several_languages_decide_between_none_of_them(text: str, of: list[str]) -> None:
    assert languages.seen_in(text, ALL) is None
    strangers = [other for other in ALL if other not in of][:3]
    assert {languages.seen_in(text, [language, *strangers]) for language in of} == set(of)


@pytest.mark.parametrize(
    ("text", "offered", "expected"),
    [
        ("Привет, как дела", ["fr", "uk", "ru"], "ru"),
        ("Привіт, як справи", ["fr", "ru", "uk"], "uk"),
        ("ты где", ["uk", "ru"], "ru"),
        ("Как дела", ["fr", "uk"], "uk"),
        ("Да", ["fr", "uk", "ru"], "ru"),
        ("а там?", ["fr", "uk", "ru"], "uk"),
        ("а там?", ["fr", "ru", "uk"], "ru"),
        ("Прывітанне, як справы", ["ru", "uk", "be"], "be"),
        ("Здравей, какво ще правиш", ["ru", "bg", "uk"], "bg"),
        ("како си, љубави", ["ru", "sr", "uk"], "sr"),
        ("چطوری عزیزم", ["ar", "fa"], "fa"),
        ("كيف حالك يا حبيبتي", ["fa", "ar"], "ar"),
        ("آپ کیسے ہیں", ["ar", "fa", "ur"], "ur"),
        ("چطوری", ["fr", "ar"], "ar"),
        ("Γεια σου", ["fr", "el"], "el"),
        ("שלום", ["fr", "he"], "he"),
        ("你好吗", ["zh", "ja"], "zh"),
        ("こんにちは、元気?", ["zh", "ja"], "ja"),
        ("お前誰だよ、電話番号教", ["zh", "ja"], "ja"),
        ("안녕하세요", ["fr", "ko"], "ko"),
        ("नमस्ते", ["fr", "hi"], "hi"),
        ("გამარჯობა", ["fr", "ka"], "ka"),
        ("Γεια σου", ["fr", "en"], None),
        ("Привет", ["fr", "en"], None),
        ("bonjour أنا من باريس والآن في مرسيليا", ["fr", "ar"], "ar"),
        ("Bonjour, je suis سمير", ["fr", "ar"], "fr"),
        ("Salut, ça va ? Привет", ["fr", "uk"], "fr"),
    ],
)
def test_letters_decide_at_once(text: str, offered: list[str], expected: str | None) -> None:
    assert languages.seen_in(text, offered) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("réponds", "fr"),
        ("re\u0301ponds", "fr"),
        ("c\u2019est moi", "fr"),
        ("ＢＯＮＪＯＵＲ", "fr"),
        ("isn\u2019t", "en"),
        ("bj\u200br", "fr"),
        ("İYİYİM", "tr"),
        ("B O N J O U R", None),
        ("\u202eslt\u202c", "fr"),
    ],
)
def test_the_spelling_of_a_word_does_not_hide_it(text: str, expected: str | None) -> None:
    assert languages.seen_in(text, ALL) == expected


def test_the_tag_with_its_region_is_what_is_seen() -> None:
    assert languages.seen_in("obrigado, tudo bem", ["fr", "pt-BR"]) == "pt-BR"
    assert languages.seen_in("obrigado, tudo bem", ["pt", "pt-BR"]) == "pt"
    assert languages.seen_in("obrigado", []) is None


@given(st.text(), st.lists(st.sampled_from([*ALL, "pt-BR", "ru", "xx", "zh-Hant"]), max_size=6))
def test_any_text_gives_an_offered_language_or_none(text: str, offered: list[str]) -> None:
    seen = languages.seen_in(text, offered)
    assert seen is None or seen in offered


def test_ten_thousand_characters_cost_no_more_than_the_first_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    folded = lexicon.folded
    monkeypatch.setattr(lexicon, "folded", lambda text: lengths.append(len(text)) or folded(text))
    assert languages.seen_in("x" * languages.LOOK_AT + " bonjour" * 1000, ALL) is None
    assert lengths == [languages.LOOK_AT]


def test_what_he_writes_then_what_he_used_then_his_country_then_the_default_then_the_rest() -> None:
    offered = ["fr", "en", "es", "de", "it"]
    assert ladder(seen="es", remembered="de", number="+393331234567", offered=offered, default="en") == [
        "es",
        "de",
        "it",
        "en",
        "fr",
    ]
    assert ladder(remembered="de", number="+393331234567", offered=offered, default="en") == [
        "de",
        "it",
        "en",
        "fr",
        "es",
    ]
    assert ladder(number="+393331234567", offered=offered, default="en") == ["it", "en", "fr", "es", "de"]
    assert ladder(offered=offered, default="en") == ["en", "fr", "es", "de", "it"]


def test_only_what_is_offered_comes_and_the_default_always() -> None:
    assert ladder(seen=None, remembered="pl", number="+4915112345678") == ["fr", "en"]
    assert ladder(offered=[], default="en") == ["en"]
    assert ladder(offered=["en"], default="") == ["en"]


@pytest.mark.parametrize(
    ("number", "spoken"),
    [
        ("+33639980123", ["fr"]),  # the range for fiction, which the metadata does not know
        ("+590690001234", ["fr"]),  # Guadeloupe
        ("+262692123456", ["fr"]),  # Réunion
        ("+447911123456", ["en"]),
        ("+447781123456", ["en"]),  # Guernsey
        ("+447797123456", ["en"]),  # Jersey
        ("+447624123456", ["en"]),  # Isle of Man
        ("+32470123456", ["nl", "fr", "de"]),
        ("+41781234567", ["de", "fr", "it"]),
        ("+212650123456", ["ar", "fr"]),
        ("+15145550123", ["fr"]),  # Montréal
        ("+16135550123", ["en", "fr"]),  # Ottawa
        ("+12125550123", ["en", "es"]),
        ("+48512345678", []),  # Polish is not offered here
    ],
)
def test_a_country_speaks_its_languages(number: str, spoken: list[str]) -> None:
    found = ladder(number=number, offered=["nl", "de", "it", "ar", "es", "fr", "en"], default="tr")
    assert found[: found.index("tr")] == spoken


def test_of_a_countrys_languages_the_hotlines_own_comes_first() -> None:
    assert ladder(number="+32470123456", offered=["nl", "fr", "en"], default="fr")[:2] == ["fr", "nl"]
    assert ladder(number="+32470123456", offered=["nl", "fr", "en"], default="en")[:2] == ["nl", "fr"]


@pytest.mark.parametrize("number", [None, "", "+", "INFO", "+999", "38055", "+8816123456789", "0639980123"])
def test_a_number_without_a_country_tells_nothing(number: str | None) -> None:
    assert ladder(number=number, offered=["en", "fr", "nl"], default="nl") == ["nl", "en", "fr"]


def test_a_tag_with_a_region_falls_back_to_its_language() -> None:
    assert ladder(seen="pt-BR", offered=["pt-BR", "fr"]) == ["pt-BR", "pt", "fr"]
    assert ladder(remembered="pt-BR", offered=["pt", "fr"]) == ["pt", "fr"]
    assert ladder(remembered="pt", offered=["fr", "pt-BR"]) == ["pt-BR", "pt", "fr"]
    assert ladder(number="+5511961234567", offered=["pt", "pt-BR", "fr"]) == ["pt-BR", "pt", "fr"]
    assert ladder(number="+351912345678", offered=["pt-BR", "pt", "fr"]) == ["pt", "pt-BR", "fr"]
    assert ladder(remembered="pt-PT", number="+5511961234567", offered=["pt-BR", "pt-PT", "fr"])[:2] == [
        "pt-PT",
        "pt-BR",
    ]


@given(
    st.none() | st.sampled_from(ALL),
    st.sampled_from(["", *ALL, "pt-BR"]),
    st.none() | st.sampled_from(["+33639980123", "+32470123456", "+15145550123", "x"]),
    st.lists(st.sampled_from([*ALL, "pt-BR"]), max_size=5),
    st.sampled_from(ALL),
)
def test_the_ladder_holds_every_offered_language_once(
    seen: str | None, remembered: str, number: str | None, offered: list[str], default: str
) -> None:
    rungs = ladder(seen=seen, remembered=remembered, number=number, offered=offered, default=default)
    assert len(rungs) == len(set(rungs))
    assert {*offered, default} <= set(rungs)
    assert {languages.base(tag) for tag in rungs} == {languages.base(tag) for tag in (*offered, default)}
    if seen in offered:
        assert languages.base(rungs[0]) == seen


def test_every_region_of_the_phone_metadata_speaks_something() -> None:
    by_region, _by_prefix = languages._countries()
    assert set(by_region) == set(phonenumbers.SUPPORTED_REGIONS)


def test_the_lexicon_holds_no_word_that_the_splitting_of_a_message_never_yields() -> None:
    for word in lexicon.load().words:
        assert lexicon._WORD.fullmatch(word), word
        assert len(word) > 1, word


def test_every_language_of_the_platform_has_words_and_a_script() -> None:
    having = {language for of in lexicon.load().words.values() for language in of}
    assert set(ALL) <= having
    assert {"ar", "uk"} <= set(scripts.writings())
