"""What everybody asks for is made by one, kept for a moment, and there while the database is not."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import OperationalError

from pages import kept
from pages.kept import Kept

pytestmark = pytest.mark.once


@pytest.fixture
def made() -> list[str]:
    return []


def maker(made: list[str], value: str | None) -> Any:
    def make() -> str | None:
        made.append(str(value))
        return value

    return make


def down() -> Any:
    raise OperationalError


def test_a_value_is_made_once_for_a_moment(made: list[str]) -> None:
    values: Kept[str] = Kept(60, 4)
    assert [values.get("a", maker(made, "x")) for _time in range(3)] == ["x"] * 3
    assert made == ["x"]
    values.forget()
    assert values.get("a", maker(made, "y")) == "y"


def test_what_is_not_there_is_remembered_apart(made: list[str]) -> None:
    values: Kept[str] = Kept(60, 4)
    values.get("a", maker(made, "x"))
    for number in range(2000):
        assert values.get(f"made up {number}", maker(made, None)) is None
    assert values.get("a", maker(made, "again")) == "x"
    assert len(values._missing) <= 512
    made.clear()
    assert values.get("made up 1999", maker(made, "late")) is None
    assert made == []


def test_no_more_are_kept_than_there_is_room_for(made: list[str]) -> None:
    values: Kept[str] = Kept(60, 4)
    for number in range(10):
        values.get(number, maker(made, str(number)))
    assert [*values._values] == [6, 7, 8, 9]


def test_while_the_database_is_down_the_last_value_stands_and_it_is_not_asked_each_time(made: list[str]) -> None:
    values: Kept[str] = Kept(-1, 4)
    values.get("a", maker(made, "x"))
    assert values.get("a", down) == "x"
    values.seconds = 60
    assert values.get("a", lambda: pytest.fail("asked again at once")) == "x"
    with pytest.raises(OperationalError):
        values.get("b", down)


def test_what_is_too_old_stands_for_nothing(made: list[str], monkeypatch: Any) -> None:
    values: Kept[str] = Kept(-1, 4)
    values.get("a", maker(made, "x"))
    monkeypatch.setattr(kept, "IF_DOWN", -1)
    with pytest.raises(OperationalError):
        values.get("a", down)


def test_who_makes_a_value_keeps_nobody_waiting_who_has_the_one_before(made: list[str]) -> None:
    values: Kept[str] = Kept(-1, 4)
    values.get("a", maker(made, "old"))
    begun, may_end = threading.Event(), threading.Event()

    def slowly() -> str:
        begun.set()
        assert may_end.wait(30)
        return "new"

    thread = threading.Thread(target=values.get, args=("a", slowly))
    thread.start()
    assert begun.wait(30)
    assert values.get("a", lambda: pytest.fail("two make the same")) == "old"
    may_end.set()
    thread.join()
    values.seconds = 60
    assert values.get("a", down) == "new"
