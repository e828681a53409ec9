"""Fixtures for tests of pages in a browser: one Chromium and one demo for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests import chromium
from tests.demo_server import DemoServer

PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with chromium.chromium() as started:
            yield started
    except chromium.Missing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    with DemoServer(tmp_path_factory.mktemp("demo")) as started:
        yield started


@pytest.fixture
def complaints() -> list[str]:
    """Errors of scripts, violations of the policy, dialogs, and requests to other hosts."""
    return []


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(locale="fr-FR", viewport={"width": 1440, "height": 900})
    opened.grant_permissions(["clipboard-read", "clipboard-write"])
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext, server: DemoServer, complaints: list[str]) -> Page:
    """Signed in as the demo's owner."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on(
        "request", lambda asked: None if asked.url.startswith((server.url, "data:")) else complaints.append(asked.url)
    )
    page.goto(f"{server.url}/admin/")
    page.get_by_label("Nom d’utilisateur").fill(server.user)
    page.get_by_label("Mot de passe").fill(server.password)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}/admin/")
    return page
