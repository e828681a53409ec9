"""The widget's tag and file: what partners paste, and the bytes that they pin."""

from __future__ import annotations

import gzip
import html.parser
import re
import tomllib
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse
from tests.people import signed_in
from tests.world import World

from hotlines.models import Hotline
from pages import widget
from pages.models import Page

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("in_english")]

RELEASED: dict[str, str] = tomllib.loads((Path(widget.__file__).parent / "released.toml").read_text())["sha384"]
HOSTILE = """"><script>alert(1)</script>' onload='alert(2)' </script> defer></script><!-- {{ 7*7 }}"""


class Tags(html.parser.HTMLParser):
    """What a browser makes of a snippet: each element that begins, with its attributes, and the text between."""

    def __init__(self, snippet: str) -> None:
        super().__init__()
        self.begun: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(snippet)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.begun.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def a_page(world: World, **changes: object) -> Page:
    return Page.objects.create(
        **{
            "organization": world.north.organization,
            "hotline": world.north.hotline,
            "slug": "anti-relous",
            "name": "Anti-relous",
            "published": True,
            **changes,
        }
    )


def source(version: int = widget.VERSION) -> str:
    found = finders.find(widget.path(version))
    assert found is not None
    return Path(found).read_text(encoding="utf-8")


def test_a_tag_says_everything_that_the_widget_needs(world: World) -> None:
    read = Tags(widget.snippet(a_page(world), "de", theme="dark", accent="#39508f"))
    assert read.begun == [
        (
            "script",
            {
                "src": "https://hotline.example.org/static/pages/widget-1.js",
                "integrity": widget.integrity(),
                "crossorigin": "anonymous",
                "data-hotline": "anti-relous",
                "data-language": "de",
                "data-number": "+33 9 37 00 00 01",
                "data-name": "Anti-relous",
                "data-theme": "dark",
                "data-accent": "#39508f",
                "defer": None,
            },
        ),
        ("noscript", {}),
        ("a", {"href": "https://hotline.example.org/de/anti-relous/"}),
    ]
    assert read.texts == ["Anti-relous"]


def test_a_hostile_name_stays_a_name(world: World) -> None:
    read = Tags(widget.snippet(a_page(world, name=HOSTILE, names={"fr": f"fr {HOSTILE}"}), "fr"))
    assert [tag for tag, _attributes in read.begun] == ["script", "noscript", "a"]
    assert read.begun[0][1]["data-name"] == f"fr {HOSTILE}"
    assert "onload" not in read.begun[0][1]
    assert read.texts == [f"fr {HOSTILE}"]


def test_a_number_out_of_service_is_in_no_tag(world: World) -> None:
    world.north.hotline.state = Hotline.State.SILENT
    world.north.hotline.save()
    snippet = widget.snippet(a_page(world), "fr")
    assert "data-number" not in snippet
    assert "37 00 00 01" not in snippet


def test_released_files_are_what_they_were() -> None:
    """A change of a released file breaks every site that pins it: give it a new name, and a line in released.toml."""
    versions = {f"widget-{version}.js": widget.integrity(version) for version in range(1, widget.VERSION + 1)}
    assert versions == RELEASED


def test_a_file_that_is_not_there_has_no_integrity() -> None:
    with pytest.raises(FileNotFoundError):
        widget.integrity(widget.VERSION + 1)


@pytest.mark.parametrize("version", range(1, widget.VERSION + 1))
def test_the_file_is_small_and_reaches_for_nothing(version: int) -> None:
    written = source(version)
    assert len(gzip.compress(written.encode(), 9)) < 10_000
    # Without a charset on the way, and on a page of another, it is UTF-8 all the same.
    assert written.startswith("\ufeff")
    assert re.findall(r"https?:/|[\"'`(]//|\bwww\.|\bws[s]?:", written) == []
    for forbidden in (
        "cookie",
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "caches",
        "serviceWorker",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "srcdoc",
        "document.write",
        "eval",
        "Function(",
        "import",
        "XMLHttpRequest",
        "sendBeacon",
        "WebSocket",
        "EventSource",
        "postMessage",
    ):
        # "!important" and a style sheet's words are no code.
        assert re.search(rf"(?<![\w!]){re.escape(forbidden)}(?!\w)", written, re.IGNORECASE) is None, forbidden
    assert written.count("fetch(") == 1


# --- the builder ------------------------------------------------------------------------------------------------------
def built(world: World, page: Page, **asked: str) -> str:
    answer = signed_in(world.north.viewer).get(reverse("admin:pages_page_widget", args=(page.pk,)), asked)
    assert answer.status_code == 200
    found: str = answer.context["snippet"]
    return found


def test_who_may_only_look_takes_the_tag_along(world: World) -> None:
    page = a_page(world)
    assert 'data-language="en"' in built(world, page)
    chosen = built(world, page, language="ar", theme="light", accent="#AA00ff")
    assert 'data-language="ar"' in chosen
    assert 'data-theme="light" data-accent="#AA00ff" defer' in chosen


def test_what_cannot_be_chosen_is_not_in_the_tag(world: World) -> None:
    snippet = built(world, a_page(world), language='x" y', theme='dark" onload="', accent="#39508f;}")
    assert 'data-language="fr"' in snippet
    assert "theme" not in snippet
    assert "accent" not in snippet


def test_the_tag_of_another_organizations_page_is_not_there(world: World) -> None:
    page = a_page(world)
    answer = signed_in(world.south.owner).get(reverse("admin:pages_page_widget", args=(page.pk,)))
    assert answer.status_code == 404


@pytest.mark.parametrize("changes", [{"published": False}, {"hotline": None}], ids=["unpublished", "a list"])
def test_what_nobody_may_see_or_has_no_number_is_not_embedded(world: World, changes: dict[str, object]) -> None:
    page = a_page(world, **changes)
    client = signed_in(world.north.owner)
    url = reverse("admin:pages_page_widget", args=(page.pk,))
    assert url not in client.get(reverse("admin:pages_page_change", args=(page.pk,))).content.decode()
    assert client.get(url).status_code == 404


def test_a_published_page_leads_to_its_tag(world: World) -> None:
    page = a_page(world)
    url = reverse("admin:pages_page_widget", args=(page.pk,))
    assert (
        url in signed_in(world.north.viewer).get(reverse("admin:pages_page_change", args=(page.pk,))).content.decode()
    )


def test_a_hostile_name_does_not_run_in_the_builder(world: World) -> None:
    page = a_page(world, name=HOSTILE)
    shown = signed_in(world.north.viewer).get(reverse("admin:pages_page_widget", args=(page.pk,))).content.decode()
    assert "<script>alert(1)" not in shown
    assert "</script> defer></script><!--" not in shown
