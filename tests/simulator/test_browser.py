"""The whole path in a real browser: Chromium texts a hotline of a demo that runs as a process of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from tests.demo_server import DemoServer

from .conftest import PATIENCE_MS, Open

pytestmark = [pytest.mark.browser, pytest.mark.processes]

ANTI_HARASSMENT = "+33 1 99 00 12 17"
LGBT = "+33 1 99 00 17 05"


def choose_hotline(page: Page, number: str) -> None:
    field = page.locator("#hotline")
    value = field.locator(f"option[data-number='{number}']").get_attribute("value")
    assert value is not None
    field.select_option(value)


def text(page: Page, words: str) -> None:
    page.locator("#text").fill(words)
    page.locator("#text").press("Enter")
    expect(page.locator("#text")).to_have_value("")


def arrived(page: Page) -> Locator:
    return page.locator("#bubbles .arrived .bubble")


def captions(page: Page) -> list[str]:
    return page.locator("#bubbles .written .caption").all_text_contents()


def test_five_are_answered_in_the_senders_language_and_the_sixth_is_not(
    server: DemoServer, open_phone: Open, complaints: list[str]
) -> None:
    page = open_phone(server, "33639980001")
    for count in range(1, 6):
        text(page, f"Salut, c'est qui ? ({count})")
        expect(arrived(page)).to_have_count(count, timeout=PATIENCE_MS)
    for reply in arrived(page).all_text_contents():
        assert re.search(r"\b(personne|harcel|numéro|message)\b", reply), reply
    text(page, "Réponds !")
    block = page.locator("#block")
    expect(block).to_contain_text("vous avez reçu les 5 réponses", timeout=PATIENCE_MS)
    expect(block).to_contain_text("Jusqu’au")
    expect(page.locator("#slots-text")).to_have_text("Réponses\N{NO-BREAK SPACE}: 5 sur 5")
    expect(page.locator("#steps [data-step=sent]")).to_have_attribute("data-state", "skipped", timeout=PATIENCE_MS)
    assert captions(page) == ["répondu"] * 5 + ["sans réponse\N{NO-BREAK SPACE}: bloqué"]
    assert arrived(page).count() == 5
    assert page.locator("#bubbles .arrived .caption").first.text_content() == "Réponse 1 sur 5 · Français · 1 SMS"
    assert complaints == []


def test_the_way_of_a_text_is_told_to_its_end_and_the_admin_knows_it_too(
    server: DemoServer, open_phone: Open, complaints: list[str]
) -> None:
    page = open_phone(server, "33639980002")
    text(page, "Salut")
    for step in ("signed", "stored", "decided", "sent", "delivered"):
        state = page.locator(f"#steps [data-step={step}]")
        expect(state).to_have_attribute("data-state", "done", timeout=PATIENCE_MS)
    expect(page.locator("#steps [data-step=stored] .detail")).to_contain_text("200")
    expect(page.locator("#announce")).to_contain_text("Réponse de Anti-harcèlement")
    assert complaints == []


def test_an_english_text_gets_an_english_reply(server: DemoServer, open_phone: Open, complaints: list[str]) -> None:
    page = open_phone(server, "447700900003", locale="en-GB")
    text(page, "Hey, who is this?")
    expect(arrived(page)).to_have_count(1, timeout=PATIENCE_MS)
    assert re.search(r"\b(person|number|message)\b", arrived(page).inner_text())
    expect(page.locator("#bubbles .arrived .caption")).to_have_text("Reply 1 of 5 · English · 1 SMS")
    assert complaints == []


def test_the_senders_language_is_his_text_and_not_his_country(
    server: DemoServer, open_phone: Open, complaints: list[str]
) -> None:
    page = open_phone(server, "447700900004")
    text(page, "Salut, c'est qui ?")
    expect(page.locator("#bubbles .arrived .caption")).to_have_text(
        "Réponse 1 sur 5 · Français · 1 SMS", timeout=PATIENCE_MS
    )


@pytest.mark.parametrize(
    ("phone", "words"),
    [
        ("33639980010", "مرحبا \N{SMILING FACE WITH SMILING EYES} من معي؟"),
        ("33639980011", "<img src=x onerror=alert(1)><script>alert(2)</script>&amp;"),
        ("33639980012", "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe\N{POP DIRECTIONAL FORMATTING} {name} $& %s"),
        ("33639980013", "une ligne\nune autre"),
    ],
    ids=["arabic and emoji", "markup", "bidi and placeholders", "two lines"],
)
def test_what_somebody_writes_stays_inert(
    server: DemoServer, open_phone: Open, complaints: list[str], phone: str, words: str
) -> None:
    page = open_phone(server, phone)
    text(page, words)
    expect(arrived(page)).to_have_count(1, timeout=PATIENCE_MS)
    page.reload()
    written = page.locator("#bubbles .written .bubble")
    expect(written).to_have_count(1, timeout=PATIENCE_MS)
    assert written.evaluate("bubble => [bubble.textContent, bubble.childElementCount, bubble.dir]") == [
        words,
        0,
        "auto",
    ]
    assert complaints == []


def test_stop_is_heard_and_said(server: DemoServer, open_phone: Open, complaints: list[str]) -> None:
    page = open_phone(server, "33639980020")
    page.get_by_role("button", name="STOP").click()
    page.keyboard.press("Enter")
    expect(page.locator("#block")).to_contain_text("Vous avez écrit STOP", timeout=PATIENCE_MS)
    text(page, "Salut")
    expect(page.locator("#bubbles .written .caption").nth(1)).to_have_text(
        "sans réponse\N{NO-BREAK SPACE}: arrêté", timeout=PATIENCE_MS
    )
    assert arrived(page).count() == 0
    assert complaints == []


def test_with_a_safety_delay_one_reply_comes_later(server: DemoServer, open_phone: Open, complaints: list[str]) -> None:
    page = open_phone(server, "33639980021")
    choose_hotline(page, LGBT)
    text(page, "Salut")
    expect(page.locator("#steps [data-step=sent] .detail")).to_contain_text("le temps de s’éloigner")
    text(page, "T'es là ?")
    expect(page.locator("#bubbles .written .caption").nth(1)).to_have_text(
        "une réponse est en route", timeout=PATIENCE_MS
    )
    expect(arrived(page)).to_have_count(1, timeout=PATIENCE_MS)
    expect(page.locator("#bubbles .written .caption").first).to_have_text("répondu")
    assert complaints == []


def test_a_typed_number_that_is_none_is_refused_in_words(server: DemoServer, open_phone: Open) -> None:
    page = open_phone(server, "33639980022")
    page.get_by_label("Votre numéro", exact=True).select_option("")
    page.get_by_label("Saisissez un numéro").fill("moi")
    page.get_by_label("Saisissez un numéro").press("Tab")
    expect(page.locator("#typed-problem")).to_contain_text("On ne peut pas écrire depuis ce numéro")
    page.get_by_label("Saisissez un numéro").fill("+33 6 39 98 00 22")
    page.get_by_label("Saisissez un numéro").press("Tab")
    expect(page.locator("#typed-problem")).to_be_empty()


def test_the_language_can_be_switched_and_the_choice_of_numbers_stays(server: DemoServer, open_phone: Open) -> None:
    page = open_phone(server, "33639984567")
    choose_hotline(page, LGBT)
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Two numbers")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#contact-number")).to_have_text(LGBT)
    expect(page.locator("#phone")).to_have_value("33639984567")


def test_everything_can_be_done_from_the_keyboard(server: DemoServer, open_phone: Open, complaints: list[str]) -> None:
    page = open_phone(server, "33639980030")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Aller à l’écriture d’un message")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("Salut")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Envoyer")).to_be_focused()
    page.keyboard.press("Enter")
    expect(arrived(page)).to_have_count(1, timeout=PATIENCE_MS)
    assert complaints == []


def test_the_server_may_die_at_any_moment_and_the_conversation_goes_on(
    browser: Browser, open_phone: Open, tmp_path: Path
) -> None:
    with DemoServer(tmp_path) as server:
        page = open_phone(server, "33639980040")
        text(page, "Salut")
        expect(arrived(page)).to_have_count(1, timeout=PATIENCE_MS)

        # Between two texts: what was written stays in the field, and the page says so.
        server.kill()
        page.locator("#text").fill("Tu es là ?")
        page.locator("#text").press("Enter")
        expect(page.locator("#network")).to_contain_text("Le serveur ne répond pas", timeout=PATIENCE_MS)
        expect(page.locator("#text")).to_have_value("Tu es là ?")
        server.start()
        expect(page.locator("#network")).to_be_hidden(timeout=PATIENCE_MS)
        page.locator("#text").press("Enter")
        expect(arrived(page)).to_have_count(2, timeout=PATIENCE_MS)

        # Between the signature and the webhook: the carrier tries the same request until it is stored, once.
        def die_first(route: Route) -> None:
            server.kill()
            route.continue_()

        page.route("**/message/", die_first, times=1)
        text(page, "Allô ?")
        expect(page.locator("#bubbles .written .caption").nth(2)).to_have_text(
            "pas de réseau, nouvel essai", timeout=PATIENCE_MS
        )
        server.start()
        expect(arrived(page)).to_have_count(3, timeout=PATIENCE_MS)
        expect(page.locator("#slots-text")).to_have_text("Réponses\N{NO-BREAK SPACE}: 3 sur 5")
        expect(page.locator("#steps [data-step=delivered]")).to_have_attribute("data-state", "done")
        assert captions(page) == ["répondu"] * 3


ANTI_RELOUS = "+33 1 99 00 10 27"


def test_who_calls_hears_the_message_or_the_busy_tone_and_then_gets_a_text(
    server: DemoServer, open_phone: Open, complaints: list[str]
) -> None:
    page = open_phone(server, "33639980077")
    choose_hotline(page, ANTI_HARASSMENT)
    page.get_by_role("button", name="Appeler").click()
    expect(arrived(page)).to_contain_text("Vous appelez un répondeur automatique", timeout=PATIENCE_MS)
    expect(page.locator("#slots-text")).to_contain_text("1 sur 5", timeout=PATIENCE_MS)
    assert captions(page) == ["message parlé"]
    choose_hotline(page, ANTI_RELOUS)
    page.get_by_role("button", name="Appeler").click()
    expect(page.locator("#bubbles .written .caption")).to_have_text("tonalité d’occupation", timeout=PATIENCE_MS)
    expect(arrived(page)).to_contain_text("Un non est un non", timeout=PATIENCE_MS)
    assert complaints == []
