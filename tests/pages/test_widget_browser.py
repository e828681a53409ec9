"""The widget on a partner's page, in a real browser and under a strict policy: what is shown, and where."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect
from tests.partner_site import (
    INTERNATIONAL,
    MINUTE,
    NATIONAL,
    NUMBER,
    PARAVENT,
    SUSPENDED,
    Site,
    answer,
    as_body,
    shows,
    tag,
)

from pages import widget

pytestmark = [pytest.mark.browser, pytest.mark.processes]


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
