"""Signing in: counted before the password is looked at, the same for names that exist and names that do not."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client, RequestFactory
from django.urls import reverse
from django_ratelimit import core
from tests.world import World

from config import login
from config import settings as settings_module
from config.admin_site import SignInForm
from organizations.models import Member

pytestmark = pytest.mark.once  # its counters are in the cache

LOGIN = "/admin/login/"
WRONG = "not the password"


@pytest.fixture(autouse=True)
def _one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """No window ends at this very second, as one in sixty would: what is left of it is told to the reader."""
    monkeypatch.setattr(core, "_get_window", lambda value, period: 4_000_000_000)


def try_in(name: str, password: str = WRONG, address: str = "198.51.100.7", client: Client | None = None) -> Any:
    return (client or Client()).post(LOGIN, {"username": name, "password": password}, REMOTE_ADDR=address)


def without_tokens(response: Any) -> str:
    return re.sub(r'csrfmiddlewaretoken" value="\w+"', "", response.content.decode())


def test_a_member_signs_in_without_being_staff(world: World) -> None:
    User.objects.update(is_staff=False)
    client = Client()
    response = try_in("viewer-north", "pw", client=client)
    assert (response.status_code, response["Location"]) == (302, reverse("admin:index"))
    page = client.get(reverse("admin:index"))
    assert page.status_code == 200
    assert "North" in page.content.decode()


def test_a_user_without_an_organization_learns_whom_to_ask(db: None) -> None:
    User.objects.create_user("newcomer", "newcomer@example.org", "pw")
    client = Client()
    try_in("newcomer", "pw", client=client)
    page = client.get(reverse("admin:index"), headers={"Accept-Language": "en"}).content.decode()
    assert "your user name here is “newcomer”" in page
    assert client.get(reverse("admin:hotlines_hotline_changelist")).status_code == 403


def test_an_inactive_user_does_not_enter(world: World) -> None:
    User.objects.filter(username="owner-north").update(is_active=False)
    assert try_in("owner-north", "pw").status_code == 200


def test_the_sixth_wrong_password_for_a_name_is_not_looked_at(world: World) -> None:
    tries = [try_in("owner-north", address=f"198.51.100.{n}").status_code for n in range(6)]
    assert tries == [200] * 5 + [429]
    right = try_in("owner-north", "pw", address="198.51.100.99")
    assert right.status_code == 429
    assert int(right["Retry-After"]) > 0


def test_names_are_counted_however_they_are_written(world: World) -> None:
    written = ["owner-north", "OWNER-north", " owner-north ", "Owner-North", "ｏｗｎｅｒ-north", "owner-NORTH"]
    assert [try_in(name, address=f"198.51.100.{n}").status_code for n, name in enumerate(written)] == [200] * 5 + [429]


def test_the_eleventh_try_from_an_address_is_not_looked_at(world: World) -> None:
    tries = [try_in(f"somebody-{n}").status_code for n in range(11)]
    assert tries == [200] * 10 + [429]
    assert try_in("owner-north", "pw").status_code == 429
    assert try_in("owner-north", "pw", address="198.51.100.8").status_code == 302


def test_an_ipv6_line_is_one_address(world: World) -> None:
    tries = [try_in(f"somebody-{n}", address=f"2001:db8:1:2::{n}").status_code for n in range(11)]
    assert tries == [200] * 10 + [429]
    assert try_in("another", address="2001:db8:1:3::1").status_code == 200


def test_mapped_ipv4_addresses_stay_apart(world: World) -> None:
    assert [try_in(f"n{n}", address=f"::ffff:198.51.100.{n}").status_code for n in range(12)] == [200] * 12


def test_a_success_gives_the_names_try_back_and_not_the_addresss(world: World) -> None:
    for _ in range(4):
        assert try_in("owner-north", address="198.51.100.1").status_code == 200
    for n in range(8):
        assert try_in("owner-north", "pw", address=f"198.51.100.{50 + n}").status_code == 302
    assert try_in("owner-north", address="198.51.100.2").status_code == 200
    assert try_in("owner-north", address="198.51.100.3").status_code == 429
    successes = [try_in(f"{role}-south", "pw", address="198.51.100.9").status_code for role in ("owner", "editor") * 5]
    assert successes == [302] * 10
    assert try_in("viewer-south", "pw", address="198.51.100.9").status_code == 429


def test_who_is_stopped_at_the_address_cannot_lock_a_name(world: World) -> None:
    for n in range(10):
        try_in(f"somebody-{n}")
    for _ in range(20):
        assert try_in("owner-north").status_code == 429
    assert try_in("owner-north", "pw", address="198.51.100.8").status_code == 302


def test_names_that_exist_and_names_that_do_not_get_the_same_answers(world: World) -> None:
    for n in range(7):
        known = try_in("owner-north", address=f"198.51.100.{n}")
        unknown = try_in("nobody-north", address=f"198.51.101.{n}")
        assert known.status_code == unknown.status_code
        assert without_tokens(known).replace("owner-north", "") == without_tokens(unknown).replace("nobody-north", "")


def test_the_page_says_in_words_when_to_try_again(world: World) -> None:
    for n in range(6):
        refused = try_in("owner-north", address=f"198.51.100.{n}")
    page = refused.content.decode()
    assert "Trop de tentatives" in page
    english = Client().post(
        LOGIN,
        {"username": "owner-north", "password": "pw"},
        REMOTE_ADDR="198.51.100.77",
        headers={"Accept-Language": "en"},
    )
    assert "Too many attempts" in english.content.decode()


def test_without_an_answer_from_the_counters_nobody_is_let_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is down: django-redis swallows the error, and webhooks go on; a sign-in does not."""
    limits = caches[live_settings.RATELIMIT_USE_CACHE]
    monkeypatch.setattr(limits, "add", lambda *args, **kwargs: False)
    monkeypatch.setattr(limits, "incr", lambda *args, **kwargs: None)
    response = try_in("owner-north", "pw")
    assert response.status_code == 503
    assert "Redis" in response.content.decode()


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every password that was looked at."""
    seen: list[str] = []
    lock = threading.Lock()

    def count(request: Any = None, **credentials: Any) -> None:
        with lock:
            seen.append(credentials["username"])

    monkeypatch.setattr("django.contrib.auth.forms.authenticate", count)
    return seen


def test_a_thousand_tries_at_once_are_evaluated_five_times(evaluated: list[str], settings: Any) -> None:
    """64 threads, 1,000 tries for one name from as many addresses: atomic, or more would slip through."""
    settings.LOGIN_RATE_BY_ADDRESS = "10/m"
    factory = RequestFactory()
    started, refused, lock = threading.Barrier(64), [], threading.Lock()
    todo = iter(range(1000))

    def attack() -> None:
        started.wait()
        while True:
            with lock:
                number = next(todo, None)
            if number is None:
                return
            request = factory.post(
                LOGIN, {"username": "victim", "password": "x"}, REMOTE_ADDR=f"10.0.{number // 250}.{number % 250}"
            )
            answer = login.refusal(request)
            if answer is None:
                authenticate_form(request)
            else:
                with lock:
                    refused.append(answer)

    threads = [threading.Thread(target=attack) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(evaluated), len(refused)) == (5, 995)


def authenticate_form(request: Any) -> None:
    SignInForm(request, data=request.POST).is_valid()


def test_the_site_asks_the_limiter_before_the_password(world: World, evaluated: list[str]) -> None:
    for n in range(9):
        try_in("owner-north", "pw", address=f"198.51.100.{n}")
    assert evaluated == ["owner-north"] * 5


def test_looking_at_the_page_costs_no_try(world: World) -> None:
    for _ in range(30):
        assert Client().get(LOGIN, REMOTE_ADDR="198.51.100.7").status_code == 200
    assert try_in("owner-north", "pw").status_code == 302


def test_a_member_who_is_removed_sees_nothing_at_her_next_click(world: World) -> None:
    client = Client()
    try_in("viewer-north", "pw", client=client)
    assert client.get(reverse("admin:hotlines_hotline_changelist")).status_code == 200
    Member.objects.filter(user=world.north.viewer).delete()
    assert client.get(reverse("admin:hotlines_hotline_changelist")).status_code == 403


def test_a_form_of_the_admin_can_be_posted_by_a_browser(db: None) -> None:
    """Under no-referrer a browser would send `Origin: null`, and every form would be refused."""
    assert Client().get(LOGIN)["Referrer-Policy"] == "same-origin"


def test_passwords_are_hashed_with_argon2() -> None:
    assert settings_module.PASSWORD_HASHERS[0].endswith("Argon2PasswordHasher")
