"""Public pages: what everybody reads, and what caches may keep for everybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests.people import signed_in
from tests.world import World

from hotlines import rotation
from hotlines.models import Campaign, Hotline
from pages import views
from pages.models import Page
from replies.models import Purpose, ReplyTemplate

pytestmark = pytest.mark.once

LANGUAGES = [code for code, _label in settings.LANGUAGES]
PATHS = ("/n/{slug}/", "/en/{slug}/", "/en/{slug}/contact.vcf", "/en/{slug}/poster.pdf")
MakePage = Callable[..., Page]


class Elements(HTMLParser):
    """What a page is made of, by tag and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def links(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == "a"]

    def addresses(self) -> list[str]:
        return [attributes["href"] or "" for attributes in self.links()]


@pytest.fixture
def make_page(world: World) -> MakePage:
    """One of North's, with its number where nothing else is said."""

    def made(slug: str = "anti-relous", **fields: Any) -> Page:
        chosen = {} if "campaign" in fields else {"hotline": world.north.hotline}
        defaults = {"organization": world.north.organization, "name": "Anti-relous", "published": True}
        return Page.objects.create(slug=slug, **{**defaults, **chosen, **fields})

    return made


@pytest.fixture
def page(make_page: MakePage) -> Page:
    return make_page()


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept for a moment is tested in `test_kept`; here rows change behind its back."""
    for each in (views._pages, views._posters):
        monkeypatch.setattr(each, "seconds", -1.0)


def read(client: Client, path: str = "/en/anti-relous/", **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, path
    return answer.content.decode()


def flat(html: str) -> str:
    """On one line, without the space that an attribute left out leaves."""
    return " ".join(html.split()).replace(" >", ">")


def suspend(hotline: Hotline) -> None:
    Hotline.objects.filter(pk=hotline.pk).update(state="suspended", state_reason="raid")


def spare(world: World, number: str = "+33937000009", **fields: Any) -> Hotline:
    north = world.north
    defaults = {"name": "Spare", "kind": "anti-harassment", "state": "active"}
    return Hotline.objects.create(
        organization=north.organization, account=north.account, number=number, **{**defaults, **fields}
    )


# --- what it says ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_read_in_each_language(page: Page, client: Client, language: str) -> None:
    answer = client.get(f"/{language}/anti-relous/", headers={"Accept-Language": "en"})
    html = answer.content.decode()
    assert answer.status_code == 200
    assert answer["Content-Language"] == language
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in html
    assert "09 37 00 00 01" in html
    assert f'href="https://{language}.wikipedia.org/" rel="noreferrer"' in html


def test_it_says_the_number_in_all_ways_to_use_it(page: Page, client: Client) -> None:
    html = read(client)
    elements = Elements(html)
    assert '<bdi dir="ltr" id="national">09 37 00 00 01</bdi>' in html
    assert '<bdi dir="ltr" id="international">+33 9 37 00 00 01</bdi>' in html
    for address in (
        "tel:+33937000001",
        "sms:+33937000001",
        "/en/anti-relous/contact.vcf",
        "/en/anti-relous/poster.pdf",
        reverse("rights:begin", args=(page.hotline.uuid,)) if page.hotline else "",
    ):
        assert address in elements.addresses()
    assert "North" in html
    assert "“Camille”" in html
    assert '<div role="img" aria-label="QR code that saves 09 37 00 00 01 as “Camille”"><svg' in html


def test_it_quotes_the_reply_in_the_pages_language_and_then_in_the_others(page: Page, client: Client) -> None:
    html = read(client, "/en/anti-relous/")
    assert html.index("Reply of North.") < html.index("<details>") < html.index("Réponse de North.")
    assert '<dd class="bubble" lang="fr" dir="ltr">' in flat(html)
    french = read(client, "/fr/anti-relous/")
    assert french.index("Réponse de North.") < french.index("Reply of North.")
    assert "North line" not in html
    assert "South" not in html


def test_words_of_another_language_are_marked_as_such(make_page: MakePage, client: Client) -> None:
    make_page(names={"ar": "ضد المتطفلين"}, abouts={"ar": "رقم تعطيه بدل رقمك."})
    html = flat(read(client))
    assert '<h1><bdi lang="fr" dir="ltr">Anti-relous' in html
    assert '<div lang="ar" dir="rtl"><p>رقم' in html
    arabic = flat(read(client, "/ar/anti-relous/"))
    assert "<h1><bdi>ضد المتطفلين" in arabic
    assert "<div><p>رقم" in arabic


def test_what_people_wrote_stays_text(make_page: MakePage, world: World, client: Client) -> None:
    world.north.organization.name = "<b>North</b>"
    world.north.organization.save()
    make_page(
        name='"><script>alert(1)</script>',
        abouts={"en": "<img src=x onerror=alert(2)>"},
        contact_name='"><i>',
        website="javascript:alert(3)",
    )
    html = read(client)
    assert not {"b", "i", "img"} & {tag for tag, _attributes in Elements(html).found}
    assert "<script>" not in html
    assert "javascript:" not in html


def test_a_number_to_try_is_offered_and_without_one_nobody_is_asked_to_try(
    make_page: MakePage, world: World, client: Client
) -> None:
    page = make_page()
    assert "Please do not try the number" in read(client)
    page.demo = spare(world, calls="speak")
    page.save()
    html = read(client)
    assert "Please do not try the number" not in html
    assert "sms:+33937000009" in Elements(html).addresses()
    assert "tel:+33937000009" in Elements(html).addresses()
    suspend(page.demo)
    assert "Please do not try the number" in read(client)


def test_helplines_are_named_with_who_runs_them_and_lead_to_no_site(make_page: MakePage, client: Client) -> None:
    page = make_page()
    html = read(client)
    assert "tel:112" in Elements(html).addresses()
    assert "3919" not in html
    page.helplines_checked_on = timezone.now().date()
    page.website = "https://north.example/"
    page.save()
    html = read(client)
    elements = Elements(html)
    assert "tel:3919" in elements.addresses()
    for part in ("Violences Femmes Info", "day and night", "solidaritefemmes.org", "North</bdi> last checked"):
        assert part in html
    outside = [link for link in elements.links() if (link["href"] or "").startswith("http")]
    assert [link["href"] for link in outside] == ["https://en.wikipedia.org/", "https://north.example/"]
    assert all(link["rel"] == "noreferrer" for link in outside)


# --- which number ---------------------------------------------------------------------------------------------------
def test_a_suspended_numbers_successor_takes_its_place(page: Page, world: World, client: Client) -> None:
    Hotline.objects.filter(pk=world.north.hotline.pk).update(
        state="suspended", state_reason="raid", successor=spare(world)
    )
    html = read(client)
    assert "09 37 00 00 09" in html
    assert "09 37 00 00 01" not in html


def test_without_a_number_it_says_so_and_helplines_remain(make_page: MakePage, world: World, client: Client) -> None:
    make_page(helplines_checked_on=timezone.now().date())
    ReplyTemplate.objects.create(
        organization=world.north.organization,
        hotline=world.north.hotline,
        purpose=Purpose.SUSPENDED,
        language="fr",
        text="Ne le donnez plus.",
    )
    suspend(world.north.hotline)
    html = flat(read(client))
    assert "No number is in service right now" in html
    assert '<div lang="fr" dir="ltr"><p>Ne le donnez plus.</p></div>' in html
    elements = Elements(html)
    assert {"tel:112", "tel:3919"} <= {*elements.addresses()}
    assert not [address for address in elements.addresses() if "contact" in address or "poster" in address]
    assert 'role="img"' not in html
    assert "37 00 00 01" not in html
    assert reverse("rights:begin", args=(world.north.hotline.uuid,)) in elements.addresses()


def test_a_draft_is_not_asked_what_it_has_stored(page: Page, world: World, client: Client) -> None:
    Hotline.objects.filter(pk=world.north.hotline.pk).update(state="draft")
    assert "/rights/" not in read(client)


def test_a_campaign_shows_the_one_whose_turn_it_is(make_page: MakePage, world: World, client: Client) -> None:
    campaign = Campaign.objects.create(organization=world.north.organization, name="Métro", turn="day")
    Hotline.objects.filter(pk=world.north.hotline.pk).update(campaign=campaign)
    spare(world, campaign=campaign)
    make_page("metro", campaign=campaign)
    shown = rotation.standing(campaign, timezone.now()).shown
    assert shown is not None
    assert f"tel:{shown.number}" in Elements(read(client, "/en/metro/")).addresses()
    suspend(shown)
    (other,) = {"+33937000001", "+33937000009"} - {shown.number}
    html = read(client, "/en/metro/")
    assert f"tel:{other}" in Elements(html).addresses()
    assert shown.number not in html


def test_a_list_leads_to_the_organizations_other_pages(make_page: MakePage, world: World, client: Client) -> None:
    make_page()
    make_page("hidden", name="Hidden", published=False)
    Page.objects.create(
        organization=world.south.organization, slug="south", name="South", hotline=world.south.hotline, published=True
    )
    make_page("numbers", name="Our numbers", hotline=None)
    html = read(client, "/en/numbers/")
    elements = Elements(html)
    assert "/en/anti-relous/" in elements.addresses()
    assert "09 37 00 00 01" in html
    assert "tel:112" in elements.addresses()
    assert not {"/en/hidden/", "/en/south/"} & {*elements.addresses()}
    assert "South" not in html
    assert 'role="img"' not in html
    suspend(world.north.hotline)
    assert "No number is in service right now" in read(client, "/en/numbers/")


# --- who may not see ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", PATHS)
def test_an_unpublished_page_is_as_unknown_as_one_that_never_was(
    make_page: MakePage, client: Client, path: str
) -> None:
    make_page("hidden", published=False)
    hidden, unknown = client.get(path.format(slug="hidden")), client.get(path.format(slug="no-such"))
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.content == unknown.content
    assert {**hidden.headers} == {**unknown.headers}
    assert hidden["Cache-Control"] == "no-store"
    assert not hidden.cookies


# --- caches ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", PATHS[1:])
def test_caches_may_keep_it_for_everybody(page: Page, client: Client, path: str) -> None:
    answer = client.get(path.format(slug="anti-relous"))
    assert answer["Cache-Control"] == "public, max-age=60"
    assert "Vary" not in answer.headers
    assert "X-Robots-Tag" not in answer.headers
    assert not answer.cookies
    assert re.fullmatch(r'"[0-9a-f]{32}"', answer["ETag"])
    again = client.get(path.format(slug="anti-relous"), headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (again["ETag"], again["Cache-Control"]) == (answer["ETag"], answer["Cache-Control"])
    head = client.head(path.format(slug="anti-relous"))
    assert (head.status_code, head.content, head["ETag"]) == (200, b"", answer["ETag"])


def test_another_number_is_another_answer(page: Page, world: World, client: Client) -> None:
    before = client.get("/en/anti-relous/")["ETag"]
    suspend(world.north.hotline)
    assert client.get("/en/anti-relous/", headers={"If-None-Match": before}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_it_is_only_read(page: Page, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post(path.format(slug="anti-relous"))
    assert answer.status_code == 405
    assert not answer.cookies


@pytest.mark.parametrize("path", PATHS)
def test_who_is_signed_in_reads_the_same_and_leaves_no_cookie(page: Page, world: World, path: str) -> None:
    path = path.format(slug="anti-relous")
    anonymous, owner = Client(headers={"Accept-Language": "en"}), signed_in(world.north.owner)
    owner.cookies[settings.CSRF_COOKIE_NAME] = "malformed"
    owner.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    cookies = dict(owner.cookies)
    told = [client.get(path) for client in (anonymous, owner)]
    assert told[0].content == told[1].content
    assert {**told[0].headers} == {**told[1].headers}
    for answer in told:
        assert not answer.cookies
        assert "Cookie" not in answer.headers.get("Vary", "")
    assert dict(owner.cookies) == cookies
    assert owner.get("/admin/").status_code == 200


def test_a_session_that_is_over_is_not_taken_away_by_a_public_page(page: Page) -> None:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = "long-over"
    answer = client.get("/en/anti-relous/")
    assert not answer.cookies
    assert "Vary" not in answer.headers


# --- languages ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asked", "language"), [("ar,en;q=0.5", "ar"), ("de-CH", "de"), ("it,es;q=0.1", "es"), ("ja", "fr"), ("", "fr")]
)
def test_a_short_address_leads_to_the_readers_language(page: Page, client: Client, asked: str, language: str) -> None:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    answer = client.get("/n/anti-relous/", headers={"Accept-Language": asked})
    assert (answer.status_code, answer["Location"]) == (302, f"/{language}/anti-relous/")
    assert answer["Vary"] == "Accept-Language"


def test_search_engines_find_every_language(page: Page, client: Client) -> None:
    elements = Elements(read(client))
    alternates = {
        attributes["hreflang"]: attributes["href"]
        for tag, attributes in elements.found
        if tag == "link" and attributes.get("rel") == "alternate"
    }
    public = settings.PUBLIC_URL
    assert alternates == {
        **{language: f"{public}/{language}/anti-relous/" for language in LANGUAGES},
        "x-default": f"{public}/n/anti-relous/",
    }
    names = {attributes.get("name") for tag, attributes in elements.found if tag == "meta"}
    assert "robots" not in names
    assert {"description", "theme-color"} <= names
    chosen = [link for link in elements.links() if "hreflang" in link]
    assert [link["lang"] for link in chosen] == LANGUAGES
    assert [link["lang"] for link in chosen if link.get("aria-current")] == ["en"]


# --- what it is made of ---------------------------------------------------------------------------------------------
def test_it_keeps_the_strict_policy_and_loads_nothing_from_elsewhere(page: Page, client: Client) -> None:
    answer = client.get("/en/anti-relous/")
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    for tag, attributes in Elements(answer.content.decode()).found:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag not in {"style", "iframe", "form", "img", "object"}
        if tag == "script" or (tag == "link" and attributes.get("rel") in {"stylesheet", "icon"}):
            assert (attributes.get("src") or attributes.get("href") or "").startswith("/static/")


def test_a_page_costs_few_queries(
    make_page: MakePage, world: World, client: Client, django_assert_max_num_queries: Any
) -> None:
    languages = ["fr", "en", "es", "de", "it", "pt", "nl", "ar", "tr", "pl", "uk", "ro"]
    Hotline.objects.filter(pk=world.north.hotline.pk).update(languages=languages)
    for language in languages[2:]:
        ReplyTemplate.objects.create(
            organization=world.north.organization, hotline=world.north.hotline, language=language, text=language
        )
    make_page(helplines_checked_on=timezone.now().date(), demo=spare(world))
    with django_assert_max_num_queries(4):
        read(client)


def test_a_list_of_many_pages_costs_no_more_queries(
    make_page: MakePage, world: World, client: Client, django_assert_max_num_queries: Any
) -> None:
    organization = world.north.organization
    make_page("numbers", name="Our numbers", hotline=None)
    for count in range(6):
        campaign = Campaign.objects.create(organization=organization, name=f"Campaign {count}")
        spare(world, number=f"+3393700010{count}", campaign=campaign)
        make_page(f"campaign-{count}", campaign=campaign)
        successor = spare(world, number=f"+3393700030{count}")
        old = spare(world, number=f"+3393700020{count}", successor=successor)
        suspend(old)
        make_page(f"number-{count}", hotline=old)
    with django_assert_max_num_queries(8):
        html = read(client, "/en/numbers/")
    assert html.count('class="shown"') == 12
