"""The demo's organization, a way for the outbox to reach the loopback carrier without a server, and a browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.http import HttpResponse
from django.test import Client
from playwright.sync_api import Browser, Page
from tests.demo_server import DemoServer
from tests.signing import PUBLIC

from hotlines.models import Hotline
from providers import http
from simulator import demo

PHONE = "33639980123"
Open = Callable[..., Page]
PATIENCE_MS = 30_000


@pytest.fixture
def hotline(db: None) -> Hotline:
    demo.load()
    return Hotline.objects.select_related("account").get(number="+33199001217")


@pytest.fixture
def delayed_hotline(hotline: Hotline) -> Hotline:
    return Hotline.objects.select_related("account").get(number="+33199001705")


@pytest.fixture
def carrier_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the outbox sends goes through this process's own WSGI application.

    As in Django's own test client, a request's end must not close the connection of the test's transaction.
    """
    monkeypatch.setattr(connections["default"], "close_if_unusable_or_obsolete", lambda: None)
    client = httpx.Client(transport=httpx.WSGITransport(app=WSGIHandler()))
    monkeypatch.setattr(http, "client", lambda: client)


@pytest.fixture(autouse=True)
def _hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, PUBLIC.removeprefix("https://")]


def basic(auth_id: str, token: str) -> str:
    return "Basic " + base64.b64encode(f"{auth_id}:{token}".encode()).decode()


def sign(hotline: Hotline, text: str, phone: str = PHONE) -> HttpResponse:
    order = json.dumps({"hotline": str(hotline.uuid), "phone": phone, "text": text})
    return Client().post("/simulator/sign/", order, content_type="application/json")


def post(signed: dict[str, Any]) -> HttpResponse:
    """What the page's script does with a signed request."""
    headers = dict(signed["headers"])
    return Client().post(signed["path"], signed["body"], content_type=headers.pop("Content-Type"), headers=headers)


def write(hotline: Hotline, text: str, phone: str = PHONE) -> str:
    """Text the hotline as the page does; returns the message's uuid."""
    signed = sign(hotline, text, phone).json()
    assert post(signed["request"]).status_code == 200
    return str(signed["uuid"])


def state(hotline: Hotline, phone: str = PHONE, language: str = "en") -> dict[str, Any]:
    answer = Client().get(
        "/simulator/state/", {"hotline": hotline.uuid, "phone": phone}, headers={"Accept-Language": language}
    )
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


# --- in a browser ----------------------------------------------------------------------------------------------------
@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about: errors of scripts, refused resources, violations of the policy."""
    return []


@pytest.fixture
def open_phone(browser: Browser, complaints: list[str]) -> Iterator[Open]:
    contexts = []

    def open_phone(server: DemoServer, phone: str, *, locale: str = "fr-FR", **options: Any) -> Page:
        context = browser.new_context(locale=locale, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(f"{server.url}/simulator/?from={phone}")
        return page

    yield open_phone
    for context in contexts:
        context.close()
