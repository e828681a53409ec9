"""Keys: made once, refused alike, limited, revoked at once."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from django.core.cache import caches
from django.test import override_settings
from django.utils import timezone
from tests.partners.api_world import Asking, make_key, make_page
from tests.people import signed_in
from tests.world import World

from partners.models import ApiKey, Audience, Scope

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("in_english")]
ADD = "/admin/partners/apikey/add/"


@pytest.fixture(autouse=True)
def fresh_counters() -> None:
    caches["limits"].clear()


def form(**changes: Any) -> dict[str, Any]:
    return {
        "label": "A partner's site",
        "audience": "partner",
        "scopes": ["hotlines:read"],
        "origins": "",
        "networks": "",
        "days": "365",
        "every_page": "on",
        "password": "pw",
        **changes,
    }


@pytest.fixture(autouse=True)
def passwords(world: World) -> None:
    for user in (world.north.owner, world.south.owner):
        user.set_password("pw")
        user.save()


def made(answer: Any) -> str:
    found = re.search(r'value="((?:pvk|pvtest)_[^"]+)"', answer.content.decode())
    assert found is not None
    return found[1]


def test_an_owner_makes_a_key_that_is_shown_once(world: World) -> None:
    owner = signed_in(world.north.owner)
    answer = owner.post(ADD, form())
    whole = made(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    row = ApiKey.objects.get()
    assert row.organization == world.north.organization
    assert whole.partition("_")[2] not in str(list(ApiKey.objects.values()))
    assert datetime.timedelta(days=364) < row.expires_at - timezone.now() <= datetime.timedelta(days=365)
    told = Asking(whole).get("key/").json()
    assert (told["label"], told["scopes"], told["organization"]) == ("A partner's site", ["hotlines:read"], "North")
    page = owner.get(f"/admin/partners/apikey/{row.pk}/change/").content.decode()
    assert row.mark in page
    assert whole not in page


@pytest.mark.parametrize("who", ["editor", "viewer"])
def test_nobody_else_sees_or_makes_keys(world: World, who: str) -> None:
    row, _whole = make_key(world.north)
    client = signed_in(world.north.members[who])
    assert client.post(ADD, form()).status_code == 403
    assert client.get(f"/admin/partners/apikey/{row.pk}/change/").status_code in {403, 404}
    assert ApiKey.objects.count() == 1


def test_a_partners_key_cannot_be_given_what_is_for_own_systems(world: World) -> None:
    answer = signed_in(world.north.owner).post(ADD, form(scopes=["hotlines:read", "conversations:read"]))
    assert "A partner may not have: conversations, masked." in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_what_a_row_says_beyond_its_audience_is_not_granted(world: World) -> None:
    _row, whole = make_key(world.north, Audience.PARTNER, Scope.values)
    assert Asking(whole).get("conversations/").status_code == 403
    assert Asking(whole).get("key/").json()["scopes"] == ["hotlines:read", "statistics:read", "events:read"]


def test_a_key_has_only_its_scopes(world: World) -> None:
    _row, whole = make_key(world.north, scopes=["hotlines:read"])
    asking = Asking(whole)
    assert asking.get("hotlines/").status_code == 200
    for path in ("numbers/", "templates/", "conversations/", "exports/", "events/"):
        refused = asking.get(path)
        assert refused.status_code == 403, path
        assert "It lacks the scope" in refused.json()["detail"]


def wrong(whole: str) -> list[str]:
    flipped = whole[:-1] + ("A" if whole[-1] != "A" else "B")
    return [flipped, whole[:-1], whole + "A", whole.upper(), "", "pvk_", "pvk_aaaaaaaa_" + "A" * 43, "é" * 20]


def test_a_wrong_key_is_refused_like_one_that_does_not_exist(world: World) -> None:
    _row, whole = make_key(world.north)
    answers = [Asking().get("key/", Authorization=f"Bearer {key}") for key in wrong(whole)]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].headers["WWW-Authenticate"] == 'Bearer realm="Paravent"'
    assert answers[0].headers["Content-Type"] == "application/problem+json"


def test_a_key_is_in_the_header_and_nowhere_else(world: World) -> None:
    _row, whole = make_key(world.north)
    assert Asking().get("key/", {"key": whole}).status_code == 401
    assert Asking().get("key/", Authorization=f"Api-Key {whole}").status_code == 401


def test_expired_revoked_and_from_elsewhere_are_refused_alike(world: World) -> None:
    past = timezone.now() - datetime.timedelta(seconds=1)
    _row, expired = make_key(world.north, expires_at=past)
    _row, revoked = make_key(world.north, revoked_at=past)
    _row, elsewhere = make_key(world.north, networks=["203.0.113.0/24", "2001:db8::/32"])
    answers = [Asking(whole).get("key/") for whole in (expired, revoked, elsewhere)]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1


def test_a_key_may_be_used_from_its_addresses(world: World) -> None:
    row, whole = make_key(world.north, networks=["127.0.0.0/8"])
    assert Asking(whole).get("key/").status_code == 200
    row.networks = ["2001:db8::/32", "203.0.113.7"]
    assert (row.comes_from("203.0.113.7"), row.comes_from("::ffff:203.0.113.7")) == (True, True)
    assert (row.comes_from("2001:db8:1::9"), row.comes_from("203.0.113.8"), row.comes_from("x")) == (True, False, False)


def test_a_revoked_key_is_refused_from_the_next_request(world: World) -> None:
    row, whole = make_key(world.north)
    assert Asking(whole).get("key/").status_code == 200
    signed_in(world.north.owner).post(
        f"/admin/partners/apikey/{row.pk}/revoke/", {"_form_submitted": "True"}, headers={"HX-Request": "true"}
    )
    assert Asking(whole).get("key/").status_code == 401


def test_a_new_key_stands_beside_the_old_one_for_a_week(world: World) -> None:
    row, old = make_key(world.north, scopes=["hotlines:read"], origins=["https://partner.example"])
    owner = signed_in(world.north.owner)
    url = f"/admin/partners/apikey/{row.pk}/rotate/"
    assert owner.get(url).status_code == 200
    assert ApiKey.objects.count() == 1
    new = made(owner.post(url, {"password": "pw"}))
    assert (Asking(old).get("key/").status_code, Asking(new).get("key/").status_code) == (200, 200)
    made_row = ApiKey.objects.exclude(pk=row.pk).get()
    assert (made_row.scopes, made_row.origins) == (row.scopes, row.origins)
    row.refresh_from_db()
    assert row.expires_at - timezone.now() <= datetime.timedelta(days=7)
    assert signed_in(world.north.editor).post(url).status_code in {403, 404}
    # Pressed twice: there is one new key, and it lives as long as the old one did.
    assert owner.post(url).status_code == 302
    assert ApiKey.objects.count() == 2
    assert made_row.expires_at - timezone.now() > datetime.timedelta(days=89)


@pytest.mark.parametrize(
    ("password", "words"), [("wrong", "This is not your password. Nothing was done."), ("", "This field is required.")]
)
def test_who_found_a_browser_open_makes_no_key(world: World, password: str, words: str) -> None:
    row, _whole = make_key(world.north)
    owner = signed_in(world.north.owner)
    for url, data in ((ADD, form(password=password)), (f"/admin/partners/apikey/{row.pk}/rotate/", {})):
        answer = owner.post(url, {**data, "password": password})
        assert words in answer.content.decode()
        assert [*ApiKey.objects.all()] == [row]


def test_only_a_few_passwords_can_be_tried(world: World) -> None:
    owner = signed_in(world.north.owner)
    for _ in range(5):
        owner.post(ADD, form(password="wrong"))
    assert "Too many wrong passwords" in owner.post(ADD, form()).content.decode()
    assert not ApiKey.objects.exists()


def test_a_password_that_was_just_given_is_not_asked_for_again(world: World) -> None:
    owner = signed_in(world.north.owner)
    assert 'name="password"' in owner.get(ADD).content.decode()
    made(owner.post(ADD, form()))
    row = ApiKey.objects.get()
    for url in (ADD, f"/admin/partners/apikey/{row.pk}/rotate/", f"/admin/partners/apikey/{row.pk}/change/"):
        assert 'name="password"' not in owner.get(url).content.decode(), url
    made(owner.post(ADD, form(password="")))
    session = owner.session
    session["password_given_at"] = (timezone.now() - datetime.timedelta(minutes=11)).isoformat()
    session.save()
    assert "This field is required." in owner.post(ADD, form(password="")).content.decode()


def test_owners_are_told_of_a_new_key(world: World, mailoutbox: Any) -> None:
    signed_in(world.north.owner).post(ADD, form())
    assert [(mail.to, "A partner's site" in mail.body) for mail in mailoutbox] == [(["alerts@north.example"], True)]


def test_a_partners_key_cannot_be_changed_into_more(world: World) -> None:
    row, _whole = make_key(world.north, Audience.PARTNER, [Scope.HOTLINES])
    url = f"/admin/partners/apikey/{row.pk}/change/"
    answer = signed_in(world.north.owner).post(url, form(scopes=["hotlines:read", "exports:write"]))
    assert "A partner may not have" in answer.content.decode()


def test_a_key_for_chosen_pages_has_one(world: World) -> None:
    chosen = {name: value for name, value in form().items() if name != "every_page"}
    answer = signed_in(world.north.owner).post(ADD, chosen)
    assert "Choose at least one, or all." in answer.content.decode()


@override_settings(API_RATE="2/m")
def test_what_a_key_may_not_do_is_counted_too(world: World) -> None:
    asking = Asking(make_key(world.north, Audience.PARTNER)[1])
    assert [asking.get("conversations/").status_code for _time in range(3)] == [403, 403, 429]


@override_settings(API_RATE="3/m")
def test_each_key_has_its_own_limit_and_is_told_of_it(world: World) -> None:
    _row, whole = make_key(world.north)
    _row, other = make_key(world.south)
    left = [Asking(whole).get("key/").headers["RateLimit"] for _time in range(3)]
    assert [re.sub(r";t=\d+", "", told) for told in left] == ['"key";r=2', '"key";r=1', '"key";r=0']
    refused = Asking(whole).get("key/")
    assert (refused.status_code, refused.headers["RateLimit-Policy"]) == (429, '"key";q=3;w=60')
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.json()["type"] == "urn:paravent:problem:too-many"
    assert Asking(other).get("key/").status_code == 200


@override_settings(API_GUESS_RATE="2/m")
def test_whoever_guesses_is_stopped_and_a_right_key_of_the_same_address_too(world: World) -> None:
    _row, whole = make_key(world.north)
    statuses = [Asking().get("key/", Authorization=f"Bearer pvk_aaaaaaaa_{'A' * 43}").status_code for _time in range(4)]
    assert statuses == [401, 401, 429, 429]
    assert Asking(whole).get("key/").status_code == 429


def test_the_last_use_is_known_to_five_minutes_and_costs_one_write(
    world: World, django_assert_num_queries: Any
) -> None:
    row, whole = make_key(world.north)
    Asking(whole).get("key/")
    row.refresh_from_db()
    first = row.last_used_at
    assert first is not None
    with django_assert_num_queries(1):
        Asking(whole).get("key/")
    row.refresh_from_db()
    assert row.last_used_at == first


# --- other websites' scripts ------------------------------------------------------------------------------------------
def test_a_browser_may_use_a_key_from_its_websites_alone(world: World) -> None:
    _row, whole = make_key(world.north, origins=["https://partner.example"])
    right = Asking(whole).get("key/", Origin="https://partner.example")
    assert right.headers["Access-Control-Allow-Origin"] == "https://partner.example"
    assert "Origin" in right.headers["Vary"]
    refused = Asking(whole).get("key/", Origin="https://evil.example")
    assert (refused.status_code, "Access-Control-Allow-Origin" in refused.headers) == (403, False)
    assert "Access-Control-Allow-Origin" not in Asking(whole).get("key/").headers


def test_a_browsers_question_is_answered_alike_and_without_the_database(
    world: World, django_assert_num_queries: Any
) -> None:
    """Or anybody could ask which websites have a key."""
    make_key(world.north, origins=["https://partner.example"])
    with django_assert_num_queries(0):
        answers = [
            Asking().client.options(
                "/api/v1/hotlines/", headers={"Origin": origin, "Access-Control-Request-Method": "GET"}
            )
            for origin in ("https://partner.example", "https://evil.example")
        ]
    assert {(answer.status_code, answer.headers["Access-Control-Allow-Origin"]) for answer in answers} == {(204, "*")}


def test_a_script_reads_why_it_is_refused(world: World) -> None:
    refused = Asking("pvk_wrong").get("key/", Origin="https://partner.example")
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, "*")


@override_settings(PUBLIC_URL="https://paravent.example.org")
def test_the_api_can_be_tried_on_its_own_page(world: World) -> None:
    _row, whole = make_key(world.north)
    assert Asking(whole).get("key/", Origin="https://paravent.example.org").status_code == 200


def test_what_a_key_reads_is_stored_by_no_cache(world: World) -> None:
    _row, whole = make_key(world.north)
    assert Asking(whole).get("hotlines/").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "written",
    [
        "partner.example",
        "https://partner.example/",
        "https://a@b.example",
        "ftp://a.example",
        "https://A.example",
        "*",
        "https://[::1",
    ],
)
def test_what_is_no_origin_is_refused(world: World, written: str) -> None:
    answer = signed_in(world.north.owner).post(ADD, form(origins=written))
    assert "is not an origin" in answer.content.decode()


def test_what_is_no_address_is_refused(world: World) -> None:
    answer = signed_in(world.north.owner).post(ADD, form(networks="203.0.113.300"))
    assert "is not an address" in answer.content.decode()


def test_another_organizations_page_cannot_be_chosen(world: World) -> None:
    page = make_page(world.south, "south")
    answer = signed_in(world.north.owner).post(ADD, form(pages=[page.pk]))
    assert answer.status_code == 200
    assert not ApiKey.objects.exists()
