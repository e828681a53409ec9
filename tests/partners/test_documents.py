"""The API's description: in the repository as it is served, and on a page that loads nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from playwright.sync_api import Browser, expect
from tests.demo_server import DemoServer

DESCRIPTION = Path(__file__).parents[2] / "docs" / "partners" / "openapi.yaml"


@pytest.fixture
def described() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
    return made


@pytest.mark.once
def test_the_description_in_docs_is_the_one_that_is_served() -> None:
    """`make openapi` writes it."""
    with translation.override("en"):
        made = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        rendered = OpenApiYamlRenderer().render(made, renderer_context={})  # type: ignore[no-untyped-call]
    assert yaml.safe_load(rendered) == yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))


@pytest.mark.once
def test_every_operation_says_what_it_does_and_how_it_refuses(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["operationId"], where
            assert len(operation["description"]) > 10, where
            assert "404" in operation["responses"], where
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"], (where, status)
            if operation.get("security"):
                assert {"401", "403", "429"} <= set(operation["responses"]), where


@pytest.mark.once
def test_the_description_is_read_by_anybody_without_the_database(django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        answer = Client().get("/api/v1/schema/")
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")


@pytest.mark.browser
@pytest.mark.processes
def test_the_page_of_the_api_loads_nothing_from_elsewhere(browser: Browser, server: DemoServer) -> None:
    page = browser.new_context().new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request", lambda asked: None if asked.url.startswith((server.url, "data:")) else complaints.append(asked.url)
    )
    page.goto(f"{server.url}/api/v1/docs/")
    expect(page.get_by_text("/api/v1/hotlines/{slug}/current/").first).to_be_visible(timeout=30_000)
    assert complaints == []
