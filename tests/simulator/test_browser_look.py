"""How the phone's page holds up: on a narrow screen, in the dark, right to left, for a screen reader."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.demo_server import DemoServer

from .conftest import PATIENCE_MS, Open

pytestmark = [pytest.mark.browser, pytest.mark.processes]

#: WCAG 2.2, 1.4.3: the relative luminance of what is written against the nearest opaque ground below it, alpha blended.
CONTRASTS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const blend = (layers) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const layer of layers) { canvas.fillStyle = layer; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest(".unseen, script")) continue;
    const layers = [];
    for (let up = element; up; up = up.parentElement) layers.unshift(getComputedStyle(up).backgroundColor);
    const ground = luminance(blend(layers));
    const ink = luminance(blend([...layers, getComputedStyle(element).color]));
    const ratio = (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05);
    found.push({ text: walker.currentNode.data.trim().slice(0, 40), ratio: Math.round(ratio * 100) / 100 });
  }
  return found;
}"""


def blocked_phone(server: DemoServer, open_phone: Open, phone: str, **options: Any) -> Page:
    """A page on which everything is to be seen: both sides' bubbles, the steps, and a block."""
    page = open_phone(server, phone, **options)
    page.locator("#text").fill("Salut")
    page.locator("#text").press("Enter")
    expect(page.locator("#bubbles .arrived")).to_have_count(1, timeout=PATIENCE_MS)
    page.locator("#text").fill("STOP")
    page.locator("#text").press("Enter")
    expect(page.locator("#block")).to_be_visible(timeout=PATIENCE_MS)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_written_has_the_contrast_of_aa(server: DemoServer, open_phone: Open, scheme: str) -> None:
    page = blocked_phone(server, open_phone, f"3363998010{len(scheme)}", color_scheme=scheme)
    found = page.evaluate(CONTRASTS)
    assert len(found) > 40
    assert [entry for entry in found if entry["ratio"] < 4.5] == []


@pytest.mark.parametrize("width", [280, 320, 360, 768, 1280])
def test_no_width_needs_scrolling_sideways(server: DemoServer, open_phone: Open, width: int) -> None:
    page = open_phone(server, f"3363998011{width % 7}", viewport={"width": width, "height": 640})
    page.locator("#text").fill("Un_mot_sans_fin_" * 20)
    page.locator("#text").press("Enter")
    expect(page.locator("#bubbles .arrived").first).to_be_visible(timeout=PATIENCE_MS)
    assert page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]") == [width] * 2
    for part in ("#text", "#composer .send", "#bubbles .written"):
        box = page.locator(part).first.bounding_box()
        assert box is not None
        assert box["x"] >= 0, part
        assert box["x"] + box["width"] <= width, part


def test_right_to_left_mirrors_the_page_and_not_the_numbers(server: DemoServer, open_phone: Open) -> None:
    page = blocked_phone(server, open_phone, "33639980120")
    page.evaluate("document.documentElement.dir = 'rtl'")
    written, arrived = (
        page.locator(f"#bubbles .{side} .bubble").first.bounding_box() for side in ("written", "arrived")
    )
    assert written is not None
    assert arrived is not None
    assert written["x"] < arrived["x"]
    number = page.locator("#contact-number")
    assert number.evaluate("number => [getComputedStyle(number).direction, number.textContent]") == [
        "ltr",
        "+33 1 99 00 12 17",
    ]


def test_everything_that_is_used_has_a_name(server: DemoServer, open_phone: Open) -> None:
    page = blocked_phone(server, open_phone, "33639980121")
    controls = page.locator("main button, main input, main select, main textarea, header button, header a")
    visible = [control for control in controls.all() if control.is_visible()]
    assert len(visible) > 10
    names = [control.aria_snapshot().splitlines()[0] for control in visible]
    assert [name for name in names if not re.match(r'- \w+ ".+"', name)] == []
    tree = page.locator("body").aria_snapshot()
    for heading in ('heading "Paravent téléphone simulé" [level=1]', 'heading "Ce qui se passe derrière" [level=2]'):
        assert heading in tree


def test_what_arrives_is_said_to_a_screen_reader_once(server: DemoServer, open_phone: Open) -> None:
    page = open_phone(server, "33639980122")
    page.evaluate("""() => {
        window.said = [];
        const status = document.getElementById("announce");
        new MutationObserver(() => window.said.push(status.textContent)).observe(status, { childList: true });
    }""")
    page.locator("#text").fill("Salut")
    page.locator("#text").press("Enter")
    expect(page.locator("#steps [data-step=delivered]")).to_have_attribute("data-state", "done", timeout=PATIENCE_MS)
    (said,) = page.evaluate("window.said")
    assert said.startswith("Réponse de Anti-harcèlement\N{NO-BREAK SPACE}: ")
    assert page.locator("#announce").get_attribute("role") == "status"
