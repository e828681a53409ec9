"""The second factor: led to when there is none, asked for after the password, sealed in the database."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from tests.one_time import code
from tests.world import World

pytestmark = pytest.mark.once
PASSWORD = "correct horse battery staple"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def owner(world: World, settings: Any) -> Any:
    settings.SECOND_FACTOR_REQUIRED = True
    cache.clear()
    user = world.north.owner
    user.set_password(PASSWORD)
    user.email = "owner@example.org"
    user.save()
    return user


@pytest.fixture
def client() -> Client:
    return Client(headers={"accept-language": "en"})


def sign_in(client: Client, user: Any, password: str = PASSWORD) -> Any:
    return client.post(reverse("admin:login"), {"username": user.get_username(), "password": password})


def shown(client: Client, name: str = "admin:index") -> bool:
    return client.get(reverse(name)).status_code == 200


def test_who_has_none_is_led_to_choose_one(client: Client, owner: Any) -> None:
    assert sign_in(client, owner).headers["Location"] == reverse("admin:index")
    for name in ("admin:index", "admin:hotlines_hotline_changelist", "admin:conversations_conversation_changelist"):
        assert client.get(reverse(name)).headers["Location"] == reverse("mfa_index")
    page = client.get(reverse("mfa_index"))
    assert "Choose a second factor first" in page.content.decode()
    assert page.headers["Cache-Control"] == "no-store"


def test_a_code_of_an_app_is_chosen_and_asked_for_from_then_on(
    client: Client, owner: Any, django_capture_on_commit_callbacks: Any
) -> None:
    sign_in(client, owner)
    again = client.get(reverse("mfa_activate_totp"), follow=True)
    assert "Enter your password" in again.content.decode()
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = client.get(reverse("mfa_activate_totp")).content.decode()
    found = re.search(r'id="authenticator_secret"[^>]*value="([A-Z2-7]+)"', page)
    assert found is not None
    assert "data:image/svg+xml" in page
    wrong = client.post(reverse("mfa_activate_totp"), {"code": "000000"})
    assert "Incorrect code" in wrong.content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("mfa_activate_totp"), {"code": code(found[1])})
    assert shown(client)
    told = [message for message in mail.outbox if "/accounts/sessions/" not in str(message.body)]
    assert [message.to for message in told] == [["owner@example.org"]]
    assert found[1] not in str(told[0].body)

    client = Client(headers={"accept-language": "en"})
    assert sign_in(client, owner).headers["Location"] == reverse("mfa_authenticate")
    assert not shown(client)
    assert "Incorrect code" in client.post(reverse("mfa_authenticate"), {"code": "000000"}).content.decode()
    assert not shown(client)
    done = client.post(reverse("mfa_authenticate"), {"code": code(found[1], ahead=1)})
    assert done.headers["Location"] == reverse("admin:index")
    assert shown(client)


def test_nothing_in_the_database_makes_a_code(owner: Any) -> None:
    TOTP.activate(owner, SECRET)
    RecoveryCodes.activate(owner)
    stored = json.dumps([*Authenticator.objects.values_list("data", flat=True)])
    for written in (SECRET, base64.b64encode(SECRET.encode()).decode(), *RecoveryCodes(_codes(owner)).generate_codes()):
        assert written not in stored
    assert TOTP(Authenticator.objects.get(type="totp")).validate_code(code(SECRET))


def _codes(user: Any) -> Authenticator:
    return Authenticator.objects.get(user=user, type="recovery_codes")


def test_a_recovery_code_lets_her_in_once(client: Client, owner: Any) -> None:
    TOTP.activate(owner, SECRET)
    RecoveryCodes.activate(owner)
    first = RecoveryCodes(_codes(owner)).generate_codes()[0]
    sign_in(client, owner)
    client.post(reverse("mfa_authenticate"), {"code": first})
    assert shown(client)
    other = Client(headers={"accept-language": "en"})
    sign_in(other, owner)
    other.post(reverse("mfa_authenticate"), {"code": first})
    assert not shown(other)


def test_recovery_codes_alone_are_no_factor(client: Client, owner: Any) -> None:
    RecoveryCodes.activate(owner)
    client.force_login(owner)
    assert client.get(reverse("admin:index")).headers["Location"] == reverse("mfa_index")


def test_codes_cannot_be_tried_out(client: Client, owner: Any) -> None:
    TOTP.activate(owner, SECRET)
    sign_in(client, owner)
    for _time in range(6):
        refused = client.post(reverse("mfa_authenticate"), {"code": "000000"})
    assert refused.status_code in {200, 429}
    client.post(reverse("mfa_authenticate"), {"code": code(SECRET)})
    assert not shown(client)


def test_the_step_after_the_password_opens_nothing(client: Client, owner: Any) -> None:
    TOTP.activate(owner, SECRET)
    sign_in(client, owner)
    for name in ("admin:index", "mfa_index", "mfa_activate_totp", "mfa_generate_recovery_codes", "mfa_add_webauthn"):
        answer = client.get(reverse(name))
        assert answer.status_code == 302, name
        assert "login" in answer.headers["Location"] or "authenticate" in answer.headers["Location"]


def test_a_wrong_password_never_comes_to_the_second_factor(client: Client, owner: Any) -> None:
    TOTP.activate(owner, SECRET)
    assert sign_in(client, owner, "wrong").status_code == 200
    assert client.get(reverse("mfa_authenticate")).headers["Location"].startswith(reverse("account_login"))


def test_the_page_that_asks_for_the_first_page_is_returned_to(client: Client, owner: Any) -> None:
    TOTP.activate(owner, SECRET)
    there = reverse("admin:hotlines_hotline_changelist")
    fields = {"username": owner.get_username(), "password": PASSWORD, "next": there}
    client.post(f"{reverse('admin:login')}?next={there}", fields)
    assert client.post(reverse("mfa_authenticate"), {"code": code(SECRET)}).headers["Location"] == there
    elsewhere = Client()
    fields["next"] = "https://evil.example/"
    elsewhere.post(reverse("admin:login"), fields)
    answer = elsewhere.post(reverse("mfa_authenticate"), {"code": code(SECRET, ahead=1)})
    assert answer.headers["Location"] == reverse("admin:index")


def test_who_is_dismissed_between_password_and_code_stays_outside(client: Client, owner: Any) -> None:
    TOTP.activate(owner, SECRET)
    sign_in(client, owner)
    owner.is_active = False
    owner.save()
    answer = client.post(reverse("mfa_authenticate"), {"code": code(SECRET)}, follow=True)
    assert answer.status_code == 200
    assert not shown(client)


def test_a_demo_asks_for_none(client: Client, owner: Any, settings: Any) -> None:
    settings.SECOND_FACTOR_REQUIRED = False
    sign_in(client, owner)
    assert shown(client)


def test_nobody_signs_up(client: Client) -> None:
    assert client.get("/accounts/signup/").status_code == 404
    for path in ("password/reset/", "email/", "password/change/", "social/"):
        assert client.get(f"/accounts/{path}").status_code == 404


def test_who_lost_it_chooses_another(client: Client, owner: Any, world: World) -> None:
    TOTP.activate(owner, SECRET)
    RecoveryCodes.activate(owner)
    client.force_login(owner)
    other = Client()
    other.force_login(world.operator)
    said = io.StringIO()
    call_command("second_factor", owner.get_username(), forget=True, stdout=said)
    assert said.getvalue().startswith("2 second factors")
    assert [message.to for message in mail.outbox] == [["owner@example.org"]]
    assert client.get(reverse("mfa_index")).status_code == 302
    assert other.session.get("_auth_user_id") == str(world.operator.pk)
    sign_in(client, owner)
    assert client.get(reverse("admin:index")).headers["Location"] == reverse("mfa_index")
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("second_factor", "nobody", forget=True)
