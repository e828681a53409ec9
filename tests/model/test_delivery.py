"""What each design can do wrong: the table of SECURITY.md 2.3, which `docs/reliability.md` repeats."""

from __future__ import annotations

import pytest
from tests.model.__main__ import main
from tests.model.delivery import Bounds
from tests.model.designs import DESIGNS, named
from tests.model.exploring import Fault, explore

LOST_MESSAGE, LOST_REPLY = Fault.LOST_MESSAGE, Fault.LOST_REPLY
TWICE = {Fault.DUPLICATE, Fault.OVER_LIMIT}
#: The number of states says that this model and the one the design was chosen with explore the same.
TABLE: dict[str, tuple[int, set[Fault]]] = {
    "D0": (139_742, {LOST_MESSAGE, LOST_REPLY}),
    "D1": (4_595, {LOST_REPLY, *TWICE}),
    "D2": (1_422, {LOST_REPLY}),
    "D2b": (1_264, {LOST_REPLY, *TWICE}),
    "D3": (11_554, {LOST_REPLY}),
    "D4": (43_942, {LOST_REPLY, *TWICE}),
    "D5b": (21_244, TWICE),
    "D5": (10_130, {Fault.UNKNOWN}),
    "D6": (10_886, set()),
    "D6-early": (24_526, TWICE),
    "D6-lease": (133_926, TWICE),
}


def test_the_table_names_every_design() -> None:
    assert [design.name for design in DESIGNS] == list(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_a_design_does_wrong_what_the_table_says_and_nothing_else(name: str) -> None:
    explored = explore(named(name), Bounds())
    assert (explored.states, set(explored.faults)) == TABLE[name]


@pytest.mark.parametrize(("name", "states", "faults"), [("D5", 36_415, {Fault.UNKNOWN}), ("D6", 46_432, set[Fault]())])
def test_two_kills_among_three_messages_change_nothing(name: str, states: int, faults: set[Fault]) -> None:
    explored = explore(named(name), Bounds(limit=2, messages=3, attempts=1, repeats=0, kills=2))
    assert (explored.states, set(explored.faults)) == (states, faults)


def test_the_story_of_a_fault_tells_how_it_comes_about() -> None:
    explored = explore(named("D5b"), Bounds())
    assert " > ".join(explored.faults[Fault.DUPLICATE]) == (
        "deliver 0 > committed > claimed > timed out, was sent > recorded as waiting > claimed > sent"
    )


def test_the_command_prints_a_line_for_each_design_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "D2", "D6"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [(line.split()[0], line.split("s  ")[-1].strip()) for line in lines] == [
        ("D2", "lost reply"),
        ("D6", "none"),
    ]
