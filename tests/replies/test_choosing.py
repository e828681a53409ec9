from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.world import World

from hotlines.models import Hotline
from organizations.models import Organization
from replies import choosing
from replies.models import Purpose, ReplyTemplate


@pytest.fixture
def hotline(world: World) -> Hotline:
    """A hotline of the north in French, English and German; only the south has texts."""
    ReplyTemplate.objects.filter(organization=world.north.organization).delete()
    world.north.hotline.languages = ["fr", "en", "de"]
    world.north.hotline.save()
    return world.north.hotline


def write(text: str, hotline: Hotline | Organization, **values: Any) -> ReplyTemplate:
    """A template of a hotline, or an organization's default."""
    place = (
        {"organization": hotline} if isinstance(hotline, Organization) else
        {"organization": hotline.organization, "hotline": hotline}
    )  # fmt: skip
    return ReplyTemplate.objects.create(**place, **{"language": "fr", "text": text, **values})


def choose(hotline: Hotline, **changes: Any) -> choosing.Choice | None:
    asked = {"purpose": "reply", "step": 1, "written": "", "remembered": "", "number": None} | changes
    return choosing.choose(hotline, **asked)


def text(hotline: Hotline, **changes: Any) -> str | None:
    choice = choose(hotline, **changes)
    return choice and choice.text


def test_a_hotline_without_texts_has_none_whatever_another_organization_has(world: World, hotline: Hotline) -> None:
    write("Défaut du Sud.", world.south.organization)
    write("Aide du Sud.", world.south.organization, purpose="help")
    write("Dernier du Sud.", world.south.hotline, purpose="final")
    for purpose in ("reply", "final", "help"):
        assert choose(hotline, purpose=purpose, written="slt", remembered="en", number="+33639980123") is None


def test_a_row_that_names_another_organizations_hotline_is_nobodys_text(world: World, hotline: Hotline) -> None:
    ReplyTemplate.objects.create(
        organization=world.south.organization, hotline=hotline, language="fr", text="Du Sud, sur la ligne du Nord."
    )
    assert text(hotline) is None
    assert text(world.south.hotline) == "Réponse de South."


def test_the_hotlines_text_comes_before_its_organizations_default(hotline: Hotline) -> None:
    write("Maison.", hotline.organization)
    assert text(hotline) == "Maison."
    write("Ligne.", hotline)
    assert text(hotline) == "Ligne."


def test_another_hotline_of_the_organization_keeps_its_texts(world: World, hotline: Hotline) -> None:
    other = Hotline.objects.create(
        organization=hotline.organization,
        account=world.north.account,
        name="Other",
        number="+33937000009",
        kind="lgbt",
        languages=["fr"],
    )
    write("Autre ligne.", other)
    assert text(hotline) is None
    write("Maison.", hotline.organization)
    assert (text(hotline), text(other)) == ("Maison.", "Autre ligne.")


def test_a_hotlines_text_of_an_earlier_step_comes_before_the_organizations_of_this_step(hotline: Hotline) -> None:
    write("Maison 2.", hotline.organization, step=2)
    write("Ligne 1.", hotline, step=1)
    assert text(hotline, step=2) == "Ligne 1."


def test_a_step_uses_its_text_or_the_nearest_below(hotline: Hotline) -> None:
    for step in (1, 3, 4):
        write(f"Texte {step}.", hotline, step=step)
    assert [text(hotline, step=step) for step in range(1, 8)] == [
        "Texte 1.",
        "Texte 1.",
        "Texte 3.",
        "Texte 4.",
        "Texte 4.",
        "Texte 4.",
        "Texte 4.",
    ]


def test_a_step_before_every_text_uses_the_nearest_above(hotline: Hotline) -> None:
    write("Texte 5.", hotline, step=5)
    write("Texte 3.", hotline, step=3)
    assert [text(hotline, step=step) for step in (0, 1, 2, 3)] == ["Texte 3."] * 4
    write("Maison 1.", hotline.organization, step=1)
    assert [text(hotline, step=step) for step in (1, 2, 3)] == ["Maison 1.", "Maison 1.", "Texte 3."]


@pytest.mark.parametrize("purpose", ["final", "help"])
def test_a_purpose_without_a_text_uses_the_replys(hotline: Hotline, purpose: str) -> None:
    write("Réponse.", hotline, step=1)
    write("Deuxième.", hotline, step=2)
    assert [text(hotline, purpose=purpose, step=step) for step in (1, 2, 5)] == ["Réponse.", "Deuxième.", "Deuxième."]
    write("Propre.", hotline.organization, purpose=purpose)
    assert [text(hotline, purpose=purpose, step=step) for step in (1, 2, 5)] == ["Propre."] * 3


def test_no_other_purpose_stands_in_for_a_reply(hotline: Hotline) -> None:
    for purpose in set(Purpose) - {Purpose.REPLY}:
        write("Autre.", hotline, purpose=purpose)
    assert text(hotline) is None


def test_pages_texts_and_spoken_ones_are_never_sent(hotline: Hotline) -> None:
    for purpose in ("voice", "notice", "suspended", "help"):
        write(f"Pas {purpose}.", hotline, purpose=purpose)
    assert text(hotline, purpose="final") is None
    assert text(hotline, purpose="help") == "Pas help."


def test_his_language_comes_before_the_purpose(hotline: Hotline) -> None:
    write("Dernier.", hotline, purpose="final")
    write("Réponse.", hotline)
    write("Reply.", hotline, language="en")
    assert text(hotline, purpose="final", step=5, written="who is this") == "Reply."
    assert text(hotline, purpose="final", step=5, written="slt") == "Dernier."


def test_the_message_then_what_he_used_then_his_country_then_the_default(hotline: Hotline) -> None:
    for language in ("fr", "en", "de"):
        write(language, hotline, language=language)
    asked = {"remembered": "de", "number": "+447911123456"}
    assert choose(hotline, written="cc tu fais quoi", **asked) == choosing.Choice("fr", "fr", "fr")
    assert choose(hotline, written="?", **asked) == choosing.Choice("de", "de", "")
    assert choose(hotline, written="?", number="+447911123456") == choosing.Choice("en", "en", "")
    assert choose(hotline, written="?") == choosing.Choice("fr", "fr", "")


def test_a_language_without_a_text_gives_way_and_is_still_what_was_seen(hotline: Hotline) -> None:
    write("Reply.", hotline, language="en")
    assert choose(hotline, written="wer bist du") == choosing.Choice("Reply.", "en", "de")
    write("Antwort.", hotline.organization, language="de")
    assert choose(hotline, written="wer bist du") == choosing.Choice("Antwort.", "de", "de")


def test_a_language_that_the_hotline_does_not_offer_is_never_chosen(hotline: Hotline) -> None:
    write("Respuesta.", hotline, language="es")
    assert choose(hotline, written="hola guapa", remembered="es", number="+34612345678") is None
    write("Réponse.", hotline)
    assert choose(hotline, written="hola guapa", remembered="es", number="+34612345678") == choosing.Choice(
        "Réponse.", "fr", ""
    )


def test_letters_that_two_languages_share_go_to_the_one_he_used_or_his_country_speaks(hotline: Hotline) -> None:
    hotline.languages = ["fr", "ru", "uk"]
    for language in hotline.languages:
        write(language, hotline, language=language)
    assert text(hotline, written="а там?") == "ru"
    assert text(hotline, written="а там?", remembered="uk") == "uk"
    assert text(hotline, written="а там?", number="+380501234567") == "uk"
    assert text(hotline, written="ты где", remembered="uk", number="+380501234567") == "ru"


def test_a_region_has_its_own_text_or_its_languages(hotline: Hotline) -> None:
    hotline.languages = ["fr", "pt-BR"]
    write("Réponse.", hotline)
    write("Resposta.", hotline, language="pt")
    assert choose(hotline, written="oi tudo bem") == choosing.Choice("Resposta.", "pt", "pt-BR")
    write("Resposta do Brasil.", hotline, language="pt-BR")
    assert choose(hotline, written="oi tudo bem") == choosing.Choice("Resposta do Brasil.", "pt-BR", "pt-BR")


def test_a_text_leaves_in_one_form_however_it_was_stored(hotline: Hotline) -> None:
    write(unicodedata.normalize("NFD", "Été\r\nà côté "), hotline)
    assert text(hotline) == "Été\nà côté"


def test_choosing_is_one_query(hotline: Hotline, django_assert_num_queries: Any) -> None:
    write("Réponse.", hotline)
    with django_assert_num_queries(1):
        choose(hotline, purpose="final", step=5, written="hallo", remembered="en", number="+33639980123")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    stored=st.lists(
        st.tuples(
            st.booleans(), st.sampled_from(["reply", "final", "help"]), st.integers(1, 4), st.sampled_from(["fr", "en"])
        ),
        unique=True,
        max_size=8,
    ),
    purpose=st.sampled_from(["reply", "final", "help"]),
    step=st.integers(0, 6),
)
def test_any_set_of_texts_gives_the_one_that_the_rules_name(
    hotline: Hotline, stored: list[tuple[bool, str, int, str]], purpose: str, step: int
) -> None:
    """The rules once more, as one ordering over all texts instead of a walk down the ladder."""
    ReplyTemplate.objects.filter(organization=hotline.organization).delete()
    for own, of_purpose, at, language in stored:
        place = hotline if own else hotline.organization
        write(f"{own} {of_purpose} {at} {language}", place, purpose=of_purpose, step=at, language=language)
    usable = [row for row in stored if row[1] in {purpose, "reply"}]
    best = min(
        usable,
        key=lambda row: (row[3] != "en", row[1] != purpose, row[2] > step, not row[0], abs(row[2] - step)),
        default=None,
    )
    expected = best and f"{best[0]} {best[1]} {best[2]} {best[3]}"
    assert text(hotline, purpose=purpose, step=step, written="who is this") == expected
