"""The widget as it is used: copied, by keyboard, on a narrow screen, in any colour, and from a real server."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests import accessible, processes
from tests.demo_server import DemoServer
from tests.partner_site import (
    NATIONAL,
    NUMBER,
    PARTNER,
    STRICT,
    SUSPENDED,
    Answer,
    Sent,
    Site,
    answer,
    at_once,
    serving,
    shows,
    tag,
)

from pages import widget

pytestmark = [pytest.mark.browser, pytest.mark.processes]


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
