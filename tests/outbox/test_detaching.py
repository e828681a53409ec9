"""A number is taken off at the provider and attached again: whatever the provider does, and whoever dies."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.db import OperationalError
from django.utils import timezone, translation
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.outbox.replies import HOUR, NOON, SECOND
from tests.providers.fake_plivo import FakePlivo
from tests.providers.plivo_numbers import APPLICATION, Numbers
from tests.world import World

from hotlines.models import Account
from outbox import detaching, telling
from providers import http
from shield.models import Alert, Detachment

NUMBER = "33937000001"


@pytest.fixture
def plivo(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePlivo]:
    http.client.cache_clear()
    with FakePlivo() as server:
        settings.PLIVO_API_URL = server.url
        yield server
        http.client().close()
    http.client.cache_clear()


@pytest.fixture
def row(world: World) -> Detachment:
    hotline = world.north.hotline
    return Detachment.objects.create(
        organization=hotline.organization, hotline=hotline, decided_at=NOON, next_attempt_at=NOON
    )


def end(row: Detachment) -> None:
    Detachment.objects.filter(pk=row.pk).update(ended_at=NOON)


def run(times: int = 1) -> int:
    """Runs at a moment when whatever is to be tried again may be."""
    done = 0
    for _ in range(times):
        done += detaching.carry_out(timezone.now() + HOUR)
    return done


def on(plivo: FakePlivo) -> str:
    """What the number is attached to."""
    return plivo.numbers.applications.get(NUMBER, APPLICATION)


def test_it_is_taken_off_and_attached_again_to_what_it_was_attached_to(plivo: FakePlivo, row: Detachment) -> None:
    assert (run(), on(plivo)) == (1, "")
    row.refresh_from_db()
    assert row.detached_at is not None
    assert (row.application, row.detail, row.attached_at) == (APPLICATION, "", None)
    assert run(3) == 0
    end(row)
    assert (run(), on(plivo)) == (1, APPLICATION)
    row.refresh_from_db()
    assert row.attached_at is not None
    before = len(plivo.numbers.requests)
    assert (run(3), len(plivo.numbers.requests)) == (0, before)


def test_before_it_is_taken_off_it_is_written_where_it_belongs(
    plivo: FakePlivo, row: Detachment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies between the two calls leaves a number that finds its way back."""
    known = []
    answer = plivo.numbers.answer

    def watched(method: str, account: str, number: str, body: bytes) -> Any:
        if method == "POST":
            known.append(Detachment.objects.get(pk=row.pk).application)
            raise RuntimeError("the worker dies here")
        return answer(method, account, number, body)

    from providers.plivo import Plivo  # noqa: PLC0415

    real = Plivo.attach
    monkeypatch.setattr(Plivo, "attach", lambda *_call: watched("POST", "", NUMBER, b""))
    assert run() == 0
    assert known == [APPLICATION]
    monkeypatch.setattr(Plivo, "attach", real)
    # The record now says something else, as after a POST whose answer was lost.
    plivo.numbers.applications[NUMBER] = ""
    assert run() == 1
    end(row)
    assert (run(), on(plivo)) == (1, APPLICATION)


@examples(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.lists(
        st.sampled_from(["202", "forgets", "500", "500+done", "429:7", "401", "404"]), min_size=1, max_size=12
    ),
    ended_after=st.integers(0, 6),
)
def test_whatever_the_provider_does_the_number_ends_where_it_belongs(
    plivo: FakePlivo, world: World, faults: list[str], ended_after: int
) -> None:
    Alert.objects.all().delete()
    Detachment.objects.all().delete()
    plivo.numbers = Numbers()
    hotline = world.north.hotline
    row = Detachment.objects.create(
        organization=hotline.organization, hotline=hotline, decided_at=NOON, next_attempt_at=NOON
    )
    plivo.numbers.script(*faults)
    run(ended_after)
    row.refresh_from_db()
    # What is written as done is done.
    assert row.detached_at is None or on(plivo) == ""
    end(row)
    run(len(faults) + 1)
    row.refresh_from_db()
    assert row.attached_at is not None
    assert on(plivo) == APPLICATION


def test_a_number_that_is_attached_to_nothing_or_to_something_else_by_then_is_left_alone(
    plivo: FakePlivo, row: Detachment
) -> None:
    plivo.numbers.applications[NUMBER] = ""
    assert run() == 1
    assert [method for method, *_rest in plivo.numbers.requests] == ["GET"]
    end(row)
    assert (run(), on(plivo)) == (1, "")
    Detachment.objects.update(application=APPLICATION, attached_at=None)
    plivo.numbers.applications[NUMBER] = "another"
    assert (run(), on(plivo)) == (1, "another")


def test_one_that_ended_before_anything_was_done_is_closed(plivo: FakePlivo, row: Detachment) -> None:
    end(row)
    assert run() == 1
    assert plivo.numbers.requests == []
    assert Detachment.objects.get().attached_at is not None


def test_while_one_tries_nobody_else_does_and_an_end_waits_for_it(
    plivo: FakePlivo, row: Detachment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the other would find it still attached, write that all is well, and the first would take it off for good."""
    from providers.plivo import Plivo  # noqa: PLC0415

    real, meanwhile = Plivo.attach, []

    def slow(self: Plivo, number: str, application: str, credentials: Any) -> None:
        end(row)
        meanwhile.append(detaching.carry_out(timezone.now() + 30 * SECOND))
        real(self, number, application, credentials)

    monkeypatch.setattr(Plivo, "attach", slow)
    assert (detaching.carry_out(timezone.now()), meanwhile, on(plivo)) == (1, [0], "")
    monkeypatch.setattr(Plivo, "attach", real)
    assert (run(), on(plivo)) == (1, APPLICATION)


def test_pauses_grow_and_a_provider_that_asks_for_more_gets_it(plivo: FakePlivo, row: Detachment) -> None:
    waits = []
    plivo.numbers.script(*["500"] * 7, "429:900")
    for _ in range(8):
        run()
        row.refresh_from_db()
        waits.append(round((row.next_attempt_at - timezone.now()).total_seconds()))
    assert waits == [15, 30, 60, 120, 240, 480, 600, 900]
    assert (row.attempts, row.detail) == (8, "429")
    now = timezone.now()
    assert detaching.carry_out(now) == 0
    assert plivo.numbers.requests[8:] == []


@pytest.mark.parametrize(
    ("ended", "words"), [(False, "It goes on charging."), (True, "so nothing arrives.")], ids=["on", "off"]
)
def test_a_person_is_told_once_when_the_provider_does_not_do_it(
    plivo: FakePlivo, row: Detachment, settings: Any, ended: bool, words: str
) -> None:
    settings.LANGUAGE_CODE = "en"
    if ended:
        run()
        end(row)
    plivo.numbers.script(*["503"] * 9)
    assert run(3) == 0
    assert telling.tell(timezone.now()) == 0
    run(6)
    assert telling.tell(timezone.now()) == 1
    [told] = mail.outbox
    assert "North line" in told.subject
    assert "(503)" in told.body
    assert words in told.body
    assert NUMBER not in told.body
    assert (run(), on(plivo)) == (1, APPLICATION if ended else "")
    assert telling.tell(timezone.now()) == 0


def test_credentials_that_cannot_be_read_stop_no_other_number(plivo: FakePlivo, row: Detachment, world: World) -> None:
    hotline = world.south.hotline
    Account.objects.filter(pk=world.north.account.pk).update(credentials_sealed=b"\x01broken")
    Detachment.objects.create(organization=hotline.organization, hotline=hotline, decided_at=NOON, next_attempt_at=NOON)
    assert run() == 1
    row.refresh_from_db()
    assert (row.detached_at, row.detail) == (None, "Unreadable")


def test_a_database_that_fails_ends_the_run(plivo: FakePlivo, row: Detachment, monkeypatch: pytest.MonkeyPatch) -> None:
    from providers.plivo import Plivo  # noqa: PLC0415

    def failing(*_call: Any) -> str:
        raise OperationalError("gone")

    monkeypatch.setattr(Plivo, "application", failing)
    with pytest.raises(OperationalError):
        run()


def test_an_alert_speaks_the_readers_language(row: Detachment) -> None:
    alert = Alert(kind=Alert.Kind.NUMBER, key=f"{row.pk}:attach", detachment=row, hotline=row.hotline, at=NOON)
    with translation.override("en"):
        assert telling.sentence(alert).startswith("North line: the number is still disconnected")
        assert "(no answer)" in telling.sentence(alert)


@pytest.mark.parametrize(
    ("decided", "attached", "off"),
    [(0, None, True), (0, 3, True), (0, 1, False), (4, None, False), (-9, -8, False)],
)
def test_whether_it_was_off_at_some_moment(row: Detachment, decided: int, attached: int | None, off: bool) -> None:
    hours = [NOON + datetime.timedelta(hours=hour) for hour in (decided, 0 if attached is None else attached)]
    Detachment.objects.update(
        decided_at=hours[0], ended_at=hours[1], attached_at=None if attached is None else hours[1]
    )
    assert detaching.was_off(row.hotline, NOON + 2 * HOUR, NOON + 3 * HOUR) is off
