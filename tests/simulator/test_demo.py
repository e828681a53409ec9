"""The demo's data: created once, kept as somebody left it, and with a password that ends at the next start."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from conversations.senders import canonical
from hotlines.models import Account, Hotline
from organizations.models import Member, Organization
from providers.simulator import Simulator
from replies.models import ReplyTemplate
from shield.answerable import refusal
from simulator import demo, phones


def run() -> str:
    out = StringIO()
    call_command("demo", stdout=out)
    return out.getvalue()


def password_in(output: str) -> str:
    found = re.search(r"password +(\S+)", output)
    assert found is not None
    return found[1]


def test_three_kinds_of_number_with_texts_in_two_languages(db: None) -> None:
    run()
    lines = Hotline.objects.order_by("kind")
    assert [(line.kind, line.state, line.reply_limit, line.delay_seconds, line.jitter_seconds) for line in lines] == [
        ("anti-harassment", "active", 5, 0, 0),
        ("anti-relous", "active", 5, 0, 0),
        ("lgbt", "active", 5, 5, 0),
    ]
    for line in lines:
        assert set(ReplyTemplate.objects.filter(hotline=line).values_list("language", flat=True)) == {"fr", "en"}


def test_a_second_start_keeps_what_somebody_changed(db: None) -> None:
    run()
    Organization.objects.update(name="Renamed")
    Hotline.objects.filter(kind="lgbt").delete()
    Hotline.objects.filter(kind="anti-relous").update(name="Changed", reply_limit=3)
    account = Account.objects.values().get()
    assert "Everything is as you left it" in run()
    assert list(Hotline.objects.order_by("kind").values_list("name", "reply_limit")) == [
        ("Anti-harcèlement", 5),
        ("Changed", 3),
    ]
    assert Organization.objects.get().name == "Renamed"
    assert Account.objects.values().get() == account


def test_each_start_prints_a_password_that_ends_the_one_before(db: None) -> None:
    first = password_in(run())
    assert authenticate(username="demo", password=first) is not None
    second = password_in(run())
    assert first != second
    assert authenticate(username="demo", password=first) is None
    user = authenticate(username="demo", password=second)
    assert isinstance(user, User)
    assert (user.is_staff, user.is_superuser) == (True, False)
    assert Member.objects.get().role == "owner"


def test_credentials_have_plivos_form_and_no_two_demos_share_them(db: None) -> None:
    run()
    credentials = Account.objects.get().credentials
    form = next(field for field in Simulator.credential_fields if field.name == "auth_id")
    assert re.fullmatch(form.pattern, credentials["auth_id"])
    assert demo._new_credentials()["auth_token"] != credentials["auth_token"]


def test_every_number_to_choose_is_answered_or_says_that_it_is_not(db: None) -> None:
    run()
    hotline = Hotline.objects.get(kind="lgbt")
    refused = [
        example.number
        for example in phones.EXAMPLES
        if refusal(canonical(example.number), frozenset(hotline.countries), frozenset())
    ]
    assert refused == ["12025550123"]


@pytest.mark.parametrize("switch", ["DEMO", "SIMULATOR"])
def test_no_demo_where_people_are_served(db: None, settings: Any, switch: str) -> None:
    setattr(settings, switch, False)
    with pytest.raises(CommandError, match="Nothing was changed"):
        run()
    assert (Organization.objects.count(), User.objects.count()) == (0, 0)
