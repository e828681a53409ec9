"""The widget whatever answers: the last known number, nothing hostile, and when it asks again."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect
from tests.partner_site import (
    HOSTILE,
    HOSTILE_URL,
    IN_TAG,
    MINUTE,
    NATIONAL,
    NUMBER,
    PARAVENT,
    STRICT,
    Answer,
    Sent,
    Site,
    answer,
    as_body,
    at_once,
    no_network,
    serving,
    shows,
    tag,
    the_file,
    told,
)

from pages import widget

pytestmark = [pytest.mark.browser, pytest.mark.processes]


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
