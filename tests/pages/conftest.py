"""A partner's page in a visitor's browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.partner_site import Site


@pytest.fixture
def options() -> dict[str, Any]:
    """Of the visitor's browser."""
    return {}


@pytest.fixture
def site(browser: Browser, options: dict[str, Any]) -> Iterator[Site]:
    context = browser.new_context(**{"locale": "fr-FR", **options})
    yield Site(context)
    context.close()
