"""Machines that answer our answers, and people who only look like them (DESIGN.md, invariant 5)."""

from __future__ import annotations

import dataclasses
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shield.loops import TURNS, Turn, is_loop

NOON = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
REPLY = "La personne qui vous a donné ce numéro ne souhaite pas être contactée."


def turns(*told: tuple[str, float]) -> list[Turn]:
    """Messages with the seconds after the reply that went before; the first follows none."""
    (first, _), *others = told
    found, moment = [Turn(first, NOON)], NOON
    for text, seconds in others:
        sent = moment + datetime.timedelta(seconds=60)
        moment = sent + datetime.timedelta(seconds=seconds)
        found.append(Turn(text, moment, REPLY, sent))
    return found


@pytest.mark.parametrize(
    ("told", "loop"),
    [
        ([("Absent", 0), ("un", 1), ("deux", 4), ("trois", 3)], True),
        ([("Absent", 0), ("un", 1), ("deux", 4), ("trois", 4.1)], False),
        ([("Absent", 0), ("Absent", 20), ("Absent", 30), ("ABSENT !", 30)], True),
        ([("Absent", 0), ("Absent", 20), ("Absent", 31), ("Absent", 20)], False),
        ([("qui es-tu", 0), (REPLY, 400), (f"Re: « {REPLY} »", 4000), (REPLY.upper(), 90)], True),
        ([("qui es-tu", 0), (REPLY, 400), ("pardon", 4000), (REPLY, 90)], False),
        ([("réponds", 0), ("réponds", 600), ("réponds", 1200), ("réponds", 90)], False),
        ([("", 0), ("", 20), ("", 20), ("", 20)], False),
        ([("un", 0), ("deux", 1), ("trois", 1)], False),
        ([("un", 0), ("deux", -4), ("trois", -1), ("quatre", 0)], True),
        ([("un", 0), ("deux", -6), ("trois", 1), ("quatre", 1)], False),
    ],
)
def test_what_is_a_loop(told: list[tuple[str, float]], loop: bool) -> None:
    assert is_loop(turns(*told)) is loop


@given(st.lists(st.tuples(st.text(max_size=30), st.floats(31, 90_000)), min_size=1, max_size=8))
def test_a_person_is_never_a_loop_whatever_he_writes(told: list[tuple[str, float]]) -> None:
    assert not is_loop(turns(*told))


@given(st.lists(st.tuples(st.text(max_size=30), st.floats(-5, 4)), min_size=TURNS, max_size=8))
def test_who_answers_faster_than_people_do_always_is(told: list[tuple[str, float]]) -> None:
    assert is_loop(turns(("Salut", 0), *told))


def test_who_writes_many_texts_in_a_row_is_no_machine_where_replies_leave_at_once() -> None:
    told = [Turn("Salut", NOON)]
    for number in range(1, 6):
        moment = NOON + number * datetime.timedelta(seconds=3)
        told.append(Turn("Salut", moment, REPLY, moment - datetime.timedelta(seconds=2)))
    assert not is_loop(told)
    assert is_loop([dataclasses.replace(turn, text=REPLY) for turn in told])


def test_a_short_word_of_ours_may_be_his_own() -> None:
    after = NOON + datetime.timedelta(hours=1)
    assert not is_loop([Turn("Salut", after, "Salut", NOON)] * 4)
