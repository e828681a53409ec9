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


#: A colour on its way to another one is neither, and is not what somebody reads.
_AT_REST = """async () => {
  const roots = [document, ...[...document.querySelectorAll("*")].map((host) => host.shadowRoot).filter(Boolean)];
  const ends = (one) => one.playState === "running" && isFinite(one.effect.getComputedTiming().endTime);
  const moving = roots.flatMap((root) => root.getAnimations()).filter(ends);
  await Promise.allSettled(moving.map((one) => one.finished));
}"""


def violations(page: Page) -> list[str]:
    """One line for each rule that is broken, with the first elements that break it; nothing where all is well."""
    page.evaluate(_script())
    page.evaluate(_AT_REST)
    found: Any = page.evaluate("(standards) => axe.run(document, {runOnly: standards})", _STANDARDS)
    return [
        f"{broken['id']}: {broken['help']} {[node['html'][:160] for node in broken['nodes'][:3]]}"
        for broken in found["violations"]
    ]
