"""The admin in a real browser: signing in, a dialog by keyboard, the live count, and texts that want to run."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from tests.demo_server import DemoServer
from tests.tour.screenshots import converse, open_phone

pytestmark = [pytest.mark.browser, pytest.mark.processes]
PATIENCE_MS = 30_000


def write(page: Page, server: DemoServer, phone: str, text: str) -> None:
    """A text from the phone page."""
    page.goto(f"{server.url}/simulator/?from={phone}")
    page.locator("#text").fill(text)
    page.locator("#text").press("Enter")
    expect(page.locator("#bubbles .written .caption")).to_contain_text("répon", timeout=PATIENCE_MS)


def open_newest_conversation(page: Page, server: DemoServer) -> None:
    page.goto(f"{server.url}/admin/conversations/conversation/")
    page.locator("#result_list tbody a").first.click()
    expect(page.locator(".pv-thread")).to_be_visible()


def test_a_sender_is_blocked_and_unblocked_by_keyboard(page: Page, server: DemoServer, complaints: list[str]) -> None:
    write(page, server, "33639980801", "Salut")
    open_newest_conversation(page, server)
    button = page.locator("a[hx-get$='/block/']:visible")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Bloquer cette personne")
    reason = dialog.get_by_label("Motif")
    expect(reason).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(reason).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('#modal-content') !== null")
    expect(dialog.get_by_role("radiogroup", name="Où")).to_be_visible()
    reason.fill("insultes")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Cette personne est bloquée sur ce numéro.")).to_be_visible()
    page.locator("a[hx-get$='/unblock/']:visible").click()
    dialog = page.get_by_role("dialog", name="Répondre de nouveau")
    dialog.get_by_role("button", name="Débloquer").click()
    expect(dialog.get_by_text("Ce champ est obligatoire.")).to_be_visible()
    dialog.get_by_label("Motif").fill("une erreur")
    dialog.get_by_role("button", name="Débloquer").click()
    expect(page.get_by_text("On répond de nouveau à cette personne.")).to_be_visible()
    assert complaints == []


def test_the_count_follows_the_pen_and_the_cheaper_text_is_one_click_away(
    page: Page, server: DemoServer, complaints: list[str]
) -> None:
    page.goto(f"{server.url}/admin/replies/replytemplate/add/")
    text = page.locator("textarea[name=text]")
    text.fill("C’est assez. " * 7)
    summary = page.locator("[data-summary]")
    expect(summary).to_have_text("2 SMS (UCS-2), encore 44 caractères dans le dernier")
    expect(page.locator("[data-forcing]")).to_contain_text("’ → '")
    page.get_by_role("button", name="Prendre ce texte").first.click()
    expect(summary).to_have_text("1 SMS (GSM-7), encore 70 caractères dans le dernier")
    expect(text).to_have_value(("C'est assez. " * 7).strip())
    expect(text).to_be_focused()
    expect(page.locator("[data-offer]")).to_be_hidden()
    text.fill("Bonjour {prénom}")
    expect(page.locator("[data-problems]")).to_contain_text("champ à remplir")
    assert complaints == []


def test_the_webhook_address_is_copied(page: Page, server: DemoServer, complaints: list[str]) -> None:
    page.goto(f"{server.url}/admin/hotlines/hotline/")
    page.locator("#result_list tbody a").first.click()
    page.get_by_role("link", name="Voir l’adresse de réception").locator("visible=true").click()
    for place, label in enumerate(("Adresse de réception", "Adresse pour les appels")):
        page.get_by_role("button", name="Copier").nth(place).click()
        expect(page.get_by_role("status").filter(has_text="Copié.").nth(place)).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.get_by_label(label).input_value()
        assert copied.startswith(f"{server.url}/hooks/simulator/")
    assert complaints == []


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> javascript:alert(3) http://evil.example/ "
    "\u202edrowssap\u2066 </bdi></details> {{ 7*7 }}" + "e" + "\u0301" * 200
)


def test_a_text_that_wants_to_run_is_only_read(page: Page, server: DemoServer, complaints: list[str]) -> None:
    write(page, server, "33639980802", HOSTILE)
    complaints.clear()
    open_newest_conversation(page, server)
    shown = page.locator(".pv-text bdi").first
    expect(shown).to_be_hidden()
    page.locator(".pv-thread summary").first.press("Enter")
    expect(shown).to_be_visible()
    expect(shown).to_contain_text("<img src=x onerror=alert(2)>")
    expect(shown).to_contain_text("U+202E")
    assert page.locator(".pv-text a, .pv-text img, .pv-text script").count() == 0
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width == 0
    assert complaints == []


def test_the_first_page_renews_itself_and_draws_its_chart(
    page: Page, server: DemoServer, complaints: list[str]
) -> None:
    page.clock.install()
    page.goto(f"{server.url}/admin/")
    senders = page.locator(".pv-counts dd").first
    before = int(senders.inner_text())
    phone = page.context.new_page()
    open_phone(phone, server, "+33639980777")
    converse(phone, "Salut, on se voit quand ?")
    page.clock.run_for(16_000)
    expect(senders).to_have_text(str(before + 1))
    page.goto(f"{server.url}/admin/?span=hour")
    page.clock.run_for(3_000)
    page.wait_for_function("document.querySelector('canvas.chart').toDataURL().length > 3000")
    page.locator("summary", has_text="En tableau").click()
    expect(page.locator("details[open] td.pv-number").first).to_be_visible()
    assert complaints == []
