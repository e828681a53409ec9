"""A public page as people have it before them: quick, quiet, gone at once, and of use without a script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, Route, expect
from tests import accessible, processes
from tests.demo_server import DemoServer

pytestmark = [pytest.mark.browser, pytest.mark.processes]

MOST_BYTES, MOST_REQUESTS, TOUCH = 50_000, 4, 44
NATIONAL = "01 99 00 10 27"
ELSEWHERE = "https://*.wikipedia.org/**"
PATIENCE_MS = 30_000
_SETUP = """
import datetime
from hotlines.models import Hotline
from organizations.models import Organization
from pages.models import Page

organization = Organization.objects.get()
hotlines = {hotline.number: hotline for hotline in Hotline.objects.all()}
given, tried, gone = hotlines["+33199001027"], hotlines["+33199001217"], hotlines["+33199001705"]
today = datetime.datetime.now(tz=datetime.UTC).date()
Page.objects.all().delete()
common = {"organization": organization, "published": True, "helplines_checked_on": today}
Page.objects.create(slug="given", name="Anti-relous", names={"ar": "رقم الشارع"}, hotline=given, demo=tried,
                    website="https://example.org/", **common)
Page.objects.create(slug="gone", name="Hors service", hotline=gone, **common)
Page.objects.create(slug="list", name="Nos numéros", **common)
Hotline.objects.filter(pk=gone.pk).update(state="suspended", state_reason="essai")
"""
WAYS: dict[str, dict[str, Any]] = {
    "fr": {"viewport": {"width": 1280, "height": 900}},
    "ar phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
    "fr dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def site(server: DemoServer) -> DemoServer:
    processes.manage(server.environment, "shell", "-c", _SETUP)
    return server


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A reader's, who signed in nowhere; the neutral site answers here."""
    way = getattr(request, "param", {})
    context = browser.new_context(**{**WAYS["fr"], **way})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    opened.route(ELSEWHERE, _encyclopedia)
    yield opened
    context.close()


def _encyclopedia(route: Route) -> None:
    route.fulfill(body="<h1>Encyclopedia</h1>", content_type="text/html")


def unfold(page: Page) -> None:
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")


def wider(page: Page) -> int:
    """Pixels by which it is wider than its screen."""
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


def test_it_is_light_asks_nobody_else_and_stores_nothing(page: Page, site: DemoServer) -> None:
    answers: list[Response] = []
    complaints: list[str] = []
    page.on("response", lambda answer: answers.insert(0, answer))
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{site.url}/fr/given/", wait_until="networkidle")
    assert {answer.status for answer in answers} == {200}
    assert all(answer.url.startswith(site.url) for answer in answers)
    assert len(answers) <= MOST_REQUESTS
    assert sum(len(answer.body()) for answer in answers) < MOST_BYTES
    assert page.context.cookies() == []
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert complaints == []


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True)
def test_it_is_of_use_without_a_script(page: Page, site: DemoServer) -> None:
    page.goto(f"{site.url}/fr/given/")
    expect(page.get_by_text(NATIONAL, exact=True).first).to_be_visible()
    for address in ("tel:+33199001027", "sms:+33199001027", "/fr/given/contact.vcf", "/fr/given/poster.pdf"):
        expect(page.locator(f"a[href='{address}']")).to_be_visible()
    expect(page.locator("[data-copies]")).to_be_hidden()
    expect(page.locator("#stays")).to_be_visible()
    expect(page.locator("#replaced")).to_be_hidden()
    page.locator("#exit").click()
    page.wait_for_url("https://fr.wikipedia.org/")


@pytest.mark.parametrize("page", WAYS.values(), ids=WAYS, indirect=True)
def test_nobody_is_kept_out(page: Page, site: DemoServer, request: pytest.FixtureRequest) -> None:
    language = request.node.callspec.id.partition(" ")[0]
    broken: dict[str, list[str]] = {}
    for slug in ("given", "gone", "list"):
        answer = page.goto(f"{site.url}/{language}/{slug}/")
        assert answer is not None
        assert answer.status == 200
        unfold(page)
        found = accessible.violations(page)
        broken[slug] = found + ([f"{wider(page)} px wider than its screen"] if wider(page) else [])
    assert {slug: found for slug, found in broken.items() if found} == {}


@pytest.mark.parametrize("page", [{"viewport": {"width": 320, "height": 640}}], indirect=True)
@pytest.mark.parametrize("language", ["fr", "de", "ar"])
def test_a_small_phone_shows_all_of_it_and_fingers_find_it(page: Page, site: DemoServer, language: str) -> None:
    for slug in ("given", "gone", "list"):
        page.goto(f"{site.url}/{language}/{slug}/")
        unfold(page)
        assert wider(page) == 0, slug
        for target in page.locator("#exit, .do, .actions a, .languages a, summary, .emergency a").all():
            box = target.bounding_box()
            assert box is not None
            assert box["height"] >= TOUCH, target.text_content()


@pytest.mark.parametrize(("language", "side"), [("fr", "right"), ("ar", "left")])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_way_out_stays_in_its_corner(page: Page, site: DemoServer, language: str, side: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(f"{site.url}/{language}/given/")
    page.mouse.wheel(0, 10_000)
    page.wait_for_function("scrollY > 300")
    box = page.locator("#exit").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 40
    middle = box["x"] + box["width"] / 2
    assert (middle > width / 2) == (side == "right")
    expect(page.locator("#exit")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("way", ["key", "click"])
def test_leaving_puts_the_other_site_in_its_place(page: Page, site: DemoServer, way: str) -> None:
    page.goto(f"{site.url}/fr/gone/")
    page.goto(f"{site.url}/fr/given/")
    before = page.evaluate("history.length")
    expect(page.locator("#replaced")).to_be_visible()
    expect(page.locator("#stays")).to_be_hidden()
    if way == "key":
        page.keyboard.press("Escape")
    else:
        page.locator("#exit").click()
    page.wait_for_url("https://fr.wikipedia.org/")
    expect(page.locator("h1")).to_have_text("Encyclopedia")
    assert page.evaluate("history.length") == before
    page.go_back()
    expect(page).to_have_url(f"{site.url}/fr/gone/")


def test_nothing_is_left_to_read_where_the_other_site_does_not_answer(page: Page, site: DemoServer) -> None:
    page.route(ELSEWHERE, lambda route: route.fulfill(status=204))  # with which a browser stays where it is
    page.goto(f"{site.url}/fr/given/")
    with page.expect_response(ELSEWHERE):
        page.keyboard.press("Escape")
    assert page.url == f"{site.url}/fr/given/"
    assert page.evaluate("[document.body.childElementCount, document.title]") == [0, "fr.wikipedia.org"]


def test_another_language_takes_the_place_of_this_one(page: Page, site: DemoServer) -> None:
    page.goto(f"{site.url}/fr/gone/")
    page.goto(f"{site.url}/fr/given/")
    before = page.evaluate("history.length")
    page.locator(".languages a[lang=ar]").click()
    page.wait_for_url(f"{site.url}/ar/given/")
    assert page.evaluate("history.length") == before
    page.keyboard.press("Escape")
    page.wait_for_url("https://ar.wikipedia.org/")
    page.go_back()
    expect(page).to_have_url(f"{site.url}/fr/gone/")


def test_the_number_is_copied(page: Page, site: DemoServer) -> None:
    page.goto(f"{site.url}/en/given/")
    page.get_by_role("button", name="Copy the number").click()
    expect(page.get_by_role("status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == NATIONAL


def test_where_nothing_may_be_copied_the_number_is_marked(page: Page, site: DemoServer) -> None:
    page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))")
    page.goto(f"{site.url}/en/given/")
    page.get_by_role("button", name="Copy the number").click()
    expect(page.get_by_role("status")).to_contain_text("copy it by hand")
    assert page.evaluate("getSelection().toString()").strip() == NATIONAL


def test_on_paper_there_is_nothing_to_press(page: Page, site: DemoServer) -> None:
    page.goto(f"{site.url}/fr/given/")
    page.emulate_media(media="print")
    for hidden in ("#exit", ".top", "[data-copies]", ".actions a", ".languages"):
        expect(page.locator(hidden).first).to_be_hidden()
    expect(page.get_by_text(NATIONAL, exact=True).first).to_be_visible()
    expect(page.locator(".code svg")).to_be_visible()


def test_the_contact_is_saved_as_a_file(page: Page, site: DemoServer) -> None:
    page.goto(f"{site.url}/en/given/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as “Camille”").click()
    assert download.value.suggested_filename == "Camille.vcf"
