"""Fixtures for tests of pages in a browser: one Chromium and one demo for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests import chromium
from tests.demo_server import DemoServer


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
