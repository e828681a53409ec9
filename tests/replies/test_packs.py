from __future__ import annotations

import re
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, transaction
from django.utils import translation
from tests.world import World, build_tenant

from hotlines import kinds
from hotlines.models import Hotline
from replies import choosing, lint, packs, segments
from replies.models import Purpose, ReplyTemplate

TEXTS = tomllib.loads((Path(__file__).parent / "campaign_texts.toml").read_text())
KINDS = ["anti-harassment", "anti-relous", "lgbt"]
SENT = (Purpose.REPLY, Purpose.FINAL, Purpose.HELP)
EVERY = [
    (kind, language, text)
    for kind, languages in packs.packs().items()
    for language, texts in languages.items()
    for text in texts.texts
]
LANGUAGES = ["ar", "de", "en", "es", "fr", "it", "nl", "pl", "pt", "ro", "tr", "uk"]
#: Written with letters of which none is in GSM-7, so that a segment has 70.
UCS2_LANGUAGES = {"ar", "uk"}
#: What a text must not do: insult, threaten, or say what the person who gave the number is.
EVERYWHERE = r"lgbt\w*|gay|lesb\w+|trans\w*|homo\w*|queer|stalker"
UNWANTED_WORDS = {
    "fr": r"relou|lourd|con|porc|police|plainte|loi|tribunal|prison|amende|punis?|femmes?|hommes?|filles?|elle|il|bi|"
    r"orientation|genre",
    "en": r"pest|creep|loser|jerk|police|court|law|jail|sue|report(ed)?|women|woman|men|man|girls?|guys?|she|he|her|"
    r"his|him|bi|orientation|gender",
    "es": r"pesado|polic[ií]a|denuncia|ley|c[aá]rcel|multa|mujer(es)?|hombres?|chic[ao]s?|ella|él|g[eé]nero",
    "de": r"polizei|anzeige|gesetz|gericht|gef[aä]ngnis|strafe|frau(en)?|mann|m[aä]nner|m[aä]dchen|er|geschlecht",
    "it": r"polizia|denuncia|tribunale|carcere|multa|donn[ae]|uom[oi]ni?|ragazz[aeio]|lei sola|lui|genere",
    "pt": r"pol[ií]cia|queixa|lei|tribunal|pris[aã]o|multa|mulher(es)?|homens?|rapari?gas?|ela|ele|g[eé]nero",
    "nl": r"politie|aangifte|wet|rechtbank|gevangenis|boete|vrouw(en)?|man(nen)?|meisjes?|zij|hij|haar|gender",
    "pl": r"policj\w+|s[aą]d|wi[eę]zieni\w+|kobiet\w*|m[eę][zż]czy\w+|dziewczyn\w*|ona|on|p[lł]e[cć]",
    "tr": r"polis|mahkeme|yasa|hapis|ceza|kad[ıi]n\w*|erkek\w*|k[ıi]z\w*|cinsiyet",
    "ro": r"poli[tț]i\w+|lege\w*|tribunal\w*|[iî]nchisoare|amend\w+|femei\w*|b[aă]rba[tț]\w*|fat[aă]|ea|el|gen",
    "uk": r"поліці\w+|суд|закон|тюрм\w+|штраф|жін\w+|чолові\w+|дівчин\w*|вона|він|стать",
    "ar": r"شرطة|محكمة|قانون|سجن|غرامة|امرأة|نساء|رجل|بنت|فتاة|هي|هو",
}
#: By language, what a text must not do: insult, threaten, or say what the person who gave the number is.
UNWANTED = {
    language: re.compile(rf"\b({EVERYWHERE}|{words})\b", re.IGNORECASE) for language, words in UNWANTED_WORDS.items()
}


@pytest.fixture
def own_packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packs instead of the platform's."""
    monkeypatch.setattr(packs, "FOLDER", tmp_path)
    packs.packs.cache_clear()
    packs.historical.cache_clear()
    yield tmp_path
    packs.packs.cache_clear()
    packs.historical.cache_clear()


@pytest.fixture
def hotline(world: World) -> Hotline:
    """A hotline of the north without a text."""
    ReplyTemplate.objects.filter(hotline=world.north.hotline).delete()
    return world.north.hotline


def rows(hotline: Hotline) -> set[tuple[str, int, str, str]]:
    return set(ReplyTemplate.objects.filter(hotline=hotline).values_list("purpose", "step", "language", "text"))


def test_every_kind_has_every_purpose_in_every_language() -> None:
    assert sorted(packs.packs()) == sorted(kinds.presets()) == KINDS
    for kind in KINDS:
        assert sorted(packs.packs()[kind]) == LANGUAGES
        places = {
            language: {(text.purpose, text.step) for text in packs.for_language(kind, language)}
            for language in LANGUAGES
        }
        assert {purpose for purpose, _step in places["fr"]} == set(Purpose)
        assert all(its == places["fr"] for its in places.values())


def test_a_text_that_no_native_speaker_has_read_says_so_until_it_is_changed() -> None:
    german = packs.for_language("lgbt", "de")[0].text
    assert packs.unreviewed("lgbt", "de", german)
    assert packs.unreviewed("lgbt", "de-AT", german)
    assert not packs.unreviewed("lgbt", "de", german + " Danke.")
    assert not packs.unreviewed("lgbt", "fr", packs.for_language("lgbt", "fr")[0].text)
    assert not packs.unreviewed("lgbt", "ja", german)


@pytest.mark.parametrize(("kind", "language", "text"), [row for row in EVERY if row[2].purpose in SENT])
def test_what_is_sent_is_one_segment_and_points_at_nobody(kind: str, language: str, text: packs.PackText) -> None:
    counted = segments.count(text.text)
    assert counted.segments == 1
    assert (counted.encoding is segments.GSM7) == (language not in UCS2_LANGUAGES)
    historic = text.text == TEXTS["anti-harassment-straight"]["text"]
    assert historic or not UNWANTED[language].search(text.text)


@pytest.mark.parametrize(("kind", "language", "text"), [row for row in EVERY if row[2].purpose == Purpose.VOICE])
def test_what_is_spoken_is_short_and_points_at_nobody(kind: str, language: str, text: packs.PackText) -> None:
    assert not UNWANTED[language].search(text.text)
    assert len(text.text) < 200


def test_the_check_for_unwanted_words_sees_them() -> None:
    assert UNWANTED["fr"].search("Une femme estime que vous la harcelez.")
    assert UNWANTED["en"].search("The police will be told")
    assert UNWANTED["ar"].search("سنتصل مع شرطة المدينة")
    assert UNWANTED["uk"].search("Це скаже суд.")
    assert UNWANTED["fr"].search("Ce numéro est pour les personnes LGBT.")
    assert not UNWANTED["fr"].search("Veuillez ne pas insister.")
    assert sorted(UNWANTED) == LANGUAGES


@pytest.mark.parametrize(("kind", "language", "text"), [row for row in EVERY if row[2].purpose == Purpose.HELP])
def test_the_help_says_what_the_number_is_and_how_to_stop_and_names_no_other_number(
    kind: str, language: str, text: packs.PackText
) -> None:
    assert "STOP" in text.text
    assert not re.search(r"\d", text.text)


def test_the_french_default_of_anti_harassment_is_the_text_of_2017() -> None:
    first = packs.for_language("anti-harassment", "fr")[0]
    assert (first.purpose, first.step) == (Purpose.REPLY, 1)
    assert first.text == (
        "Si vous recevez ce message, c'est que votre interlocuteur (trice) estime que vous le harceliez. "
        "Veuillez ne plus l'importuner ainsi !"
    )
    assert len(first.text) == 133


def test_the_long_text_of_2017_can_be_chosen_and_is_no_default() -> None:
    (text,) = packs.historical()
    assert (text.name, text.kind, text.purpose, text.language, text.year) == (
        "anti-relous-2017",
        "anti-relous",
        Purpose.REPLY,
        "fr",
        2017,
    )
    assert text.text == TEXTS["anti-relous-straight"]["text"]
    assert text.source
    assert text.text not in [row.text for _kind, _language, row in EVERY]


def test_a_region_takes_its_languages_pack_and_an_unknown_kind_or_language_none() -> None:
    assert packs.for_language("lgbt", "fr-CA") == packs.for_language("lgbt", "fr")
    assert packs.for_language("lgbt", "xx") == ()
    assert packs.for_language("an-ngos-own", "fr") == ()
    assert packs.for_language("../lgbt", "fr") == ()


def test_a_new_hotline_gets_its_kinds_texts_in_its_languages(hotline: Hotline) -> None:
    created = packs.copy_to_hotline(hotline)
    expected = {
        (text.purpose.value, text.step, language, text.text)
        for language in ("fr", "en")
        for text in packs.for_language("anti-harassment", language)
    }
    assert rows(hotline) == expected
    assert {(row.purpose, row.step, row.language, row.text) for row in created} == expected
    assert {row.organization_id for row in created} == {hotline.organization_id}
    for row in created:
        row.full_clean()


def test_copying_twice_creates_nothing_more(hotline: Hotline) -> None:
    first = packs.copy_to_hotline(hotline)
    before = rows(hotline)
    assert first
    assert packs.copy_to_hotline(hotline) == []
    assert rows(hotline) == before


def test_a_text_of_the_pack_that_was_deleted_comes_again(hotline: Hotline) -> None:
    packs.copy_to_hotline(hotline)
    before = rows(hotline)
    ReplyTemplate.objects.filter(hotline=hotline, purpose="reply", step=2, language="fr").delete()
    ReplyTemplate.objects.filter(hotline=hotline, purpose="help", language="en").delete()
    assert len(packs.copy_to_hotline(hotline)) == 2
    assert rows(hotline) == before


def test_an_ngos_text_is_neither_changed_nor_answered_over(hotline: Hotline) -> None:
    own = ReplyTemplate.objects.create(
        organization=hotline.organization, hotline=hotline, language="fr", purpose="reply", step=1, text="Nos mots."
    )
    created = packs.copy_to_hotline(hotline)
    own.refresh_from_db()
    assert own.text == "Nos mots."
    # No step 2 and no last reply of the pack: both would be sent where the NGO's own text was.
    assert {(row.purpose, row.step) for row in created if row.language == "fr"} == {
        ("help", 1),
        ("voice", 1),
        ("notice", 1),
        ("suspended", 1),
    }
    assert {(row.purpose, row.step) for row in created if row.language == "en"} == {
        (text.purpose.value, text.step) for text in packs.for_language("anti-harassment", "en")
    }
    for step in (1, 2, 5):
        purpose = "final" if step == 5 else "reply"
        choice = choosing.choose(hotline, purpose=purpose, step=step, written="slt", remembered="", number=None)
        assert choice is not None
        assert choice.text == "Nos mots."


def test_an_edited_pack_text_is_the_ngos(hotline: Hotline) -> None:
    packs.copy_to_hotline(hotline)
    ReplyTemplate.objects.filter(hotline=hotline, purpose="reply", step=1, language="fr").update(text="Nos mots.")
    ReplyTemplate.objects.filter(hotline=hotline, purpose="final", language="fr").delete()
    before = rows(hotline)
    assert packs.copy_to_hotline(hotline) == []
    assert rows(hotline) == before


def test_an_organizations_default_is_not_put_aside_by_a_pack(hotline: Hotline) -> None:
    ReplyTemplate.objects.create(
        organization=hotline.organization, language="fr", purpose="final", text="Dernier mot de la maison."
    )
    created = packs.copy_to_hotline(hotline)
    assert {row.purpose for row in created if row.language == "fr"} == {"help", "voice", "notice", "suspended"}
    assert {row.purpose for row in created if row.language == "en"} == set(Purpose.values)


def test_an_organizations_default_in_a_packs_words_is_the_organizations(hotline: Hotline) -> None:
    first = packs.for_language("anti-harassment", "fr")[0]
    ReplyTemplate.objects.create(organization=hotline.organization, language="fr", text=first.text)
    packs.copy_to_hotline(hotline)
    assert not ReplyTemplate.objects.filter(hotline=hotline, language="fr", purpose__in=["reply", "final"]).exists()


def test_another_organizations_texts_neither_count_nor_change(world: World, hotline: Hotline) -> None:
    ReplyTemplate.objects.create(organization=world.south.organization, language="fr", text="Défaut du Sud.")
    south = rows(world.south.hotline)
    assert south
    packs.copy_to_hotline(hotline)
    assert {"reply", "final"} <= {purpose for purpose, _step, language, _text in rows(hotline) if language == "fr"}
    assert rows(world.south.hotline) == south
    assert not ReplyTemplate.objects.filter(hotline=hotline).exclude(organization=world.north.organization).exists()


def test_only_the_languages_asked_for_and_only_where_there_is_a_pack(hotline: Hotline) -> None:
    assert {row.language for row in packs.copy_to_hotline(hotline, ["en", "xx"])} == {"en"}
    french = [text.text for text in packs.for_language("anti-harassment", "fr")]
    for tag in ("fr", "fr-CA"):
        created = packs.copy_to_hotline(hotline, [tag, tag])
        assert [(row.language, row.text) for row in created] == [(tag, text) for text in french]
    assert packs.copy_to_hotline(hotline, []) == []


def test_a_kind_without_a_pack_gets_nothing(hotline: Hotline) -> None:
    hotline.kind = "an-ngos-own"
    assert packs.copy_to_hotline(hotline) == []


def test_a_copy_that_fails_leaves_nothing(hotline: Hotline, monkeypatch: pytest.MonkeyPatch) -> None:
    create = ReplyTemplate.objects.create
    made: list[ReplyTemplate] = []

    def failing(**values: object) -> ReplyTemplate:
        if len(made) == 3:
            raise RuntimeError("the fourth fails")
        made.append(create(**values))
        return made[-1]

    monkeypatch.setattr(ReplyTemplate.objects, "create", failing)
    with pytest.raises(RuntimeError, match="the fourth fails"):
        packs.copy_to_hotline(hotline)
    assert len(made) == 3
    assert rows(hotline) == set()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_second_copy_waits_for_the_first() -> None:
    hotline = build_tenant("West", "+33937000003").hotline
    refused = []

    def second() -> None:
        try:
            with transaction.atomic():
                Hotline.objects.select_for_update(nowait=True, no_key=True).get(pk=hotline.pk)
        except OperationalError as error:
            refused.append(error)
        finally:
            connection.close()

    for copying in (False, True):
        with transaction.atomic():
            assert not copying or packs.copy_to_hotline(hotline)
            thread = threading.Thread(target=second)
            thread.start()
            thread.join()
        assert len(refused) == copying


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("written", ["Salut, tu fais quoi ?", "hi who is this"])
def test_every_slot_of_a_fresh_hotline_has_its_text(kind: str, written: str) -> None:
    hotline = build_tenant("West", "+33937000003", kind=kind, reply_limit=5).hotline
    ReplyTemplate.objects.filter(hotline=hotline).delete()
    packs.copy_to_hotline(hotline)
    language = "fr" if written.startswith("Salut") else "en"
    pack = {(text.purpose, text.step): text.text for text in packs.for_language(kind, language)}
    second = pack.get((Purpose.REPLY, 2), pack[Purpose.REPLY, 1])
    expected = [pack[Purpose.REPLY, 1], second, second, second, pack[Purpose.FINAL, 1]]
    chosen = [
        choosing.choose(
            hotline,
            purpose="final" if step == 5 else "reply",
            step=step,
            written=written,
            remembered="",
            number="+33639980123",
        )
        for step in range(1, 6)
    ]
    assert [choice and choice.text for choice in chosen] == expected


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('reply = "a', "cannot be read"),
        (b"reply = '\xff'", "cannot be read"),
        ('answer = "Bonjour"', "answer is none of reply, final, help"),
        ('reply = "Bonjour {name}"', "placeholder"),
        ('reply = ""', "empty"),
        ('reply = "a"\nfinal = ["a", "b"]', "final has 2 texts"),
        (f"reply = {['a'] * 11}", "reply has 11 texts"),
        ('final = "a"', "has no reply"),
        ('reply = "a"', "native speaker"),
        ('reply = "a"\nreviewed = "yes"', "native speaker"),
    ],
)
def test_a_pack_with_a_mistake_says_where_and_what(own_packs: Path, content: str | bytes, complaint: str) -> None:
    path = own_packs / "lgbt" / "fr.toml"
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with translation.override("en"), pytest.raises(ImproperlyConfigured, match=complaint) as caught:
        packs.packs()
    assert str(path) in str(caught.value)


def test_packs_are_stored_in_one_form_and_read_once(own_packs: Path) -> None:
    path = own_packs / "lgbt" / "fr.toml"
    path.parent.mkdir()
    path.write_text('reviewed = true\nreply = " e\u0301te\u0301\\r\\n"')
    assert packs.for_language("lgbt", "fr") == (packs.PackText(Purpose.REPLY, 1, "été"),)
    path.unlink()
    assert packs.for_language("lgbt", "fr")[0].text == "été"


def test_historical_texts_come_oldest_first(own_packs: Path) -> None:
    rows_of = "".join(
        f'[[text]]\nname = "{name}"\nyear = {year}\nkind = "lgbt"\npurpose = "reply"\nlanguage = "fr"\n'
        'source = "s"\ntext = "t"\n'
        for name, year in (("b", 2020), ("c", 2017), ("a", 2020))
    )
    (own_packs / "historical.toml").write_text(rows_of)
    assert [text.name for text in packs.historical()] == ["c", "a", "b"]


def test_every_pack_text_is_already_in_the_form_that_is_sent() -> None:
    assert [text.text for _kind, _language, text in EVERY] == [
        lint.normalized(text.text) for _kind, _language, text in EVERY
    ]
