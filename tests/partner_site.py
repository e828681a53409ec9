"""A partner's page in a browser, with the widget on it and a Paravent that answers as a test wants it to."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from playwright.sync_api import BrowserContext, Locator, Request, Route, expect

from pages import widget

PARTNER, PARAVENT = "http://partner.test", "http://paravent.test"
STRICT = f"default-src 'none'; script-src {PARAVENT}; connect-src {PARAVENT}"
NUMBER, NATIONAL, INTERNATIONAL = "+33939000001", "09 39 00 00 01", "+33 9 39 00 00 01"
IN_TAG = "+33 9 39 00 00 99"
_CROSS_ORIGIN = {"Access-Control-Allow-Origin": "*"}

Answer = Callable[[Route], None]


def told(**changes: Any) -> dict[str, Any]:
    """What the API answers."""
    return {
        "slug": "anti-relous",
        "language": "fr",
        "name": "Anti-relous",
        "organization": "North",
        "state": "in_service",
        "number": NUMBER,
        "international": INTERNATIONAL,
        "national": NATIONAL,
        "about": {"text": "À donner à qui insiste.", "language": "fr"},
        "suspended": None,
        "contact_name": "Camille",
        "try_number": "+33939000009",
        "page": f"{PARAVENT}/fr/anti-relous/",
        "contact": f"{PARAVENT}/fr/anti-relous/contact.vcf",
        "refresh_after": 60,
        **changes,
    }


SUSPENDED: dict[str, Any] = {
    "state": "suspended",
    "number": None,
    "international": None,
    "national": None,
    "contact": None,
    "suspended": {"text": "This number rests.", "language": "en"},
}


def answer(status: int = 200, **changes: Any) -> Answer:
    return as_body(json.dumps(told(**changes)), status)


def as_body(body: str, status: int = 200) -> Answer:
    return lambda route: route.fulfill(status=status, body=body, content_type="application/json", headers=_CROSS_ORIGIN)


def no_network(route: Route) -> None:
    route.abort()


def tag(**given: str) -> str:
    attributes = {
        "src": f"{PARAVENT}{widget.address()}",
        "integrity": widget.integrity(),
        "crossorigin": "anonymous",
        "data-hotline": "anti-relous",
        "data-language": "fr",
        "data-number": IN_TAG,
        "data-name": "Anti-relous",
        **{name.replace("_", "-"): value for name, value in given.items()},
    }
    written = " ".join(f'{name}="{value}"' for name, value in attributes.items() if value)
    return f"<script {written} defer></script>"


class Site:
    """A partner's page, and a Paravent that answers as it is told. What is asked of it is kept in `asked`."""

    def __init__(self, context: BrowserContext) -> None:
        self.answer: Answer = answer()
        self.asked: list[Request] = []
        self.complaints: list[str] = []
        self._body = self._head = self._css = ""
        self._policy = STRICT
        context.route("**/*", self._answered)
        self.page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))

    def open(
        self, body: str | None = None, *, policy: str = STRICT, head: str = "", css: str = "", at: str = PARTNER
    ) -> Locator:
        """The page with `body`; returns its (first) widget."""
        self._body, self._policy, self._head, self._css = tag() if body is None else body, policy, head, css
        self.page.goto(f"{at}/")
        return self.widget

    @property
    def widget(self) -> Locator:
        return self.page.locator("paravent-widget").first

    def _heard(self, said: Any) -> None:
        # The browser itself tells of every answer that is none.
        if said.type in {"error", "warning"} and not said.text.startswith("Failed to load resource"):
            self.complaints.append(said.text)

    def _answered(self, route: Route) -> None:
        scheme, _, rest = route.request.url.partition("://")
        host, _, path = rest.partition("/")
        if host == "partner.test":
            self._partner(route, path)
        elif host == "paravent.test" and f"/{path}" == widget.address():
            # Like a server that says no charset.
            route.fulfill(body=the_file(), content_type="text/javascript", headers=_CROSS_ORIGIN)
        elif host == "paravent.test" and path.startswith("api/v1/hotlines/"):
            self.asked.append(route.request)
            self.answer(route)
        else:
            self.complaints.append(f"{scheme}://{rest}")
            route.abort()

    def _partner(self, route: Route, path: str) -> None:
        if path == "site.css":
            route.fulfill(body=self._css, content_type="text/css")
        elif path:
            route.fulfill(status=404, body="")
        else:
            link = '<link rel="stylesheet" href="/site.css">' if self._css else ""
            # Of another charset than the widget's file.
            html = f'<!doctype html><html><meta charset="windows-1252"><title>Partner</title>{link}{self._head}'
            route.fulfill(
                body=f"{html}<body>{self._body}",
                content_type="text/html",
                headers={"Content-Security-Policy": self._policy} if self._policy else {},
            )


def the_file() -> bytes:
    found = finders.find(widget.path())
    assert found is not None
    return Path(found).read_bytes()


# --- for tests of the widget ------------------------------------------------------------------------------------------
MINUTE = 60_000

#: Runs where something is put into a page as HTML.
HOSTILE = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
HOSTILE_URL = "javascript:window.ran=1"


def at_once(names: Iterable[str], *chosen: str) -> list[Any]:
    """The others with `make tour`: a released file does not change, and `test_widget` holds its bytes."""
    return [name if name in chosen else pytest.param(name, marks=pytest.mark.proof) for name in names]


def shows(shown: Locator, number: str) -> None:
    expect(shown.locator(".number")).to_have_text(number)


# --- a host -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Sent:
    """An answer of a server of `serving`."""

    body: bytes
    kind: str = "text/html"
    cache: str = "no-store"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def serving(answers: Callable[[str], Sent | None]) -> Iterator[str]:
    """A host of its own on loopback, by its URL; where `answers` gives None, the connection ends without a word."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = answers(self.path)
            if sent is None:
                self.close_connection = True
                return
            self.send_response(sent.status)
            own = {"Content-Type": sent.kind, "Content-Length": str(len(sent.body)), "Cache-Control": sent.cache}
            for name, value in {**own, **sent.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent.body)

        def log_message(self, *_arguments: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
