"""New senders are judged once, by whichever process, before their replies are released."""

from __future__ import annotations

import datetime
import logging
from typing import Any

import pytest
from tests.outbox.carrier import FAULTS_OF_A_DATABASE, written
from tests.outbox.replies import HOUR, NOON, SECOND
from tests.shield.crowd import neighbours, stranger, strangers, suspicions
from tests.world import World

from conversations.models import Conversation, Reply
from outbox import release
from shield import judge
from shield.detector import Detector

MINUTE = 60 * SECOND
SAME = "venez tous rire avec nous sur ce numero"


def is_text(suspicion: str | None) -> bool:
    return suspicion is not None and suspicion.startswith("t")


def test_those_who_resemble_nobody_are_suspected_of_nothing(world: World) -> None:
    replies = strangers(world.north.hotline, 40)
    assert judge.look(NOON) == 40
    assert suspicions(replies) == [""] * 40
    assert judge.look(NOON) == 0


def test_a_text_of_many_makes_a_group_of_its_senders_and_of_nobody_else(world: World) -> None:
    raid = strangers(world.north.hotline, 6, text=SAME)
    other = strangers(world.north.hotline, 3, first=100)
    judge.look(NOON)
    assert len(set(suspicions(raid))) == 1
    assert is_text(suspicions(raid)[0])
    assert suspicions(other) == [""] * 3


def test_those_who_came_before_the_group_was_seen_are_put_into_it_while_they_wait(world: World) -> None:
    early = strangers(world.north.hotline, 4, text=SAME)
    judge.look(NOON)
    assert suspicions(early) == [""] * 4
    assert release.release_due(NOON, limit=1) == 1
    late = strangers(world.north.hotline, 2, first=10, at=NOON + SECOND, text=SAME)
    judge.look(NOON + SECOND)
    assert sum(map(is_text, suspicions([*early, *late]))) == 5
    gone = Reply.objects.get(state="released")
    assert gone.suspicion == ""


def test_a_block_of_numbers_is_a_group_and_its_name_tells_no_digit(world: World) -> None:
    strangers(world.north.hotline, 12)
    farm = neighbours(world.north.hotline, 20)
    judge.look(NOON)
    [name] = set(suspicions(farm))
    assert name is not None
    assert name.startswith("b")
    assert "7777" not in name


def test_two_hotlines_have_no_group_in_common(world: World) -> None:
    """What one organization's senders write says nothing about another's."""
    north = strangers(world.north.hotline, 4, text=SAME)
    south = strangers(world.south.hotline, 4, first=10, text=SAME)
    judge.look(NOON)
    assert suspicions([*north, *south]) == [""] * 8


def test_a_second_message_of_a_sender_is_not_looked_at(world: World) -> None:
    strangers(world.north.hotline, 3, text=SAME)
    repeats = [written(world.north.hotline, stranger(number), SAME, NOON + SECOND) for number in range(3)]
    judge.look(NOON + SECOND)
    assert [repeat.suspicion for repeat in repeats if repeat] == [None] * 3
    assert not Reply.objects.filter(suspicion__gt="").exists()


# --- processes --------------------------------------------------------------------------------------------------------
def test_a_restart_in_mid_raid_changes_nothing(world: World) -> None:
    early = strangers(world.north.hotline, 4, text=SAME)
    judge.look(NOON)
    judge.forget()
    late = strangers(world.north.hotline, 1, first=10, at=NOON + MINUTE, text=SAME)
    judge.look(NOON + MINUTE)
    assert all(map(is_text, suspicions([*early, *late])))


def test_what_another_process_judged_counts_here(world: World) -> None:
    judge.look(NOON)
    early = strangers(world.north.hotline, 4, text=SAME)
    Reply.objects.update(suspicion="")  # by another process
    late = strangers(world.north.hotline, 1, first=10, text=SAME)
    judge.look(NOON)
    assert all(map(is_text, suspicions([*early, *late])))


def test_what_lies_an_hour_back_counts_no_more(world: World) -> None:
    strangers(world.north.hotline, 4, text=SAME)
    judge.look(NOON)
    late = strangers(world.north.hotline, 2, first=10, at=NOON + HOUR, text=SAME)
    judge.look(NOON + HOUR)
    assert suspicions(late) == ["", ""]
    judge.forget()
    Reply.objects.filter(pk=late[0].pk).update(suspicion=None)
    judge.look(NOON + HOUR)
    assert suspicions(late) == ["", ""]


def test_a_row_that_was_committed_after_younger_ones_is_judged(world: World) -> None:
    late, *others = strangers(world.north.hotline, 4)
    Reply.objects.filter(pk=late.pk).update(state="sent", sent_at=NOON, provider_id="x")  # not to be seen yet
    judge.look(NOON)
    Reply.objects.filter(pk=late.pk).update(state="pending", sent_at=None, provider_id="", suspicion=None)
    judge.look(NOON)
    assert suspicions([late, *others]) == [""] * 4


def test_waiting_since_before_the_last_hour_is_judged_as_well(world: World) -> None:
    """Of an outage, or of an installation that did not judge yet."""
    replies = strangers(world.north.hotline, 6, text=SAME)
    judge.look(NOON + 2 * HOUR)
    assert suspicions(replies) == [""] * 6


def test_a_process_that_slept_for_hours_reads_only_the_last_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    judge.look(NOON - HOUR)
    old = strangers(world.north.hotline, 30)
    Reply.objects.update(suspicion="")  # by another process, meanwhile
    monkeypatch.setattr(judge, "_FIRST_STEP", 10)
    late = strangers(world.north.hotline, 1, first=100, at=NOON + 2 * HOUR)
    read = []
    real = judge._judge
    monkeypatch.setattr(judge, "_judge", lambda batch, now: read.extend(batch) or real(batch, now))
    judge.look(NOON + 2 * HOUR)
    assert late[0].pk in {reply.pk for reply in read}
    assert len(read) <= 11 < len(old)


# --- faults -----------------------------------------------------------------------------------------------------------
def test_what_cannot_be_read_is_like_nothing_else(world: World) -> None:
    replies = strangers(world.north.hotline, 6, text=SAME)
    type(replies[0].message).objects.update(text_sealed=b"garbage")
    Conversation.objects.update(sender_sealed=b"garbage")
    judge.look(NOON)
    assert suspicions(replies) == [""] * 6


def test_a_fault_in_judging_silences_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    replies = strangers(world.north.hotline, 3, text="je sais où tu habites")

    def broken(*_arguments: Any) -> Any:
        raise KeyError("je sais où tu habites")

    monkeypatch.setattr(Detector, "add", broken)
    with caplog.at_level(logging.ERROR):
        assert release.release_due(NOON) == 3
    assert suspicions(replies) == [""] * 3
    assert "are not judged, and answered all the same: KeyError at" in caplog.text
    assert "habites" not in caplog.text


@pytest.mark.parametrize("fault", FAULTS_OF_A_DATABASE)
def test_a_failing_database_lets_nobody_through_unjudged(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    replies = strangers(world.north.hotline, 3)

    def down(*_arguments: Any) -> Any:
        raise fault

    monkeypatch.setattr(Detector, "add", down)
    with pytest.raises(fault):
        release.release_due(NOON)
    assert suspicions(replies) == [None] * 3


def test_one_message_that_cannot_be_handled_is_judged_without_its_text(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    replies = strangers(world.north.hotline, 3)
    real = judge.shape

    def failing(text: str) -> Any:
        if failing.first:  # type: ignore[attr-defined]
            failing.first = False  # type: ignore[attr-defined]
            raise ValueError(text)
        return real(text)

    failing.first = True  # type: ignore[attr-defined]
    monkeypatch.setattr(judge, "shape", failing)
    with caplog.at_level(logging.ERROR):
        judge.look(NOON)
    assert suspicions(replies) == [""] * 3
    assert "is judged without its text: ValueError" in caplog.text


def test_idle_costs_two_queries(world: World, django_assert_num_queries: Any) -> None:
    strangers(world.north.hotline, 3)
    judge.look(NOON)
    with django_assert_num_queries(2):
        judge.look(NOON)


def test_many_are_judged_in_few_statements(world: World, django_assert_max_num_queries: Any) -> None:
    strangers(world.north.hotline, 30)
    with django_assert_max_num_queries(16):
        judge.look(NOON + datetime.timedelta(seconds=1))
