"""Headless Chromium, the one that the machine has; nothing is downloaded."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Missing(Exception):
    """There is no Chromium here; the text is one line that says what to install."""


def find() -> str:
    """The path of Chromium. Raises `Missing`."""
    named = os.environ.get("PARAVENT_TEST_CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise Missing("needs Chromium: apt install chromium, or PARAVENT_TEST_CHROMIUM=<its path>")
    return found


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that ends with the block. Raises `Missing`."""
    path = find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        try:
            yield browser
        finally:
            browser.close()
