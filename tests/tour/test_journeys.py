"""What a volunteer does in a browser, from the first click to what follows from it: a number until it answers, a reply
by hand, a translation, a second person's approval, a campaign.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests import processes
from tests.demo_pages import PATIENCE_MS
from tests.demo_server import DemoServer
from tests.tour.screenshots import converse, open_first, open_phone

pytestmark = [pytest.mark.browser, pytest.mark.processes]

ANTI_RELOUS, LGBT = "+33 1 99 00 10 27", "+33 1 99 00 17 05"


def step(page: Page, title: str) -> Locator:
    """A step of a number's guide, by its heading."""
    return page.locator("li").filter(has=page.get_by_role("heading", name=title))


def save(page: Page) -> None:
    """The form of the admin that is open, and what follows it."""
    with page.expect_navigation():
        page.locator("[name=_save]").click()


def change_state(page: Page, state: str, reason: str = "") -> None:
    """By the dialog of a number's page that is open."""
    page.get_by_role("link", name="Changer l’état").locator("visible=true").first.click()
    dialog = page.get_by_role("dialog", name="Changer l’état de ce numéro")
    dialog.get_by_label(state, exact=True).check()
    dialog.get_by_label("Motif").fill(reason)
    with page.expect_navigation():
        dialog.get_by_role("button", name="Changer l’état").click()


def send_oneself_a_text(page: Page, phone: Page) -> None:
    """From one's own conversation, before anybody else is answered."""
    page.locator("a[href$='/mark_test/']:visible").click()
    with page.expect_navigation():
        page.get_by_role("dialog").get_by_role("button").last.click()
    page.locator("a[href$='/by_hand/']:visible").first.click()
    dialog = page.get_by_role("dialog")
    dialog.locator("textarea").fill("Essai : voici ce que vous recevrez.")
    with page.expect_navigation():
        dialog.get_by_role("button").last.click()
    expect(phone.locator("#bubbles")).to_contain_text("Essai : voici ce que vous recevrez.", timeout=PATIENCE_MS)


def arrive(phone: Page, text: str) -> None:
    """Write from the phone that is open, and wait until it is stored."""
    phone.locator("#text").fill(text)
    phone.locator("#text").press("Enter")
    expect(phone.locator("#steps [data-step=stored]")).to_have_attribute("data-state", "done", timeout=PATIENCE_MS)


def waiting_text(page: Page, server: DemoServer) -> None:
    """From the first page, which says that a text waits, to that text."""
    page.goto(f"{server.url}/admin/")
    page.get_by_role("link", name="1 texte attend d’être approuvé").click()
    page.locator("#result_list tbody a").first.click()
    expect(page.get_by_role("region", name="Ce que ce texte était avant")).to_contain_text("attend une approbation")


def approve(page: Page) -> None:
    page.locator("a[href$='/approve/']:visible").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Ce texte attend une seconde lecture.")
    dialog.get_by_role("button").last.click()


def sign_in_as_second_person(page: Page, server: DemoServer) -> None:
    made = (
        "from django.contrib.auth.models import User; from organizations.models import Member, Organization; "
        "user = User.objects.create_user('lea', password='une-phrase-assez-longue', is_staff=True); "
        "Member.objects.create(organization=Organization.objects.get(pk=1), user=user, role='editor')"
    )
    processes.manage(server.environment, "shell", "-c", made)
    page.goto(f"{server.url}/admin/login/")
    page.locator("input[name=username]").fill("lea")
    page.locator("input[name=password]").fill("une-phrase-assez-longue")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")


def test_a_number_from_nothing_to_its_first_reply(page: Page, server: DemoServer, complaints: list[str]) -> None:
    page.goto(f"{server.url}/admin/hotlines/hotline/add/")
    page.locator("input[name=name]").fill("Anti-relous du métro")
    page.locator("input[name=number]").fill("0199001999")
    save(page)
    expect(page.locator("#id_number_error")).to_contain_text("avec + et l’indicatif du pays")
    expect(page.locator("input[name=name]")).to_have_value("Anti-relous du métro")
    page.locator("input[name=number]").fill("+33199001999")
    save(page)

    expect(page).to_have_url(f"{server.url}/admin/hotlines/hotline/4/guide/")
    expect(step(page, "Textes")).to_contain_text("Il répond en")
    expect(step(page, "Connexion à l’opérateur")).to_contain_text("à faire")
    step(page, "Connexion à l’opérateur").get_by_role("link", name="Tester la connexion").click()
    expect(page.get_by_text("Juste :")).to_be_visible()
    page.goto(f"{server.url}/admin/hotlines/hotline/4/guide/")
    expect(step(page, "Connexion à l’opérateur")).not_to_contain_text("à faire")

    # What it may spend is for people to say, and shown with what it suffices for.
    step(page, "Les limites, et ce qu’elles coûtent").get_by_role("link", name="Changer les limites").click()
    page.locator("[name=day_budget]").fill("10")
    page.locator("[name=month_budget]").fill("100")
    page.locator("[name=delay_seconds]").fill("0")
    page.locator("[name=jitter_seconds]").fill("0")
    save(page)
    page.goto(f"{server.url}/admin/hotlines/hotline/4/guide/")
    expect(step(page, "Les limites, et ce qu’elles coûtent")).to_contain_text("Un budget de 10,00 EUR par jour suffit")

    phone = page.context.new_page()
    open_phone(phone, server, "33639980901", "+33 1 99 00 19 99")
    arrive(phone, "Un essai")
    page.reload()
    expect(step(page, "Écrivez-lui vous-même")).to_contain_text("Le premier message est arrivé")
    step(page, "Écrivez-lui vous-même").get_by_role("link", name="Ouvrir la conversation").click()
    send_oneself_a_text(page, phone)
    page.goto(f"{server.url}/admin/hotlines/hotline/4/guide/")
    change_state(page, "actif")
    page.goto(f"{server.url}/admin/hotlines/hotline/4/guide/")
    expect(step(page, "Mise en service")).to_contain_text("Ce numéro est actif")
    open_phone(phone, server, "33639980902", "+33 1 99 00 19 99")
    converse(phone, "Salut, c'est bien ton numéro ?")
    assert complaints == []


@pytest.mark.proof
def test_a_person_writes_in_place_of_the_reply_that_waits(
    page: Page, server: DemoServer, complaints: list[str]
) -> None:
    """With a safety delay there is time to read the message, and to answer it oneself."""
    page.goto(f"{server.url}/admin/hotlines/hotline/3/change/")
    page.locator("[name=delay_seconds]").fill("15 s")
    save(page)
    phone = page.context.new_page()
    open_phone(phone, server, "33639980903", LGBT)
    arrive(phone, "On se connaît ?")
    open_first(page, server, "/admin/conversations/conversation/")
    page.locator("a[hx-get$='/by_hand/']:visible").first.click()
    dialog = page.get_by_role("dialog")
    dialog.locator("textarea").fill("Une bénévole vous répond : laissez cette personne tranquille.")
    with page.expect_navigation():
        dialog.get_by_role("button").last.click()
    expect(phone.locator("#bubbles")).to_contain_text("Une bénévole vous répond", timeout=PATIENCE_MS)
    page.reload()
    expect(page.locator(".pv-thread")).to_contain_text("réponse 1 de l’épisode 1")
    assert complaints == []


@pytest.mark.proof
def test_a_translation_is_written_beside_the_text_and_sent(
    page: Page, server: DemoServer, complaints: list[str]
) -> None:
    page.goto(f"{server.url}/admin/replies/replytemplate/desk/2/en/?from=fr")
    first = page.get_by_role("region", name="réponse 1")
    first.get_by_role("textbox").fill("Please leave the person alone who gave you this number. ✋")
    expect(first.get_by_role("status")).to_contain_text("1 SMS (UCS-2)")
    save_desk = page.get_by_role("button", name="Enregistrer")
    with page.expect_navigation():
        save_desk.click()
    phone = page.context.new_page()
    open_phone(phone, server, "447700900904", ANTI_RELOUS)
    converse(phone, "Hello, who are you?")
    expect(phone.locator("#bubbles")).to_contain_text("Please leave the person alone who gave you this number. ✋")
    assert complaints == []


@pytest.mark.proof
def test_a_text_waits_until_somebody_else_has_read_it(
    page: Page, server: DemoServer, browser: Browser, complaints: list[str]
) -> None:
    page.goto(f"{server.url}/admin/organizations/organization/1/change/")
    page.locator("input[name=texts_need_approval]").check()
    save(page)
    page.goto(f"{server.url}/admin/replies/replytemplate/desk/2/fr/?from=fr")
    first = page.get_by_role("region", name="réponse 1")
    before = first.get_by_role("textbox").input_value()
    first.get_by_role("textbox").fill("Ce texte attend une seconde lecture.")
    with page.expect_navigation():
        page.get_by_role("button", name="Enregistrer").click()
    phone = page.context.new_page()
    open_phone(phone, server, "33639980905", ANTI_RELOUS)
    converse(phone, "Salut toi")
    expect(phone.locator("#bubbles")).to_contain_text(before.split(".")[0].strip())

    waiting_text(page, server)
    approve(page)
    expect(page.get_by_role("dialog")).to_contain_text("Vous avez écrit ce texte")
    context = browser.new_context(locale="fr-FR")
    reader = context.new_page()
    sign_in_as_second_person(reader, server)
    waiting_text(reader, server)
    approve(reader)
    expect(reader.get_by_text("Le texte est approuvé")).to_be_visible()
    context.close()

    open_phone(phone, server, "33639980906", ANTI_RELOUS)
    converse(phone, "Salut toi")
    expect(phone.locator("#bubbles")).to_contain_text("Ce texte attend une seconde lecture.")
    assert complaints == []


@pytest.mark.proof
def test_a_campaign_gives_another_number_while_one_is_suspended(
    page: Page, server: DemoServer, complaints: list[str]
) -> None:
    page.goto(f"{server.url}/admin/hotlines/campaign/add/")
    page.locator("input[name=name]").fill("Métro")
    page.locator("select[name=turn]").select_option("never")
    save(page)
    for number in (1, 3):
        page.goto(f"{server.url}/admin/hotlines/hotline/{number}/change/")
        page.locator("select[name=campaign]").select_option(label="Métro")
        save(page)
    open_first(page, server, "/admin/hotlines/campaign/", "Métro")
    given = page.get_by_role("row").filter(has=page.get_by_role("cell", name="maintenant", exact=True))
    expect(given).to_contain_text("+33199001217")
    page.goto(f"{server.url}/admin/hotlines/hotline/1/change/")
    change_state(page, "suspendu", "un raid")
    open_first(page, server, "/admin/hotlines/campaign/", "Métro")
    expect(given).to_contain_text("+33199001705")
    expect(page.get_by_role("row").filter(has_text="+33199001217")).to_contain_text("suspendu")
    assert complaints == []
