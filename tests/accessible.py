"""WCAG 2.2 AA as axe-core sees it in the page that is open: https://www.deque.com/axe/core-documentation/"""

from __future__ import annotations

import functools
import importlib.resources
from typing import Any

from playwright.sync_api import Page

_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@functools.cache
def _script() -> str:
    return (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """One line for each rule that is broken, with the first elements that break it; nothing where all is well."""
    page.evaluate(_script())
    found: Any = page.evaluate("(standards) => axe.run(document, {runOnly: standards})", _STANDARDS)
    return [
        f"{broken['id']}: {broken['help']} {[node['html'][:160] for node in broken['nodes'][:3]]}"
        for broken in found["violations"]
    ]
