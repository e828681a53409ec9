"""The widget on a partner's page, in a real browser and under a strict policy: what visitors see, whatever answers."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from tests import accessible, processes
from tests.demo_server import DemoServer
from tests.partner_site import (
    IN_TAG,
    INTERNATIONAL,
    NATIONAL,
    NUMBER,
    PARAVENT,
    PARTNER,
    STRICT,
    SUSPENDED,
    Answer,
    Sent,
    Site,
    answer,
    as_body,
    no_network,
    serving,
    tag,
    the_file,
    told,
)

from pages import widget

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def at_once(names: Iterable[str], *chosen: str) -> list[Any]:
    """The others with `make tour`: a released file does not change, and `test_widget` holds its bytes."""
    return [name if name in chosen else pytest.param(name, marks=pytest.mark.proof) for name in names]


MINUTE = 60_000

#: Runs where something is put into a page as HTML.
HOSTILE = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
HOSTILE_URL = "javascript:window.ran=1"


@pytest.fixture
def options() -> dict[str, Any]:
    """Of the visitor's browser."""
    return {}


@pytest.fixture
def site(browser: Browser, options: dict[str, Any]) -> Iterator[Site]:
    context = browser.new_context(**{"locale": "fr-FR", **options})
    yield Site(context)
    context.close()


def shows(shown: Locator, number: str) -> None:
    expect(shown.locator(".number")).to_have_text(number)


# --- what is shown ----------------------------------------------------------------------------------------------------
def test_the_number_is_shown_under_a_strict_policy(site: Site) -> None:
    site.page.context.add_cookies([{"name": "session", "value": "secret", "url": PARAVENT}])
    shown = site.open("<p>Before</p>" + tag() + "<p>After</p>")
    shows(shown, NATIONAL)
    expect(shown.get_by_role("region", name="Anti-relous")).to_be_visible()
    expect(shown.get_by_text(INTERNATIONAL)).to_be_visible()
    expect(shown.locator(".number bdi")).to_have_attribute("dir", "ltr")
    expect(shown.get_by_role("link", name="Appeler")).to_have_attribute("href", f"tel:{NUMBER}")
    expect(shown.get_by_role("link", name="Écrire un SMS")).to_have_attribute("href", f"sms:{NUMBER}")
    expect(shown.get_by_role("link", name="Camille")).to_have_attribute(
        "href", f"{PARAVENT}/fr/anti-relous/contact.vcf"
    )
    how = shown.get_by_role("link", name="Comment ça marche")
    assert [how.get_attribute(name) for name in ("href", "rel", "target")] == [
        f"{PARAVENT}/fr/anti-relous/",
        "noopener noreferrer",
        "_blank",
    ]
    expect(shown.get_by_role("link", name="+33939000009")).to_have_attribute("href", "sms:+33939000009")
    expect(shown.locator(".note")).to_be_empty()
    about = shown.get_by_text("À donner à qui insiste.")
    expect(about).to_be_hidden()
    shown.get_by_text("À quoi sert ce numéro").click()
    expect(about).to_be_visible()
    assert shown.evaluate("widget => widget.previousElementSibling.localName") == "script"
    asked = site.asked[0]
    assert asked.url == f"{PARAVENT}/api/v1/hotlines/anti-relous/current/?language=fr"
    assert not {"cookie", "referer"} & set(asked.all_headers())
    assert len(site.asked) == 1
    assert site.complaints == []


def test_it_asks_as_nobody_and_follows_no_redirect(site: Site) -> None:
    site.page.clock.install()
    site.page.add_init_script("""
      window.asked = [];
      const real = fetch;
      window.fetch = (url, { signal, ...how }) => (asked.push(how), real(url, { signal, ...how }));
    """)
    shown = site.open()
    shows(shown, NATIONAL)
    site.answer = answer(500)
    site.page.clock.run_for(MINUTE)
    expect(shown.get_by_text("Dernier numéro connu")).to_be_visible()
    as_nobody = {"credentials": "omit", "mode": "cors", "redirect": "error", "referrerPolicy": "no-referrer"}
    # Who asks again wants to hear it from the server, whose ETag makes that cheap.
    caches = ("default", "no-cache", "force-cache")
    assert site.page.evaluate("asked") == [{"cache": cache, **as_nobody} for cache in caches]


def test_it_is_dressed_without_inline_styles(site: Site) -> None:
    shown = site.open()
    shows(shown, NATIONAL)
    assert shown.evaluate("widget => widget.shadowRoot.querySelectorAll('style').length") == 0
    assert shown.locator("section").evaluate("it => getComputedStyle(it).borderRadius") == "12px"


def test_a_browser_without_constructed_style_sheets_has_them_in_the_page(site: Site) -> None:
    site.page.add_init_script("delete window.CSSStyleSheet")
    shown = site.open(policy="")
    shows(shown, NATIONAL)
    assert shown.locator("section").evaluate("it => getComputedStyle(it).borderRadius") == "12px"
    assert site.complaints == []


def test_another_file_than_the_pinned_one_does_not_run(site: Site) -> None:
    site.open(tag(integrity="sha384-" + "A" * 64))
    expect(site.page.locator("script")).to_have_count(1)
    site.page.wait_for_load_state("networkidle")
    expect(site.page.locator("paravent-widget")).to_have_count(0)
    assert site.asked == []
    assert "integrity" in "".join(site.complaints)


def test_nothing_is_stored(site: Site) -> None:
    shows(site.open(), NATIONAL)
    site.widget.get_by_role("button").click()
    expect(site.widget.get_by_text("Copié.")).to_be_visible()
    stored = site.page.evaluate(
        "async () => [document.cookie, localStorage.length, sessionStorage.length,"
        " (await indexedDB.databases()).length, (await navigator.serviceWorker?.getRegistrations())?.length ?? 0]"
    )
    assert stored == ["", 0, 0, 0, 0]
    assert site.page.context.cookies() == []


@pytest.mark.parametrize(
    ("given", "page_says", "lead"),
    [
        ("en", 'lang="de"', "To give away instead of yours."),
        ("", 'lang="de-AT"', "Zum Weitergeben statt der eigenen Nummer."),
        ("xx", 'lang="it"', "Para dar en lugar del propio."),
        ("", "", "Para dar en lugar del propio."),
    ],
    ids=["the tag's", "the page's", "neither is known", "the visitor's"],
)
@pytest.mark.parametrize("options", [{"locale": "es-MX"}], ids=["es"])
def test_it_speaks_the_language_of_the_tag_or_the_page_or_the_visitor(
    site: Site, given: str, page_says: str, lead: str
) -> None:
    shown = site.open(f"<div {page_says}>{tag(data_language=given)}</div>")
    expect(shown.get_by_text(lead)).to_be_visible()
    assert site.complaints == []


@pytest.mark.parametrize("options", [{"locale": "pl-PL"}], ids=["pl"])
def test_it_speaks_french_where_nothing_else_is_known(site: Site) -> None:
    expect(site.open(tag(data_language="")).get_by_text("À donner à la place du vôtre.")).to_be_visible()


def test_arabic_is_written_from_the_right_and_numbers_are_not(site: Site) -> None:
    site.answer = answer(language="ar", about={"text": "Pour qui insiste.", "language": "fr"})
    shown = site.open(tag(data_language="ar"))
    shows(shown, NATIONAL)
    section = shown.locator("section")
    assert section.evaluate("it => getComputedStyle(it).direction") == "rtl"
    whole, number = section.bounding_box(), shown.locator(".number bdi").bounding_box()
    assert whole is not None
    assert number is not None
    assert number["x"] > whole["x"] + whole["width"] / 3
    expect(shown.locator(".number bdi")).to_have_css("direction", "ltr")
    expect(shown.get_by_role("button", name="نسخ")).to_be_visible()
    expect(shown.locator("details p")).to_have_attribute("lang", "fr")
    expect(shown.locator("details p")).to_have_css("direction", "ltr")


def test_while_it_is_suspended_there_are_words_and_no_number(site: Site) -> None:
    site.answer = answer(**SUSPENDED)
    shown = site.open()
    expect(shown.get_by_text("This number rests.")).to_have_attribute("lang", "en")
    for gone in (".number", "button", "a[href^='tel:']"):
        expect(shown.locator(gone)).to_be_hidden()
    expect(shown.get_by_text("39 00 00")).to_have_count(0)
    expect(shown.get_by_role("link", name="Comment ça marche")).to_be_visible()
    assert site.complaints == []


def test_suspended_without_words_has_those_of_the_widget(site: Site) -> None:
    site.answer = answer(**{**SUSPENDED, "suspended": None})
    expect(site.open().get_by_text("Ce numéro n’est pas en service en ce moment.")).to_be_visible()


def test_a_page_that_is_no_longer_public_shows_no_number_of_the_tag(site: Site) -> None:
    site.answer = as_body('{"type": "urn:paravent:problem:not-found"}', 404)
    shown = site.open()
    expect(shown.get_by_text("Ce numéro n’est pas en service en ce moment.")).to_be_visible()
    for gone in (".number", "button", "a[href^='tel:']"):
        expect(shown.locator(gone)).to_be_hidden()
    expect(shown.get_by_role("link")).to_have_count(0)


# --- when Paravent does not answer ------------------------------------------------------------------------------------
FAILURES: dict[str, Answer] = {
    "500": answer(500),
    "503": as_body("", 503),
    "another's 404": as_body("<!doctype html><title>Not Found</title>", 404),
    "a 404 of JSON": as_body('{"detail": "Not found."}', 404),
    "no network": no_network,
    "HTML": as_body("<!doctype html><title>Maintenance</title>"),
    "nothing": as_body(""),
    "null": as_body("null"),
    "a list": as_body("[]"),
    "a text": as_body('"+33939000001"'),
    "an empty object": as_body("{}"),
    "no number": answer(number=None),
    "a number of another type": answer(number=33939000001),
    "a number in a list": answer(number=[NUMBER]),
    "a hostile number": answer(number="+33939000001;ext=<script>"),
    "everything hostile": as_body(
        json.dumps({name: HOSTILE_URL if name in {"page", "contact"} else HOSTILE for name in told()})
    ),
}


@pytest.mark.parametrize("failure", at_once(FAILURES, "500", "no network", "HTML", "everything hostile"))
def test_the_last_known_number_is_shown_where_there_is_no_answer(site: Site, failure: str) -> None:
    site.answer = FAILURES[failure]
    # Without a policy that would stop what runs.
    shown = site.open(policy="" if "hostile" in failure else STRICT)
    shows(shown, IN_TAG)
    expect(shown.get_by_text("Dernier numéro connu")).to_be_visible()
    expect(shown.get_by_role("link", name="Appeler")).to_have_attribute("href", "tel:+33939000099")
    expect(shown.get_by_role("link", name="Comment ça marche")).to_have_attribute("href", f"{PARAVENT}/fr/anti-relous/")
    assert len(site.asked) == 2  # anew, and from the browser's cache, which a test with routes does not have
    assert site.page.evaluate("window.ran") is None
    assert site.complaints == []


def test_without_any_number_a_link_leads_to_the_page(site: Site) -> None:
    site.answer = no_network
    shown = site.open(tag(data_number="call me"))
    expect(shown.get_by_text("Le numéro ne peut pas être affiché en ce moment.")).to_be_visible()
    expect(shown.get_by_role("link", name="Voir le numéro sur sa page")).to_have_attribute(
        "href", f"{PARAVENT}/fr/anti-relous/"
    )
    expect(shown.get_by_role("button")).to_have_count(0)


def test_what_is_hostile_beside_a_good_number_is_only_read(site: Site) -> None:
    hostile = dict.fromkeys(told(), HOSTILE)
    words = {"text": HOSTILE, "language": HOSTILE}
    known = {"state": "in_service", "number": NUMBER, "refresh_after": 60, "about": words, "suspended": words}
    site.answer = as_body(json.dumps({**hostile, **known, "page": HOSTILE_URL, "contact": HOSTILE_URL}))
    shown = site.open(policy="")
    shows(shown, NUMBER)
    expect(shown.locator("#name")).to_have_text(HOSTILE)
    assert shown.locator("script, img, svg, iframe, [onerror]").count() == 0
    addresses = shown.evaluate(
        "widget => [...widget.shadowRoot.querySelectorAll('[href]')].map((link) => link.getAttribute('href'))"
    )
    assert addresses == [f"tel:{NUMBER}", f"sms:{NUMBER}", f"{PARAVENT}/fr/anti-relous/"]
    assert site.page.evaluate("window.ran") is None
    assert site.complaints == []


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.test/fr/",
        "//evil.test/",
        "data:text/html,x",
        f"{PARAVENT}.evil.test/",
        "blob:http://paravent.test/1",
    ],
)
def test_a_link_leads_nowhere_else(site: Site, address: str) -> None:
    site.answer = answer(page=address, contact=address)
    shown = site.open()
    shows(shown, NATIONAL)
    expect(shown.get_by_role("link", name="Comment ça marche")).to_have_attribute("href", f"{PARAVENT}/fr/anti-relous/")
    expect(shown.get_by_role("link", name="Camille")).to_have_count(0)


def test_a_late_answer_is_waited_for_with_the_last_known_number(site: Site) -> None:
    site.page.clock.install()
    held: list[Route] = []
    site.answer = held.append
    shown = site.open()
    expect(shown.get_by_text("Un instant…")).to_be_visible()
    site.page.clock.run_for(2_500)
    shows(shown, IN_TAG)
    expect(shown.get_by_text("Dernier numéro connu")).to_be_visible()
    answer()(held[0])
    shows(shown, NATIONAL)
    expect(shown.get_by_text("Dernier numéro connu")).to_have_count(0)


def test_nobody_is_waited_for_longer_than_eight_seconds(site: Site) -> None:
    site.page.clock.install()
    site.answer = lambda _route: None
    shown = site.open()
    expect(shown.get_by_text("Un instant…")).to_be_visible()
    with site.page.expect_request("**/current/**"):
        site.page.clock.run_for(8_000)
    site.page.clock.run_for(8_000)
    shows(shown, IN_TAG)
    site.answer = answer()
    site.page.clock.run_for(MINUTE - 16_000)
    shows(shown, NATIONAL)
    assert site.complaints == []


def test_what_was_shown_before_is_kept_when_the_next_answer_fails(site: Site) -> None:
    site.page.clock.install()
    shown = site.open()
    shows(shown, NATIONAL)
    site.answer = answer(500)
    site.page.clock.run_for(MINUTE)
    expect(shown.get_by_text("Dernier numéro connu")).to_be_visible()
    shows(shown, NATIONAL)
    site.answer = answer()
    site.page.clock.run_for(MINUTE)
    expect(shown.get_by_text("Dernier numéro connu")).to_have_count(0)


def test_the_browsers_own_cache_knows_a_newer_number_than_the_tag(browser: Browser) -> None:
    """On a server of its own: Playwright switches the cache off where it answers itself."""
    silent = threading.Event()

    def answers(path: str) -> Sent | None:
        if path == widget.address():
            return Sent(the_file(), "text/javascript")
        if path.startswith("/api/"):
            # Stale at once, so that the browser asks again.
            return None if silent.is_set() else Sent(json.dumps(told()).encode(), "application/json", "max-age=0")
        return Sent(f"<!doctype html><title>Partner</title>{tag(src=widget.address())}".encode())

    with serving(answers) as url, contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(url)
        shown = page.locator("paravent-widget")
        shows(shown, NATIONAL)
        expect(shown.locator(".note")).to_be_empty()
        silent.set()
        page.goto(url)
        expect(shown.get_by_text("Dernier numéro connu")).to_be_visible()
        shows(shown, NATIONAL)


# --- asking again -----------------------------------------------------------------------------------------------------
def test_after_a_minute_another_number_is_shown_and_told(site: Site) -> None:
    site.page.clock.install()
    shown = site.open()
    shows(shown, NATIONAL)
    shown.get_by_role("button", name="Copier").focus()
    site.answer = answer(number="+33939000002", national="09 39 00 00 02", international="+33 9 39 00 00 02")
    site.page.clock.run_for(MINUTE - 1_000)
    assert len(site.asked) == 1
    site.page.clock.run_for(1_000)
    shows(shown, "09 39 00 00 02")
    expect(shown.get_by_role("status").filter(has_text="Le numéro a changé.")).to_be_visible()
    expect(shown.get_by_role("button", name="Copier")).to_be_focused()


@pytest.mark.parametrize(
    ("refresh_after", "waits"), [(1, 60), (-5, 60), ("soon", 60), (None, 60), (90, 90), (1e300, 3_600)]
)
def test_it_asks_no_more_often_than_every_minute_and_at_least_every_hour(
    site: Site, refresh_after: Any, waits: int
) -> None:
    site.page.clock.install()
    site.answer = answer(refresh_after=refresh_after)
    shows(site.open(), NATIONAL)
    site.page.clock.fast_forward((waits - 2) * 1_000)
    assert len(site.asked) == 1
    with site.page.expect_request("**/current/**"):
        site.page.clock.fast_forward(2_000)


def test_it_asks_only_while_somebody_looks(site: Site) -> None:
    site.page.clock.install()
    shown = site.open()
    shows(shown, NATIONAL)
    look = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    site.page.evaluate(look, True)
    site.page.clock.run_for(10 * MINUTE)
    assert len(site.asked) == 1
    site.answer = answer(number="+33939000002", national="09 39 00 00 02", international="+33 9 39 00 00 02")
    site.page.evaluate(look, False)
    site.page.clock.run_for(100)
    shows(shown, "09 39 00 00 02")
    for hidden in (True, False, True, False):
        site.page.evaluate(look, hidden)
        site.page.clock.run_for(1_000)
    assert len(site.asked) == 2


def test_a_widget_that_was_taken_away_asks_no_more_and_goes_on_when_it_is_back(site: Site) -> None:
    site.page.clock.install()
    shows(site.open(), NATIONAL)
    site.page.evaluate("window.kept = document.querySelector('paravent-widget'); kept.remove()")
    site.page.clock.run_for(3 * MINUTE)
    assert len(site.asked) == 1
    site.page.evaluate("document.body.append(kept)")
    with site.page.expect_request("**/current/**"):
        site.page.clock.run_for(MINUTE)


# --- where it is put --------------------------------------------------------------------------------------------------
def test_two_widgets_on_one_page_show_two_numbers(site: Site) -> None:
    def each(route: Route) -> None:
        slug = "zweite" if "/zweite/" in route.request.url else "anti-relous"
        changes = {"number": "+4915700000002", "national": "01570 0000002", "international": "+49 1570 0000002"}
        answer(slug=slug, name=slug, **(changes if slug == "zweite" else {}))(route)

    site.answer = each
    site.open(tag() + tag(data_hotline="zweite", data_language="de"))
    shows(site.page.locator("paravent-widget").nth(0), NATIONAL)
    shows(site.page.locator("paravent-widget").nth(1), "01570 0000002")
    expect(site.page.get_by_role("region", name="zweite").get_by_role("button", name="Kopieren")).to_be_visible()
    assert len(site.asked) == 2
    assert site.complaints == []


@pytest.mark.parametrize(
    ("target", "parent"), [("#here", "here"), ("#nowhere", "body"), ("<>", "body")], ids=["there", "absent", "nonsense"]
)
def test_it_goes_where_it_is_told_to(site: Site, target: str, parent: str) -> None:
    shown = site.open(f'{tag(data_target=target)}<div id="here"></div>', head=tag(data_target="#here"))
    shows(shown, NATIONAL)
    expect(site.page.locator("paravent-widget")).to_have_count(2)
    found = site.page.locator("paravent-widget").evaluate_all("all => all.map((one) => one.parentElement.id || 'body')")
    assert sorted(found) == sorted([parent, "here"])


def test_in_the_head_it_is_shown_in_the_body(site: Site) -> None:
    shown = site.open("<p>Text</p>", head=tag())
    shows(shown, NATIONAL)
    expect(shown).to_be_visible()


BY_A_SCRIPT = f"""(how) => {{
  const script = document.createElement("script");
  if (how === "module") script.type = "module";
  script.crossOrigin = "anonymous";
  script.integrity = "{widget.integrity()}";
  Object.assign(script.dataset, {{ hotline: "anti-relous", language: "fr" }});
  script.src = "{PARAVENT}{widget.address()}";
  document.body.append(script);
  if (how === "removed") script.remove();
}}"""


@pytest.mark.parametrize("how", ["script", "module", "removed"])
def test_a_script_may_put_it_in_later(site: Site, how: str) -> None:
    site.open("<p>Text</p>")
    site.page.evaluate(BY_A_SCRIPT, how)
    shows(site.widget, NATIONAL)
    site.page.wait_for_load_state("networkidle")
    expect(site.page.locator("paravent-widget")).to_have_count(1)
    assert site.complaints == []


def test_a_module_leaves_alone_what_has_begun(site: Site) -> None:
    shows(site.open(), NATIONAL)
    site.page.evaluate(BY_A_SCRIPT, "module")
    shows(site.page.locator("paravent-widget").nth(1), NATIONAL)
    site.page.wait_for_load_state("networkidle")
    expect(site.page.locator("paravent-widget")).to_have_count(2)


def test_partners_are_told_of_the_number(site: Site) -> None:
    site.page.clock.install()
    site.page.add_init_script(
        "window.told = [];"
        "addEventListener('paravent:number', (event) => told.push([event.target.localName, event.detail]))"
    )
    shown = site.open()
    shows(shown, NATIONAL)
    site.answer = answer(500)
    site.page.clock.run_for(MINUTE)
    expect(shown.get_by_text("Dernier numéro connu")).to_be_visible()
    site.answer = answer(**SUSPENDED)
    site.page.clock.run_for(2 * MINUTE)
    expect(shown.get_by_text("This number rests.")).to_be_visible()
    assert site.page.evaluate("told") == [
        ["paravent-widget", {"slug": "anti-relous", "number": number, "state": state}]
        for number, state in ((NUMBER, "in_service"), (NUMBER, "last_known"), (None, "suspended"))
    ]


# --- hands, eyes and ears ---------------------------------------------------------------------------------------------
def pasted(page: Page) -> str:
    """What is in the clipboard, as a visitor finds out."""
    page.evaluate(
        "() => { const field = document.createElement('textarea'); document.body.prepend(field); field.focus() }"
    )
    page.keyboard.press("Control+V")
    return page.locator("textarea").first.input_value()


@pytest.mark.parametrize("how", ["by the clipboard", "by selecting"])
def test_the_number_is_copied_and_it_is_said(site: Site, how: str) -> None:
    shown = site.open()
    if how == "by the clipboard":
        site.page.evaluate("navigator.clipboard ??= { writeText: async (text) => { window.copied = text } }")
    shows(shown, NATIONAL)
    shown.get_by_role("button", name="Copier").click()
    expect(shown.get_by_role("status").filter(has_text="Copié.")).to_be_visible()
    copied = site.page.evaluate("window.copied") if how == "by the clipboard" else pasted(site.page)
    assert copied == (NUMBER if how == "by the clipboard" else NATIONAL)


def test_where_nothing_can_be_copied_it_is_said_and_selected(site: Site) -> None:
    shown = site.open()
    shows(shown, NATIONAL)
    site.page.evaluate("document.execCommand = () => false")
    shown.get_by_role("button", name="Copier").click()
    expect(shown.get_by_role("status").filter(has_text="Copie impossible")).to_be_visible()
    assert site.page.evaluate("getSelection().toString()") == NATIONAL


def test_it_is_used_by_keyboard_alone(site: Site) -> None:
    shown = site.open()
    shows(shown, NATIONAL)
    focused = "document.activeElement.shadowRoot?.activeElement"
    reached = []
    for _ in range(7):
        site.page.keyboard.press("Tab")
        reached.append(site.page.evaluate(f"{focused}.textContent"))
        style = site.page.evaluate(
            f"(({{outlineStyle, outlineWidth}}) => [outlineStyle, outlineWidth])(getComputedStyle({focused}))"
        )
        assert style == ["solid", "3px"]
    assert [text.replace("\u00a0", " ").replace("\u2068", "").replace("\u2069", "") for text in reached] == [
        "Copier",
        "Appeler",
        "Écrire un SMS",
        "Enregistrer sous « Camille »",
        "À quoi sert ce numéro",
        "+33939000009",
        "Comment ça marche",
    ]
    shown.locator("summary").press("Enter")
    expect(shown.get_by_text("À donner à qui insiste.")).to_be_visible()
    shown.get_by_role("button").press("Space")
    expect(shown.get_by_text("Copié.")).to_be_visible()


@pytest.mark.parametrize("options", [{"viewport": {"width": 280, "height": 700}}], ids=["280 px"])
def test_on_a_narrow_screen_everything_has_room_and_the_size_of_a_fingertip(site: Site) -> None:
    shown = site.open()
    shows(shown, NATIONAL)
    assert site.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    targets = shown.locator("a, button, summary")
    for place in range(targets.count()):
        box = targets.nth(place).bounding_box()
        assert box is not None
        assert min(box["height"], box["width"]) >= 44, targets.nth(place).inner_text()
    line = shown.locator(".number").evaluate(
        "it => it.getBoundingClientRect().height / parseFloat(getComputedStyle(it).fontSize)"
    )
    assert line < 1.5


STATES: dict[str, Answer] = {"in service": answer(), "last known": answer(500), "suspended": answer(**SUSPENDED)}


@pytest.mark.parametrize("state", at_once(STATES, "in service"))
@pytest.mark.parametrize("options", [{"color_scheme": scheme} for scheme in ("light", "dark")], ids=["light", "dark"])
def test_it_breaks_no_rule_of_accessibility(site: Site, state: str) -> None:
    site.answer = STATES[state]
    shown = site.open(f'<main lang="fr">{tag(data_accent="#ffd24d")}{tag()}</main>')
    expect(site.page.locator("paravent-widget").nth(1).get_by_role("link", name="Comment ça marche")).to_be_visible()
    for summary in shown.locator("summary").all():
        if summary.is_visible():
            summary.click()
    site.page.evaluate("document.documentElement.lang = 'fr'")
    assert accessible.violations(site.page) == []


def test_that_rules_are_looked_at_inside_too(site: Site) -> None:
    css = "paravent-widget { --paravent-text: #777; --paravent-background: #888 }"
    shows(site.open(policy="", css=css), NATIONAL)
    assert "color-contrast" in "".join(accessible.violations(site.page))


UNREADABLE = """(widget, steps) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const luminance = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = getComputedStyle(widget.shadowRoot.querySelector("button"));
  const found = [];
  for (const r of steps) for (const g of steps) for (const b of steps) {
    widget.style.setProperty("--paravent-accent", `rgb(${r}, ${g}, ${b})`);
    const [low, high] = [style.color, style.backgroundColor].map(luminance).sort((one, other) => one - other);
    if ((high + 0.05) / (low + 0.05) < 4.5) found.push([r, g, b, style.color, style.backgroundColor]);
  }
  return found;
}"""


@pytest.mark.parametrize("options", [{"reduced_motion": "reduce"}], ids=["still"])
def test_every_accent_can_be_read_on(site: Site) -> None:
    shown = site.open()
    shows(shown, NATIONAL)
    assert shown.evaluate(UNREADABLE, [0, 60, 110, 118, 119, 125, 190, 255]) == []


def test_a_partners_style_sheet_changes_how_it_looks(site: Site) -> None:
    css = """paravent-widget { --paravent-accent: rgb(200, 0, 90); --paravent-text: rgb(1, 2, 3);
      --paravent-background: rgb(250, 240, 230); --paravent-border: rgb(9, 9, 9); --paravent-radius: 3px;
      --paravent-font: serif }
    section, p, button { color: red !important; display: none !important }"""
    shown = site.open(policy=f"{STRICT}; style-src {PARTNER}", css=css)
    shows(shown, NATIONAL)
    section, button = shown.locator("section"), shown.get_by_role("button")
    for where, name, value in (
        (button, "background-color", "rgb(200, 0, 90)"),
        (section, "color", "rgb(1, 2, 3)"),
        (section, "background-color", "rgb(250, 240, 230)"),
        (section, "border-top-color", "rgb(9, 9, 9)"),
        (section, "border-radius", "3px"),
        (section, "font-family", "serif"),
        (section, "display", "block"),
    ):
        expect(where).to_have_css(name, value)
    assert site.complaints == []


@pytest.mark.parametrize("options", [{"color_scheme": scheme} for scheme in ("light", "dark")], ids=["light", "dark"])
@pytest.mark.parametrize("theme", ["", "light", "dark"])
def test_light_and_dark_are_the_visitors_unless_the_tag_says_which(
    site: Site, options: dict[str, Any], theme: str
) -> None:
    shown = site.open(tag(data_theme=theme))
    dark = (theme or options["color_scheme"]) == "dark"
    expect(shown.locator("section")).to_have_css(
        "background-color", "rgb(24, 28, 39)" if dark else "rgb(255, 255, 255)"
    )


# --- the real thing ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def published(server: DemoServer) -> str:
    """The demo's number on a page; returns the page's id."""
    made = (
        "from hotlines.models import Hotline; from pages.models import Page;"
        "number = Hotline.objects.filter(state='active').first();"
        "page = Page.objects.create(organization=number.organization, hotline=number, slug='demo', name='Demo',"
        " published=True);"
        "print('made', page.pk)"
    )
    return processes.manage(server.environment, "shell", "-c", made).split("made")[1].strip()


def test_a_real_server_answers_a_page_of_another_host(browser: Browser, server: DemoServer, published: str) -> None:
    pasted_in = tag(src=server.url + widget.address(), data_hotline="demo", data_language="", data_name="")
    html = f"<!doctype html><meta charset=windows-1252><title>Partner</title>{pasted_in}".encode()
    strict = {"Content-Security-Policy": f"default-src 'none'; script-src {server.url}; connect-src {server.url}"}
    complaints: list[str] = []
    with (
        serving(lambda path: Sent(html, headers=strict) if path == "/" else Sent(b"", status=204)) as url,
        contextlib.closing(browser.new_context(locale="en-GB")) as context,
    ):
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        with page.expect_response("**/api/v1/hotlines/demo/current/**") as answered:
            page.goto(url)
        assert answered.value.status == 200, answered.value.text()
        shown = page.locator("paravent-widget")
        shows(shown, answered.value.json()["national"])
        expect(shown.locator(".note")).to_be_empty()
        expect(shown.get_by_role("link", name="How it works")).to_have_attribute("href", f"{server.url}/en/demo/")
        assert [said for said in complaints if "favicon" not in said] == []
        assert context.cookies() == []


def test_the_builder_shows_what_it_writes(
    page: Page, server: DemoServer, published: str, complaints: list[str]
) -> None:
    page.goto(f"{server.url}/admin/pages/page/{published}/change/")
    page.locator("a[href$='/widget/']:visible").first.click()
    shown = page.locator("paravent-widget")
    expect(shown.locator(".number")).to_be_visible()
    assert accessible.violations(page) == []
    written = page.locator("#widget-tag")
    page.locator("input[name=theme][value=dark]").check()
    expect(shown.locator("section")).to_have_css("background-color", "rgb(24, 28, 39)")
    expect(written).to_have_value(re.compile(' data-theme="dark" defer></script>'))
    page.locator("input[name=own]").check()
    page.locator("input[name=accent]").fill("#ffd24d")
    expect(shown.get_by_role("button")).to_have_css("background-color", "rgb(255, 210, 77)")
    expect(written).to_have_value(re.compile(' data-theme="dark" data-accent="#ffd24d" defer></script>'))
    page.get_by_role("link", name="English").click()
    expect(shown.get_by_role("button", name="Copy", exact=True)).to_have_css("background-color", "rgb(255, 210, 77)")
    expect(written).to_have_value(re.compile('data-language="en".* data-theme="dark" data-accent="#ffd24d" defer>'))
    page.locator("[data-copy=widget-tag]").click()
    expect(page.locator("#widget-tag-said")).not_to_be_empty()
    assert page.evaluate("navigator.clipboard.readText()") == written.input_value()
    page.locator("input[name=theme][value='']").check()
    page.locator("input[name=own]").uncheck()
    expect(written).not_to_have_value(re.compile("theme|accent"))
    assert accessible.violations(page) == []
    assert complaints == []
