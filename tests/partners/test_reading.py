"""What the API tells: which number to show, texts, figures, events, conversations without who it is."""

from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from tests.partners.api_world import Asking, limit_to, make_key, make_page
from tests.world import SENDER, World
from tests.writing import write

from figures.models import WeekFigures
from hotlines import lifecycle, succession
from hotlines.models import Campaign, Hotline
from pages import board, kept
from pages.models import Page
from partners import events
from partners.api.views import OpenView
from partners.models import ApiKey, Audience, Endpoint, Event
from partners.signing import new_shared
from replies.models import Purpose, ReplyTemplate

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("in_english")]


@pytest.fixture
def page(world: World) -> Page:
    return make_page(world.north, "north", names={"en": "Northern"})


@pytest.fixture
def partner(world: World, page: Page) -> Asking:
    return Asking(make_key(world.north, Audience.PARTNER)[1])


@pytest.fixture
def own(world: World, page: Page) -> Asking:
    return Asking(make_key(world.north)[1])


def suspend(hotline: Hotline, author: Any, successor: Hotline | None = None) -> None:
    lifecycle.change_state(hotline, Hotline.State.SUSPENDED, reason="a raid", successor=successor, author=author)


# --- which number to show now ----------------------------------------------------------------------------------------
def test_anybody_learns_which_number_to_show(world: World, page: Page) -> None:
    answer = Asking().get("hotlines/north/current/", {"language": "en"})
    told = answer.json()
    assert (told["number"], told["national"], told["state"]) == ("+33937000001", "09 37 00 00 01", "in_service")
    assert (told["name"], told["organization"], told["language"]) == ("Northern", "North", "en")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "max-age=60" in answer.headers["Cache-Control"]
    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers or "Accept-Language" not in answer.headers["Vary"]


def test_who_has_it_is_told_so_without_the_database(world: World, page: Page, django_assert_num_queries: Any) -> None:
    first = Asking().get("hotlines/north/current/")
    with django_assert_num_queries(0):
        again = Asking().get("hotlines/north/current/", **{"If-None-Match": first.headers["ETag"]})
        weak = Asking().get("hotlines/north/current/", **{"If-None-Match": f'"x", W/{first.headers["ETag"]}'})
        other = Asking().get("hotlines/north/current/", **{"If-None-Match": '"x"'})
    assert [answer.status_code for answer in (again, weak, other)] == [304, 304, 200]
    assert (again.content, again.headers["ETag"]) == (b"", first.headers["ETag"])


def test_it_follows_the_successor_and_says_when_there_is_none(world: World, page: Page) -> None:
    hotline = world.north.hotline
    suspend(hotline, world.north.owner)
    gone = Asking().get("hotlines/north/current/").json()
    assert (gone["number"], gone["state"], gone["contact"]) == (None, "suspended", None)
    spare = Hotline.objects.create(
        organization=hotline.organization,
        account=hotline.account,
        name="Spare",
        number="+33937000009",
        state=Hotline.State.ACTIVE,
        kind=hotline.kind,
    )
    Hotline.objects.filter(pk=hotline.pk).update(successor=spare)
    kept.forget_all()
    assert Asking().get("hotlines/north/current/").json()["number"] == "+33937000009"
    assert succession.current(Hotline.objects.get(pk=hotline.pk)) == spare


def test_a_campaign_shows_the_one_whose_turn_it_is(world: World) -> None:
    campaign = Campaign.objects.create(organization=world.north.organization, name="Metro", turn="never")
    Hotline.objects.filter(pk=world.north.hotline.pk).update(campaign=campaign)
    make_page(world.north, "metro", hotline=None, campaign=campaign)
    assert Asking().get("hotlines/metro/current/").json()["number"] == world.north.hotline.number


def test_while_the_database_is_down_the_last_number_is_told(world: World, page: Page, monkeypatch: Any) -> None:
    first = Asking().get("hotlines/north/current/")
    monkeypatch.setattr(board._answers, "seconds", -1.0)

    def fail(*_arguments: Any) -> Any:
        raise OperationalError("down")

    with connection.execute_wrapper(fail):
        assert Asking().get("hotlines/north/current/").content == first.content


def test_an_address_that_was_asked_for_too_early_is_there_once_it_is_published(world: World) -> None:
    page = make_page(world.north, "early", published=False)
    asking = Asking(make_key(world.north, Audience.PARTNER)[1])
    assert Asking().get("hotlines/early/current/").status_code == 404
    page.published = True
    page.save()
    assert Asking().get("hotlines/early/current/").json()["number"] == world.north.hotline.number
    assert asking.get("hotlines/", {"fields": "slug,number"}).json()["results"][0]["slug"] == "early"


def test_whatever_cookie_comes_nothing_is_set(world: World, page: Page) -> None:
    asking = Asking(Cookie="session=x; messages=y; csrf=z")
    for path in ("hotlines/north/current/", "hotlines/none/current/"):
        answer = asking.get(path)
        assert "Set-Cookie" not in answer.headers
        assert "Cookie" not in answer.headers.get("Vary", "")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("slug", ["unknown", "hidden", "list", "x" * 60_000])
def test_what_is_not_published_is_not_there(world: World, slug: str) -> None:
    make_page(world.north, "hidden", published=False)
    make_page(world.north, "list", hotline=None)
    answer = Asking().get(f"hotlines/{slug}/current/")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "No page is published under this address."
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_what_is_too_long_for_an_address_is_not_looked_up(django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        assert Asking().get(f"hotlines/{'x' * 41}/current/").status_code == 404
        assert Asking().client.get(f"/fr/{'x' * 41}/").status_code == 404


def test_a_language_that_pages_do_not_have_is_said(page: Page) -> None:
    answer = Asking().get("hotlines/north/current/", {"language": "tlh"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/language")


# --- hotlines ---------------------------------------------------------------------------------------------------------
def test_a_partner_reads_the_hotlines_that_it_may_show(world: World, partner: Asking) -> None:
    make_page(world.north, "hidden", published=False)
    make_page(world.south, "south")
    rows = partner.get("hotlines/", {"language": "en"}).json()["results"]
    assert [(row["slug"], row["name"], row["kind"], row["languages"]) for row in rows] == [
        ("north", "Northern", "anti-harassment", ["en", "fr"])
    ]
    assert partner.get("hotlines/north/").json()["number"] == world.north.hotline.number
    assert partner.get("hotlines/south/").status_code == partner.get("hotlines/none/").status_code == 404
    assert partner.get("hotlines/south/").content == partner.get("hotlines/none/").content


def test_hotlines_are_found_by_kind_and_by_whether_they_answer(world: World, partner: Asking) -> None:
    gone = Hotline.objects.create(
        organization=world.north.organization,
        account=world.north.account,
        name="Gone",
        number="+33937000078",
        kind="lgbt",
        state=Hotline.State.SUSPENDED,
        state_reason="a raid",
    )
    make_page(world.north, "gone", hotline=gone)

    def found(**query: str) -> list[str]:
        return [row["slug"] for row in partner.get("hotlines/", query).json()["results"]]

    assert found() == ["gone", "north"]
    assert (found(kind="lgbt"), found(kind="anti-harassment")) == (["gone"], ["north"])
    assert (found(state="suspended"), found(state="in_service")) == (["gone"], ["north"])
    assert found(kind="lgbt", state="in_service") == []


def test_a_key_for_some_pages_reads_no_others(world: World, page: Page) -> None:
    second = make_page(world.north, "second")
    row, whole = make_key(world.north, Audience.PARTNER)
    limit_to(row, second)
    assert [row["slug"] for row in Asking(whole).get("hotlines/").json()["results"]] == ["second"]
    assert Asking(whole).get("hotlines/north/texts/").status_code == 404
    second.delete()
    assert Asking(whole).get("hotlines/").json()["results"] == []
    assert Asking(whole).get("hotlines/north/statistics/").status_code == 404


def test_a_list_is_read_page_by_page_with_chosen_fields(world: World, partner: Asking) -> None:
    for number in range(5):
        make_page(world.north, f"page-{number}")
    found, query = [], {"limit": "2", "fields": "slug,number"}
    answer = partner.get("hotlines/", query)
    while True:
        body = answer.json()
        found += body["results"]
        if body["next"] is None:
            break
        assert answer.headers["Link"] == f'<{body["next"]}>; rel="next"'
        address = urlsplit(body["next"])
        answer = partner.client.get(f"{address.path}?{address.query}", headers=partner.headers)
    assert [row["slug"] for row in found] == [f"page-{number}" for number in reversed(range(5))] + ["north"]
    assert {tuple(row) for row in found} == {("slug", "number")}


@pytest.mark.parametrize(
    "query",
    [
        {"fields": "slug,secret"},
        {"cursor": "x"},
        {"cursor": "az" + "9" * 30},
        {"cursor": "\x00"},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "x"},
        {"state": "gone"},
        {"secrets": "1"},
        {"language": "\x00"},
    ],
)
def test_what_cannot_be_asked_is_said(partner: Asking, query: dict[str, str]) -> None:
    answer = partner.get("hotlines/", query)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(query))}"


def test_a_list_that_has_not_changed_is_not_sent_again(partner: Asking) -> None:
    first = partner.get("hotlines/")
    assert partner.get("hotlines/", **{"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_public_texts_are_those_in_use(world: World, partner: Asking) -> None:
    place = {"organization": world.north.organization, "hotline": world.north.hotline, "language": "fr"}
    ReplyTemplate.objects.create(**place, purpose=Purpose.NOTICE, text="À donner.")
    ReplyTemplate.objects.create(**place, purpose=Purpose.VOICE, text="Parlé.")
    ReplyTemplate.objects.create(**place, purpose=Purpose.SUSPENDED, text="Pas encore lu.", approved=False)
    texts = partner.get("hotlines/north/texts/").json()
    assert [(text["language"], text["purpose"], text["text"]) for text in texts] == [
        ("en", "reply", "Reply of North."),
        ("fr", "notice", "À donner."),
        ("fr", "reply", "Réponse de North."),
    ]
    assert [text["language"] for text in partner.get("hotlines/north/texts/", {"language": "en"}).json()] == ["en"]


def week(hotline: Hotline, monday: datetime.date, **figures: Any) -> WeekFigures:
    return WeekFigures.objects.create(hotline=hotline, monday=monday, published_at=timezone.now(), **figures)


def test_figures_are_those_that_were_published(world: World, partner: Asking) -> None:
    week(world.north.hotline, datetime.date(2026, 11, 2), senders=None, messages=None)
    week(world.north.hotline, datetime.date(2026, 11, 9), senders=20, messages=50, languages={"fr": 20})
    week(world.south.hotline, datetime.date(2026, 11, 9), senders=70, messages=90)
    assert partner.get("hotlines/north/statistics/").json() == [
        {"monday": "2026-11-09", "senders": 20, "messages": 50, "languages": {"fr": 20}},
        {"monday": "2026-11-02", "senders": None, "messages": None, "languages": {}},
    ]


# --- events -----------------------------------------------------------------------------------------------------------
def test_events_are_read_by_who_cannot_be_called(world: World, partner: Asking, own: Asking) -> None:
    endpoint = Endpoint(organization=world.north.organization, label="own", url="https://hooks.example.org/")
    endpoint.secret = new_shared()
    endpoint.save()
    Endpoint.objects.update(created_at=timezone.now() - datetime.timedelta(hours=1))
    events.write_test(endpoint, timezone.now())
    week(world.north.hotline, datetime.date(2026, 11, 9), senders=20, messages=50)
    suspend(world.north.hotline, world.north.owner)
    events.write(timezone.now())
    kinds = [row["type"] for row in partner.get("events/").json()["results"]]
    assert sorted(kinds) == ["hotline.state_changed", "statistics.week"]
    everything = {row["type"] for row in own.get("events/").json()["results"]}
    assert everything >= {"hotline.state_changed", "statistics.week"}
    assert "test" not in everything
    only = partner.get("events/", {"type": "statistics.week"}).json()["results"]
    assert only[0]["data"]["week"]["senders"] == 20
    assert only[0]["id"] == Event.objects.get(kind="statistics.week").message_id
    assert "a raid" not in str(partner.get("events/").content)


def test_events_are_written_for_who_has_no_endpoint(world: World, partner: Asking) -> None:
    ApiKey.objects.update(created_at=timezone.now() - datetime.timedelta(hours=1))
    suspend(world.north.hotline, world.north.owner)
    suspend(world.south.hotline, world.south.owner)
    events.write(timezone.now())
    assert [row["type"] for row in partner.get("events/").json()["results"]] == ["hotline.state_changed"]
    assert Event.objects.count() == 1  # nobody of the south asks


def test_a_key_for_some_pages_reads_of_no_other_number(world: World, page: Page) -> None:
    other = Hotline.objects.create(
        organization=world.north.organization, account=world.north.account, name="Other", number="+33937000077"
    )
    second = make_page(world.north, "second", hotline=other)
    row, whole = make_key(world.north, Audience.PARTNER)
    limit_to(row, second)
    Event.objects.create(
        organization=world.north.organization,
        kind="statistics.week",
        at=timezone.now(),
        week=week(world.north.hotline, datetime.date(2026, 11, 9), senders=20, messages=50),
        data={},
    )
    assert Asking(whole).get("events/").json()["results"] == []


# --- what an organization's own systems read ------------------------------------------------------------------------
def test_conversations_are_masked_and_hold_no_text(world: World, own: Asking) -> None:
    write(world.north, text="Tu es où ?")
    write(world.south, sender="33612340009")
    rows = own.get("conversations/").json()["results"]
    assert [(row["sender"], row["state"], row["messages"], row["replies"]) for row in rows] == [
        ("+33 •• •• •• •• 23", "answered", 1, 1)
    ]
    one = own.get(f"conversations/{rows[0]['id']}/")
    assert [message["became"] for message in one.json()["recent"]] == ["answered"]
    for hidden in (SENDER, SENDER[2:], "Tu es où"):
        assert hidden not in one.content.decode()


def test_conversations_are_found_by_number_time_and_test(world: World, own: Asking) -> None:
    write(world.north)
    number, now = str(world.north.hotline.uuid), timezone.now()
    hour = datetime.timedelta(hours=1)

    def found(**query: str) -> int:
        return len(own.get("conversations/", query).json()["results"])

    assert (found(number=number), found(number=str(world.south.hotline.uuid))) == (1, 0)
    assert (found(since=(now - hour).isoformat()), found(since=(now + hour).isoformat())) == (1, 0)
    assert (found(until=(now + hour).isoformat()), found(until=(now - hour).isoformat())) == (1, 0)
    assert (found(test="true"), found(test="false")) == (0, 1)


def test_conversations_are_read_page_by_page_by_their_last_message(world: World, own: Asking) -> None:
    senders = [f"3361234{number:04}" for number in range(7)]
    for sender in senders:
        write(world.north, sender=sender)
    seen: list[int] = []
    cursor: str | None = None
    while True:
        body = own.get("conversations/", {"limit": "3", **({"cursor": cursor} if cursor else {})}).json()
        seen += [row["id"] for row in body["results"]]
        if body["next"] is None:
            break
        cursor = body["next"].partition("cursor=")[2].partition("&")[0]
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 7


def test_a_page_of_conversations_costs_what_one_costs(
    world: World, own: Asking, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        write(world.north, sender=f"3361234{number:04}")
    own.get("conversations/")
    with django_assert_max_num_queries(4):
        assert len(own.get("conversations/").json()["results"]) == 12


def test_numbers_templates_and_policies_are_the_organizations_own(world: World, own: Asking) -> None:
    assert [row["name"] for row in own.get("numbers/").json()["results"]] == ["North line"]
    assert own.get("numbers/", {"state": "draft"}).json()["results"] == []
    number = world.north.hotline.uuid
    assert own.get(f"numbers/{number}/").json()["number"] == world.north.hotline.number
    assert own.get(f"numbers/{number}/policy/").json()["reply_limit"] == 5
    texts = own.get("templates/", {"language": "fr"}).json()["results"]
    assert [(row["text"], row["draft"], row["segments"]) for row in texts] == [("Réponse de North.", None, 1)]


# --- sandbox ----------------------------------------------------------------------------------------------------------
READABLE = (
    "hotlines/",
    "hotlines/exemple-metro/",
    "hotlines/exemple-metro/texts/",
    "hotlines/exemple-metro/statistics/",
    "events/",
    "numbers/",
    "numbers/7b0f3c52-3a55-4b53-9a1e-0d6a2a7a1001/",
    "numbers/7b0f3c52-3a55-4b53-9a1e-0d6a2a7a1001/policy/",
    "templates/",
    "templates/1/",
    "conversations/",
    "conversations/2/",
    "key/",
)


@pytest.mark.parametrize("path", READABLE)
def test_a_sandbox_key_reads_made_up_rows_in_the_shape_of_real_ones(world: World, page: Page, path: str) -> None:
    _row, whole = make_key(world.north, sandbox=True)
    assert whole.startswith("pvtest_")
    answer = Asking(whole).get(path)
    assert answer.status_code == 200, answer.content
    assert "Zanzibar" not in answer.content.decode()
    assert world.north.hotline.number not in answer.content.decode()


def test_a_sandbox_key_sees_nothing_real_and_changes_nothing(world: World, page: Page) -> None:
    _row, whole = make_key(world.north, sandbox=True)
    asking = Asking(whole)
    assert asking.get("hotlines/north/").status_code == 404
    assert asking.get("hotlines/", {"state": "suspended"}).json()["results"][0]["number"] is None
    refused = asking.send("post", "conversations/1/block/", {"reason": "x"})
    assert (refused.status_code, refused.json()["detail"]) == (403, "A sandbox key changes nothing.")
    assert ApiKey.objects.filter(writes__isnull=False).count() == 0


# --- around it --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["", "nothing/", "hotlines/A B/", "conversations/99999999999999999999/", "numbers/x/"])
def test_an_address_that_the_api_does_not_have_is_a_problem_too(own: Asking, path: str) -> None:
    answer = own.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


def test_versions_are_told_and_old_addresses_say_until_when(own: Asking, rf: Any) -> None:
    assert own.get("key/").headers["API-Version"] == "1"

    class Old(OpenView):
        deprecated_at = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        sunset_at = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
        successor = "/api/v2/"

        def get(self, request: Any) -> Any:
            return self.http_method_not_allowed(request)

    headers = Old.as_view()(rf.get("/api/v1/old/")).headers
    assert (headers["Deprecation"], headers["Sunset"]) == ("@1767225600", "Fri, 01 Jan 2027 00:00:00 GMT")
    assert headers["Link"] == '</api/v2/>; rel="successor-version"'


def test_a_method_that_an_address_does_not_know_is_a_problem(own: Asking) -> None:
    answer = own.send("delete", "key/", {})
    assert (answer.status_code, answer.json()["type"]) == (405, "urn:paravent:problem:method-not-allowed")


def test_while_the_database_is_down_a_program_is_told_to_wait(world: World, own: Asking) -> None:
    def fail(*_arguments: Any) -> Any:
        raise OperationalError("down")

    own.client.raise_request_exception = False
    with connection.execute_wrapper(fail):
        answer = own.get("key/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert answer.headers["Retry-After"] == "60"
