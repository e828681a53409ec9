from __future__ import annotations

import datetime
import logging
import zoneinfo
from typing import Any

import pytest
from django.core import mail
from django.db import OperationalError
from django.utils import translation
from tests.outbox.carrier import written
from tests.world import Tenant, World

from conversations.models import Block, Conversation
from organizations.models import Member, Organization
from outbox import alerts, summary
from outbox.models import Summary

PARIS = zoneinfo.ZoneInfo("Europe/Paris")
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)


def paris(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=PARIS)


MORNING = paris("2026-11-24T08:00")


def blocked(tenant: Tenant, since: datetime.datetime, cause: str = "limit", number: int = 1) -> Block:
    """One more block on the tenant's hotline, of the conversation `number`."""
    sender = f"336399801{number:02}"
    key = f"number:+{sender}"
    known = [row for row in Conversation.objects.filter(hotline=tenant.hotline) if row.sender == key]
    if not known:
        reply = written(tenant.hotline, sender, at=since)
        assert reply is not None
        known = [reply.conversation]
    episode = Block.objects.filter(conversation=known[0], cause="limit").count() + 1
    return Block.objects.create(
        organization=tenant.organization,
        conversation=known[0],
        cause=cause,
        reason="insults" if cause == "person" else "",
        episode=episode if cause == "limit" else None,
        since=since,
        until=since + 90 * DAY,
    )


def blocked_everywhere(tenant: Tenant, since: datetime.datetime) -> None:
    Block.objects.create(
        organization=tenant.organization, sender_key=bytes(16), cause="person", reason="insults", since=since
    )


def test_counts_and_causes_for_each_number_and_nothing_about_a_sender(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LANGUAGE_CODE = "en"
    # A random one is twenty digits and more, and once in a while holds those of a number.
    monkeypatch.setattr("django.core.mail.message.make_msgid", lambda **_more: "<summary@example.org>")
    for number in (1, 2, 3):
        blocked(world.north, MORNING - DAY + HOUR * number, number=number)
    blocked(world.north, MORNING - DAY, "stop")
    blocked(world.north, MORNING - DAY, "person")
    blocked_everywhere(world.north, MORNING - DAY)
    blocked(world.south, MORNING - DAY)
    assert summary.send_due(MORNING) == 2
    north, south = sorted(mail.outbox, key=lambda message: message.to)
    assert (north.to, north.subject) == (["alerts@north.example"], "Paravent: new blocks at North")
    assert sorted(north.body.splitlines()) == [
        "North line: 1 block, blocked by a person",
        "North line: 1 block, the sender wrote STOP",
        "North line: 3 blocks, reply limit reached",
        "all numbers: 1 block, blocked by a person",
    ]
    assert (south.to, south.body) == (["alerts@south.example"], "South line: 1 block, reply limit reached")
    names = {row.pseudonym for row in Conversation.objects.all()}
    for message in (north, south):
        whole = message.message().as_string()
        assert [word for word in (*names, "3363998", "63998", "insults") if word in whole] == []


def test_two_numbers_of_the_same_name_are_two_lines(world: World, settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"
    other = type(world.north.hotline).objects.create(
        organization=world.north.organization,
        account=world.north.account,
        name=world.north.hotline.name,
        number="+33937000009",
        kind="lgbt",
        state="active",
        delay_seconds=0,
    )
    blocked(world.north, MORNING - DAY)
    reply = written(other, "33639980109", at=MORNING - DAY)
    assert reply is not None
    Block.objects.create(
        organization=world.north.organization, conversation=reply.conversation, cause="stop", since=MORNING - DAY
    )
    Block.objects.create(
        organization=world.north.organization,
        conversation=reply.conversation,
        cause="limit",
        episode=1,
        since=MORNING - DAY,
    )
    summary.send_due(MORNING)
    assert mail.outbox[0].body.splitlines() == [
        "North line: 1 block, reply limit reached",
        "North line: 1 block, reply limit reached",
        "North line: 1 block, the sender wrote STOP",
    ]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_it_is_written_in_the_installations_language_whoever_runs_the_sweep(
    world: World, settings: Any, language: str
) -> None:
    settings.LANGUAGE_CODE = language
    blocked(world.north, MORNING - DAY)
    with translation.override("de"):
        assert summary.send_due(MORNING) == 1
    with translation.override(language):
        cause = str(translation.gettext("reply limit reached"))
        subject = translation.gettext("Paravent: new blocks at %(name)s") % {"name": "North"}
    assert (mail.outbox[0].subject, mail.outbox[0].body.endswith(cause)) == (subject, True)


def test_it_leaves_once_a_day_from_eight_o_clock_local_time(world: World) -> None:
    blocked(world.north, MORNING - DAY)
    assert summary.send_due(MORNING - datetime.timedelta(seconds=1)) == 0
    assert summary.send_due(MORNING) == 1
    assert summary.send_due(MORNING + HOUR) == 0
    blocked(world.north, MORNING + HOUR)
    assert summary.send_due(MORNING + 15 * HOUR) == 0
    assert [summary.send_due(MORNING + DAY), summary.send_due(MORNING + DAY)] == [1, 0]


def test_each_organization_has_its_own_morning(world: World) -> None:
    Organization.objects.filter(pk=world.south.organization.pk).update(time_zone="America/Guadeloupe")
    blocked(world.north, MORNING - DAY)
    blocked(world.south, MORNING - DAY)
    assert summary.send_due(MORNING) == 1
    assert summary.send_due(MORNING + 4 * HOUR) == 0
    assert summary.send_due(MORNING + 5 * HOUR) == 1
    assert [message.to for message in mail.outbox] == [["alerts@north.example"], ["alerts@south.example"]]


@pytest.mark.parametrize(
    ("morning", "hours"), [("2026-03-30T08:00", 23), ("2026-10-26T08:00", 25), ("2026-06-02T08:00", 24)]
)
def test_yesterday_is_the_calendars_also_when_clocks_change(world: World, morning: str, hours: int) -> None:
    today = paris(morning)
    midnight = today.replace(hour=0)
    start = (midnight - DAY).astimezone(datetime.UTC)
    assert midnight.astimezone(datetime.UTC) - start == HOUR * hours
    second = datetime.timedelta(seconds=1)
    for number, since in enumerate([start - second, start, start + HOUR * hours - second, start + HOUR * hours]):
        blocked(world.north, since, number=number)
    assert summary.send_due(today) == 1
    assert "2 " in mail.outbox[0].body


def test_days_without_a_working_server_are_told_together(world: World) -> None:
    blocked(world.north, MORNING - DAY, number=1)
    summary.send_due(MORNING)
    for day, number in ((0, 2), (1, 3), (2, 4)):
        blocked(world.north, MORNING + DAY * day + HOUR, number=number)
    assert summary.send_due(MORNING + 3 * DAY) == 1
    assert "3 " in mail.outbox[1].body


def test_what_is_older_than_a_week_is_not_told_any_more(world: World) -> None:
    Summary.objects.create(organization=world.north.organization, day=(MORNING - 30 * DAY).date())
    blocked(world.north, MORNING - 20 * DAY, number=1)
    blocked(world.north, MORNING - DAY, number=2)
    summary.send_due(MORNING)
    assert "1 " in mail.outbox[0].body


def test_an_organization_whose_clock_moved_back_gets_no_second_one(world: World) -> None:
    blocked(world.north, MORNING - DAY)
    Summary.objects.create(organization=world.north.organization, day=(MORNING + DAY).date())
    assert summary.send_due(MORNING) == 0


def test_a_mail_that_failed_is_sent_at_the_next_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked(world.north, MORNING - DAY)
    monkeypatch.setattr(alerts, "mail", lambda *_arguments: False)
    assert summary.send_due(MORNING) == 0
    assert not Summary.objects.filter(organization=world.north.organization).exists()
    monkeypatch.undo()
    assert summary.send_due(MORNING + HOUR / 12) == 1
    assert len(mail.outbox) == 1


def test_a_fault_in_one_organization_keeps_no_other_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for tenant in world.tenants:
        blocked(tenant, MORNING - DAY)
    Organization.objects.filter(pk=world.north.organization.pk).update(time_zone="Mars/Olympus")
    with caplog.at_level(logging.ERROR):
        assert summary.send_due(MORNING) == 1
    assert [message.to for message in mail.outbox] == [["alerts@south.example"]]
    found = caplog.records[0].getMessage()
    assert found.startswith(f"summary of organization {world.north.organization.pk} failed: ZoneInfoNotFoundError at ")


def test_a_fault_while_it_is_written_takes_the_date_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked(world.north, MORNING - DAY)

    def fault(*_arguments: object) -> bool:
        raise RuntimeError

    monkeypatch.setattr(alerts, "mail", fault)
    assert summary.send_due(MORNING) == 0
    monkeypatch.undo()
    assert summary.send_due(MORNING) == 1


def test_a_dead_database_ends_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_arguments: object) -> bool:
        raise OperationalError

    monkeypatch.setattr(summary, "_send", down)
    with pytest.raises(OperationalError):
        summary.send_due(MORNING)


def test_without_an_address_the_owners_get_it(world: World) -> None:
    Organization.objects.update(alert_email="")
    inactive = world.north.editor
    Member.objects.filter(user=inactive).update(role="owner")
    type(inactive).objects.filter(pk=inactive.pk).update(is_active=False)
    blocked(world.north, MORNING - DAY)
    summary.send_due(MORNING)
    assert mail.outbox[0].to == ["owner@north.example"]


def test_without_any_address_it_is_said_once_a_day_in_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    Organization.objects.update(alert_email="")
    Member.objects.all().delete()
    blocked(world.north, MORNING - DAY)
    assert [summary.send_due(MORNING), summary.send_due(MORNING)] == [0, 0]
    assert [record.getMessage() for record in caplog.records if record.name == "paravent.alerts"] == [
        f"organization {world.north.organization.pk} has no address for alerts"
    ]


def test_a_name_of_two_lines_makes_no_second_header(world: World) -> None:
    Organization.objects.filter(pk=world.north.organization.pk).update(name="North\r\nBcc: x@example.org")
    blocked(world.north, MORNING - DAY)
    assert summary.send_due(MORNING) == 1
    assert (mail.outbox[0].bcc, "\n" in mail.outbox[0].subject) == ([], False)
