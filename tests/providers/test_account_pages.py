"""An account's page: made from what its provider asks for; secrets go in and never come out."""

from __future__ import annotations

import datetime
import html
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests.people import signed_in
from tests.world import AUTH_ID, Tenant, World

from hotlines.models import Account
from providers import registry
from providers.admin import AccountForm

SECRET = "a-new-secret-token-0123456789"
TARIFF = {"tariff": "segment", "price_out": "0.05", "price_in": "0.0075", "billing_rate": "1"}


def page(account: Account, name: str = "change") -> str:
    return reverse(f"admin:hotlines_account_{name}", args=(account.pk,))


def save(tenant: Tenant, **changes: Any) -> Any:
    fields = {"label": tenant.account.label, "credential_auth_id": AUTH_ID, **TARIFF, **changes}
    return signed_in(tenant.owner).post(page(tenant.account), fields, follow=True)


def test_an_empty_secret_keeps_what_is_stored(world: World) -> None:
    assert save(world.north, label="renamed").status_code == 200
    account = Account.objects.get(pk=world.north.account.pk)
    assert account.label == "renamed"
    assert account.credentials == {"auth_id": AUTH_ID, "auth_token": world.north.token}


def test_a_new_secret_replaces_the_stored_one_and_is_never_shown(world: World) -> None:
    north = world.north
    answer = save(north, credential_auth_token=SECRET, credential_previous_auth_token=north.token)
    account = Account.objects.get(pk=north.account.pk)
    assert account.credentials == {"auth_id": AUTH_ID, "auth_token": SECRET, "previous_auth_token": north.token}
    pages = [
        answer,
        *(
            signed_in(user).get(page(account, name))
            for user in (north.owner, north.viewer, world.operator)
            for name in ("change", "history")
        ),
    ]
    for shown in pages:
        assert shown.status_code == 200
        assert SECRET not in shown.content.decode()
        assert north.token not in shown.content.decode()
    assert SECRET not in LogEntry.objects.latest("pk").change_message


def test_a_refused_form_does_not_give_the_secret_back(world: World) -> None:
    answer = save(world.north, credential_auth_id="wrong", credential_auth_token=SECRET)
    assert "20 characters that begin with MA" in answer.content.decode()
    assert SECRET not in answer.content.decode()
    assert Account.objects.get(pk=world.north.account.pk).credentials["auth_token"] == world.north.token


def test_an_optional_secret_can_be_forgotten_and_a_required_one_cannot(world: World) -> None:
    north = world.north
    assert "forget_previous_auth_token" not in signed_in(north.owner).get(page(north.account)).content.decode()
    save(north, credential_previous_auth_token="old")
    shown = signed_in(north.owner).get(page(north.account)).content.decode()
    assert "forget_previous_auth_token" in shown
    assert "forget_auth_token" not in shown
    save(north, forget_previous_auth_token="on", forget_auth_token="on")
    assert Account.objects.get(pk=north.account.pk).credentials == {"auth_id": AUTH_ID, "auth_token": north.token}


def test_a_new_account_asks_for_the_credentials_of_its_provider(world: World, settings: Any) -> None:
    client = signed_in(world.north.owner)
    made = client.post(reverse("admin:hotlines_account_add"), {"label": "second", "provider": "plivo"}, follow=True)
    account = Account.objects.get(label="second")
    assert account.organization == world.north.organization
    assert made.redirect_chain == [(page(account), 302)]
    assert "Now enter the credentials" in made.content.decode()
    missing = client.post(page(account), {"label": "second", "credential_auth_id": AUTH_ID, **TARIFF})
    assert "This field is required." in missing.content.decode()
    filled = {"label": "second", "credential_auth_id": AUTH_ID, "credential_auth_token": SECRET, **TARIFF}
    assert client.post(page(account), filled).status_code == 302
    assert Account.objects.get(label="second").credentials == {"auth_id": AUTH_ID, "auth_token": SECRET}


def test_where_one_provider_is_offered_its_credentials_are_asked_for_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "names", lambda: ["plivo"])
    fields = {"label": "second", "provider": "plivo", "credential_auth_id": AUTH_ID, "credential_auth_token": SECRET}
    assert signed_in(world.north.owner).post(reverse("admin:hotlines_account_add"), fields).status_code == 302
    assert Account.objects.get(label="second").credentials["auth_token"] == SECRET


@pytest.mark.parametrize("provider", ["simulator", "carrier-pigeon", ""])
def test_a_provider_that_is_not_offered_is_refused(world: World, settings: Any, provider: str) -> None:
    settings.SIMULATOR = False
    fields = {"label": "second", "provider": provider, "credential_auth_id": AUTH_ID, "credential_auth_token": SECRET}
    assert signed_in(world.north.owner).post(reverse("admin:hotlines_account_add"), fields).status_code == 200
    assert not Account.objects.filter(label="second").exists()


def test_the_page_of_a_provider_that_is_gone_still_opens(world: World) -> None:
    Account.objects.update(provider="gone")
    for user in (world.north.owner, world.north.viewer):
        assert signed_in(user).get(page(world.north.account)).status_code == 200
    assert save(world.north, label="renamed").status_code == 200
    assert Account.objects.get(pk=world.north.account.pk).credentials["auth_token"] == world.north.token


def test_two_accounts_of_an_organization_have_two_names(world: World) -> None:
    fields = {"label": world.north.account.label, "provider": "plivo"}
    refused = signed_in(world.north.owner).post(reverse("admin:hotlines_account_add"), fields)
    assert (refused.status_code, "already exists" in refused.content.decode()) == (200, True)
    elsewhere = signed_in(world.south.owner).post(reverse("admin:hotlines_account_add"), fields)
    assert elsewhere.status_code == 302


def test_the_owner_resumes_sending(world: World) -> None:
    north = world.north
    Account.objects.filter(pk=north.account.pk).update(sending_paused_at=timezone.now(), sending_paused_reason="402")
    shown = signed_in(north.viewer).get(page(north.account)).content.decode()
    assert "the provider refused the account (402)" in shown
    assert "Resume sending" not in shown
    assert "Attention" in signed_in(north.editor).get(reverse("admin:index")).content.decode()
    resume = page(north.account, "resume_sending")
    assert signed_in(north.owner).get(resume).status_code == 200
    assert Account.objects.get(pk=north.account.pk).sending_paused_at is not None
    assert signed_in(north.editor).post(resume, {"_form_submitted": "True"}).status_code == 403
    assert signed_in(north.owner).post(resume, {"_form_submitted": "True"}).status_code == 302
    account = Account.objects.get(pk=north.account.pk)
    assert (account.sending_paused_at, account.sending_paused_reason) == (None, "")
    again = signed_in(north.owner).post(resume, {"_form_submitted": "True"})
    assert "Sending is not paused" in again.content.decode()


def test_the_page_tells_since_when_the_provider_does_not_answer(world: World) -> None:
    noon = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
    minutes = datetime.timedelta(minutes=1)
    silent = Account.objects.filter(pk=world.north.account.pk)
    silent.update(unanswered=7, unanswered_since=noon, next_attempt_at=noon + 4 * minutes, attempt_wait=120)
    told = (
        "The provider does not answer since 11/24/2026 1 p.m.; the next attempt is at 11/24/2026 1:04 p.m., and replies"
    )
    for user in (world.north.owner, world.north.viewer):
        shown = html.unescape(signed_in(user).get(page(world.north.account)).content.decode())
        assert told in signed_in(user).get(page(world.north.account)).content.decode()
        assert "no answer" in signed_in(user).get(reverse("admin:hotlines_account_changelist")).content.decode()
    french = Client(headers={"Accept-Language": "fr"})
    french.force_login(world.north.owner)
    shown = html.unescape(french.get(page(world.north.account)).content.decode())
    assert "L’opérateur ne répond pas depuis le 24/11/2026 13:00" in shown
    silent.update(unanswered=0, unanswered_since=None, next_attempt_at=None, attempt_wait=0)
    assert "Sending is on." in signed_in(world.north.owner).get(page(world.north.account)).content.decode()


def test_saving_the_page_takes_back_nothing_that_a_worker_wrote_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = AccountForm.credentials

    def late(form: AccountForm) -> dict[str, str]:
        Account.objects.filter(pk=form.instance.pk).update(
            sending_paused_at=timezone.now(), sending_paused_reason="402"
        )
        return credentials(form)

    monkeypatch.setattr(AccountForm, "credentials", late)
    assert save(world.north, label="renamed", credential_auth_token=SECRET).status_code == 200
    account = Account.objects.get(pk=world.north.account.pk)
    assert (account.label, account.sending_paused_reason) == ("renamed", "402")
    assert account.credentials["auth_token"] == SECRET


def test_new_credentials_leave_a_pause_standing_and_say_so(world: World) -> None:
    Account.objects.update(sending_paused_at=timezone.now(), sending_paused_reason="401")
    answer = save(world.north, credential_auth_token=SECRET)
    assert "Sending is still paused" in answer.content.decode()
    assert Account.objects.get(pk=world.north.account.pk).sending_paused_reason == "401"


def test_credentials_whose_key_is_gone_can_be_entered_again(world: World) -> None:
    Account.objects.filter(pk=world.north.account.pk).update(credentials_sealed=b"\x01" + b"\x00" * 40)
    assert signed_in(world.north.owner).get(page(world.north.account)).status_code == 200
    assert "This field is required." in save(world.north).content.decode()
    assert save(world.north, credential_auth_token=SECRET).status_code == 200
    assert Account.objects.get(pk=world.north.account.pk).credentials["auth_token"] == SECRET


def test_an_account_with_numbers_is_not_deleted(world: World) -> None:
    client = signed_in(world.north.owner)
    assert client.post(page(world.north.account, "delete"), {"post": "yes"}).status_code == 403
    unused = Account.objects.create(organization=world.north.organization, provider="plivo", label="unused")
    assert client.post(page(unused, "delete"), {"post": "yes"}).status_code == 302
    assert list(Account.objects.filter(organization=world.north.organization)) == [world.north.account]


def test_prices_and_the_limits_of_a_fixed_fee_are_the_owners_to_enter(world: World) -> None:
    north = world.north
    limits = {"messages_per_day": "200", "recipients_per_month": "90"}
    assert save(north, tariff="flat", price_out="", billing_rate="0.92", **limits).status_code == 200
    account = Account.objects.get(pk=north.account.pk)
    assert (account.tariff, account.price_out, str(account.billing_rate)) == ("flat", None, "0.920000")
    assert (account.messages_per_day, account.messages_per_month, account.recipients_per_month) == (200, None, 90)
    for wrong in ({"price_out": "-1"}, {"billing_rate": "0"}, {"messages_per_day": "-5"}, {"tariff": "gift"}):
        assert save(north, **wrong).context["errors"]
    assert signed_in(north.editor).post(page(north.account), {"label": "x", **TARIFF}).status_code == 403
