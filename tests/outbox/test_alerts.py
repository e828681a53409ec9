"""Budgets that run out and machines that answer are told once, in one mail, six an hour at most."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from tests.outbox.carrier import Carrier, written
from tests.outbox.replies import HOUR, NOON, SECOND
from tests.world import World

from conversations.models import Reply
from hotlines.models import Account, Hotline
from organizations.models import Organization
from outbox import release, send, sweeps, telling
from shield import watch
from shield.models import Alert

MINUTE = 60 * SECOND


@pytest.fixture(autouse=True)
def _english() -> Any:
    with translation.override("en"):
        yield


def answered(world: World, count: int, first: int = 0, at: datetime.datetime = NOON) -> None:
    for number in range(first, first + count):
        written(world.north.hotline, f"336399{number:05}", at=at)
    release.release_due(at)


def mails() -> list[tuple[str, ...]]:
    """Recipients, subject and body of each mail, and the outbox emptied."""
    found = [(message.to[0], message.subject, str(message.body)) for message in mail.outbox]
    mail.outbox.clear()
    return found


# --- budgets ----------------------------------------------------------------------------------------------------------
def test_each_threshold_is_told_once_and_to_whom_it_concerns(world: World, settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"
    Hotline.objects.update(day_budget="0.50")
    answered(world, 4)
    assert (watch.budgets(NOON), telling.tell(NOON)) == (0, 0)
    answered(world, 1, first=4)
    assert (watch.budgets(NOON), watch.budgets(NOON), telling.tell(NOON)) == (1, 0, 1)
    assert mails() == [
        (
            "alerts@north.example",
            "Paravent: North line, budget of the day: 50 % used (0.25\xa0EUR of 0.50\xa0EUR).",
            "North line, budget of the day: 50 % used (0.25\xa0EUR of 0.50\xa0EUR).",
        )
    ]
    answered(world, 9, first=5)
    assert (watch.budgets(NOON), telling.tell(NOON + MINUTE)) == (1, 1)
    [(to, subject, body)] = mails()
    assert (to, "100 % used (0.50\xa0EUR of 0.50\xa0EUR)" in subject) == ("alerts@north.example", True)
    assert "Replies wait until 11/25/2026 1 a.m., a day at most" in body
    assert (watch.budgets(NOON), telling.tell(NOON + 2 * HOUR), mails()) == (0, 0, [])


def test_a_new_day_is_told_anew(world: World) -> None:
    Hotline.objects.update(day_budget="0.10")
    for day in range(2):
        at = NOON + day * 24 * HOUR
        answered(world, 2, first=10 * day, at=at)
        assert (watch.budgets(at), telling.tell(at)) == (1, 1)


def test_organizations_accounts_and_the_platform_have_their_own(world: World, settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"
    settings.PLATFORM_DAY_BUDGET = decimal.Decimal(1)
    settings.ADMINS = [("", "operator@example.org")]
    Organization.objects.update(month_budget="0.50")
    answered(world, 10)
    Account.objects.filter(pk=world.north.account.pk).update(tariff="flat", messages_per_day=5, recipients_per_month=3)
    answered(world, 3, first=20)
    assert (watch.budgets(NOON), telling.tell(NOON)) == (4, 4)
    told = {to: body for to, _subject, body in mails()}
    assert set(told) == {"alerts@north.example", "operator@example.org"}
    waits = (
        "Replies wait until 12/01/2026 1 a.m., a day at most, or until somebody raises the budget. "
        "Messages are received and kept."
    )
    assert told["alerts@north.example"].splitlines()[::2] == [
        f"North, budget of the month: 100 % used (0.50\xa0EUR of 0.50\xa0EUR). {waits}",
        "North Plivo, budget of the day: 60 % used (3 of 5).",
        f"North Plivo, budget of the month: 100 % used (3 of 3). {waits}",
    ]
    assert told["operator@example.org"] == "Platform, budget of the day: 50 % used (0.50\xa0EUR of 1.00\xa0EUR)."


# --- telling ----------------------------------------------------------------------------------------------------------
def raised(world: World, number: int, at: datetime.datetime = NOON) -> None:
    Alert.objects.create(
        kind="loop", key=str(number), organization=world.north.organization, hotline=world.north.hotline, at=at
    )


def test_five_mails_in_an_hour_and_the_rest_in_the_next_one(world: World) -> None:
    """The sixth is a raid's."""
    for number in range(9):
        raised(world, number)
        telling.tell(NOON + number * MINUTE)
    assert len(mails()) == 5
    Alert.objects.create(
        kind="loop", key="south", organization=world.south.organization, hotline=world.south.hotline, at=NOON
    )
    assert telling.tell(NOON + 9 * MINUTE) == 1
    assert [to for to, *_ in mails()] == ["alerts@south.example"]
    assert telling.tell(NOON + 60 * MINUTE) == 4
    [(_to, subject, body)] = mails()
    assert body.count("\n\n") == 3
    assert "4" in subject


def test_what_could_not_be_mailed_is_told_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    raised(world, 1)

    def refuse(_mail: Any) -> None:
        raise OSError("connection refused")

    with monkeypatch.context() as patched:
        patched.setattr("django.core.mail.EmailMessage.send", refuse)
        assert telling.tell(NOON) == 0
    assert Alert.objects.get().told_at is None
    assert telling.tell(NOON + MINUTE) == 1


def test_who_has_no_address_is_not_tried_for_ever(world: World) -> None:
    raised(world, 1)
    Organization.objects.update(alert_email="")
    world.north.owner.email = ""
    world.north.owner.save()
    assert telling.tell(NOON) == 1
    assert mails() == []


def test_the_sweep_looks_and_tells(world: World) -> None:
    Hotline.objects.update(day_budget="0.05")
    answered(world, 1, at=timezone.now())
    assert sweeps.tell_alerts() == 1


# --- loops ------------------------------------------------------------------------------------------------------------
def talk(world: World, carrier: Carrier, seconds: float, texts: list[str]) -> list[str]:
    """One sender writes, each time so long after our last reply; what became of the replies."""
    Hotline.objects.update(delay_seconds=60, jitter_seconds=0)
    moment = NOON
    for text in texts:
        with time_machine.travel(moment, tick=False):
            written(world.north.hotline, text=text, at=moment)
        moment += MINUTE
        with time_machine.travel(moment, tick=False):
            release.release_due(moment)
            send.send_one(moment)
        moment += seconds * SECOND
    return list(Reply.objects.order_by("slot").values_list("state", flat=True))


def test_a_machine_is_answered_three_times_and_told_of_once(world: World, carrier: Carrier) -> None:
    texts = ["Je suis absent.", "Je suis absent", "je suis ABSENT", "Je suis absent.", "Je suis absent."]
    assert talk(world, carrier, 20, texts) == ["sent"] * 3 + ["dropped"] * 2
    assert set(Reply.objects.filter(state="dropped").values_list("detail", flat=True)) == {"loop"}
    [alert] = Alert.objects.filter(kind="loop")
    assert (alert.organization, alert.hotline) == (world.north.organization, world.north.hotline)
    assert "336" not in telling.sentence(alert)


def test_a_person_who_repeats_himself_gets_all_his_replies(world: World, carrier: Carrier) -> None:
    assert talk(world, carrier, 45, ["Salut"] * 5) == ["sent"] * 5
    assert not Alert.objects.exists()


# --- the list ---------------------------------------------------------------------------------------------------------
def test_alerts_are_listed_for_their_people_and_say_whether_they_were_mailed(world: World) -> None:
    raised(world, 1)
    client = Client(headers={"accept-language": "en"})
    client.force_login(world.north.viewer)
    page = client.get(reverse("admin:shield_alert_changelist")).content.decode()
    assert "North line: a machine seems to answer our replies." in page
    assert "waits" in page
    telling.tell(NOON)
    assert "waits" not in client.get(reverse("admin:shield_alert_changelist")).content.decode()
    client.force_login(world.south.viewer)
    assert "North line" not in client.get(reverse("admin:shield_alert_changelist")).content.decode()
