"""The compiled query asks at each run what the moment of that run is, and nothing of the run before."""

from __future__ import annotations

import datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests.outbox.carrier import written
from tests.world import World

from conversations.models import Reply
from hotlines.models import Account
from outbox import breaker, ready, release

MINUTE = datetime.timedelta(minutes=1)
#: What an account says beside `next_attempt_at`.
OPEN = {"attempt_wait": 30, "unanswered_since": timezone.now()}


@pytest.fixture
def reply(world: World) -> Reply:
    found = written(world.north.hotline, "33639980555")
    assert found is not None
    release.release_due(timezone.now())
    return found


def first(now: datetime.datetime) -> Reply | None:
    with transaction.atomic():
        return ready.first(now)


def test_each_run_asks_for_its_own_moment(reply: Reply) -> None:
    now = timezone.now()
    Reply.objects.filter(pk=reply.pk).update(due_at=now + MINUTE)
    assert [first(now), first(now + MINUTE), first(now)] == [None, reply, None]


def test_it_is_written_once_for_all_runs(reply: Reply) -> None:
    ready._compiled.cache_clear()
    for seconds in range(3):
        first(timezone.now() + datetime.timedelta(seconds=seconds))
    assert ready._compiled.cache_info().misses == 1


@pytest.mark.parametrize("column", ["resume_sending_at", "next_attempt_at"])
def test_an_account_that_waits_holds_its_replies_back_until_its_moment(reply: Reply, column: str) -> None:
    now = timezone.now()
    assert first(now) == reply
    Account.objects.update(**{column: now + MINUTE}, **OPEN if column == "next_attempt_at" else {})
    assert [first(now), first(now + MINUTE)] == [None, reply]


def test_a_moment_too_far_away_is_a_clock_that_was_set_back(reply: Reply) -> None:
    now = timezone.now()
    Account.objects.update(next_attempt_at=now + datetime.timedelta(seconds=breaker.LONGEST_WAIT + 60), **OPEN)
    assert first(now) == reply


def test_it_is_one_query_and_what_belongs_to_its_reply_another(reply: Reply) -> None:
    first(timezone.now())
    organization = reply.hotline.organization_id
    with CaptureQueriesContext(connection) as captured, transaction.atomic():
        found = ready.first(timezone.now())
        assert found is not None
        assert found.conversation.hotline_id == found.hotline.pk
        assert found.hotline.account.organization_id == found.hotline.organization.pk == organization
    assert sum(query["sql"].startswith("SELECT") for query in captured) == 2
