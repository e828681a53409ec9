"""Groups among new senders: what is one, who is told, and that people are not swallowed by it (SECURITY.md 3.3, 3.5).

What was found about a sender changes only for a reason.
"""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from tests.shield.window import HOUR, LONG, MINUTE, NOON, SALUT, SECOND, Window

from rehearsal import texts
from shield.detector import LEAST, WINDOW, block_of
from shield.likeness import ALIKE, agreement, shape


# --- blocks -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("number", "block"), [("+33612345678", "+3361234"), (None, ""), ("", ""), ("1234", ""), ("38", "")]
)
def test_a_block_is_of_ten_thousand_numbers(number: str | None, block: str) -> None:
    assert block_of(number) == block


@pytest.mark.parametrize("usual", [1, 2, 3, 4, 6, 9])
def test_a_block_is_crowded_from_just_above_five_deviations_and_four_on(usual: int) -> None:
    window = Window()
    for place in range(9):
        window.come(0, usual, f"block {place}")
    most = math.floor(usual + 5 * math.sqrt(usual) + 4)
    keys = window.come(1, most, "raid")
    assert not window.detector.is_crowded("raid")
    assert window.of(keys) == {None}
    assert window.detector.suspicious_groups() == 0
    (last,) = window.come(2, 1, "raid")
    assert window.detector.is_crowded("raid")
    assert window.detector.suspicious_groups() == 1
    # Who came before is told as well.
    assert window.of([*keys, last]) == {("block", "raid")}
    assert set(window.told.values()) == {None, ("block", "raid")}
    assert window.detector.largest_text() == 0


def test_a_block_is_measured_by_the_lower_of_two_middle_ones() -> None:
    """An even number of blocks: two of one sender each, two of many."""
    window = Window()
    window.ordinary(count=2)
    window.come(0, 10, "one")
    window.come(0, 10, "other")
    assert not window.detector.is_crowded("one")
    window.come(1, 1, "one")
    assert window.detector.is_crowded("one")


def test_when_a_raid_comes_from_everywhere_no_block_is_crowded() -> None:
    window = Window()
    for round_ in range(20):
        for place in range(30):
            window.come(round_, 1, f"block {place}")
    assert set(window.told.values()) == {None}


def test_those_without_a_number_are_no_block() -> None:
    window = Window()
    window.ordinary()
    keys = window.come(1, 200)
    assert not window.detector.is_crowded("")
    assert window.of(keys) == {None}


@pytest.mark.usefixtures("real_blocks")
def test_ten_blocks_that_raid_a_hotline_are_seen_beside_the_nine_people_of_that_hour() -> None:
    window = Window()
    window.ordinary(count=9)
    for round_ in range(50):
        for place in range(10):
            window.come(1 + round_, 1, f"raid {place}")
    assert sum(group is not None for group in window.told.values()) >= 400


# --- texts ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("usual", "least"), [(0.0, 5), (0.25, 7), (1.0, 10), (2.0, 12), (4.0, 17), (9.0, 26)])
def test_a_short_text_is_suspicious_from_just_above_four_deviations_and_four_on(usual: float, least: int) -> None:
    window = Window(usual)
    keys = window.come(0, least - 1, looks=SALUT)
    assert window.of(keys) == {None}
    assert window.detector.suspicious_groups() == window.detector.largest_text() == 0
    keys += window.come(1, 1, looks=SALUT)
    # Who came before is told as well, and the group is called by its first.
    assert window.of(keys) == {("text", str(keys[0]))}
    assert window.detector.suspicious_groups() == 1
    assert window.detector.largest_text() == least


def test_of_a_long_text_nothing_is_usual() -> None:
    window = Window(usual=100.0)
    keys = window.come(0, LEAST, looks=LONG)
    assert window.of(keys) == {("text", str(keys[0]))}
    assert window.of(window.come(0, 60, looks=SALUT)) == {None}


def test_variants_of_a_text_are_one_group_and_others_are_not() -> None:
    window, chance = Window(), random.Random(3)
    raid = []
    for _ in range(30):
        raid += window.come(0, 1, looks=shape(texts.vary(texts.RAID_TEMPLATES[0], chance)))
        assert window.of(window.come(0, 1, looks=shape(texts.vary(texts.RAID_TEMPLATES[1], chance)))) <= {
            None,
            ("text", "2"),
        }
    assert window.of(raid) == {("text", str(raid[0]))}
    assert window.of(window.come(1, 2, looks=LONG)) == {None}
    assert window.detector.suspicious_groups() == 2


def test_a_text_is_compared_with_the_leader_and_not_with_those_who_follow_him() -> None:
    """Each is like the one before, and the last is like the first in nothing."""
    words = "abcde fghij klmno pqrst uvwxy zaebc idofu gahej kulom nipar sotuv wexiz".split()
    steps = ["".join(words[start : start + 6]) for start in range(7)]
    shapes = [shape(step) for step in steps]
    assert agreement(shapes[0], shapes[-1]) < ALIKE / 2
    window = Window()
    keys = [key for one in shapes for key in window.come(0, 1, looks=one)]
    clusters = Counter(window.detector._cluster_of[key].id for key in keys)
    assert max(clusters.values()) < len(keys)
    leaders = {key: window.detector._cluster_of[key].leader for key in keys}
    assert all(agreement(leaders[key], one) >= ALIKE for key, one in zip(keys, shapes, strict=True))


def test_the_leaders_text_stays_when_he_has_left() -> None:
    window = Window()
    first = window.come(0, 1, looks=LONG)
    later = window.come(30, 4, looks=LONG)
    assert window.of([*first, *later]) == {("text", "1")}
    assert window.of(window.come(61, 1, looks=LONG)) == {("text", "1")}
    assert len(window.detector) == 5


# --- one explains the other -------------------------------------------------------------------------------------------
def test_a_text_is_freed_of_those_whom_their_block_explains() -> None:
    window = Window()
    window.ordinary()
    people = window.come(1, 4, looks=SALUT)
    farm = window.come(2, 8, "farm", SALUT)
    assert window.of([*people, *farm]) == {("text", str(people[0]))}
    changed = {key: window.told[key] for key in people}
    farm += window.come(3, 2, "farm")
    assert {key: window.told[key] for key in people} == changed
    farm += window.come(3, 1, "farm")
    assert window.of(farm) == {("block", "farm")}
    assert window.of(people) == {None}
    assert window.detector.largest_text() == 0
    assert window.detector.suspicious_groups() == 1
    # However many more come from there, it is nothing to the others who write so.
    farm += window.come(4, 50, "farm", SALUT)
    assert window.of(farm) == {("block", "farm")}
    assert window.of(people) == {None}


def test_what_a_block_does_not_explain_of_a_text_stays_suspicious() -> None:
    window = Window()
    window.ordinary()
    people = window.come(1, 6, looks=SALUT)
    farm = window.come(2, 11, "farm", SALUT)
    assert window.of(people) == {("text", str(people[0]))}
    assert window.of(farm) == {("block", "farm")}
    assert window.detector.largest_text() == 6
    assert window.detector.suspicious_groups() == 2


def test_a_block_that_is_not_crowded_any_more_explains_nobody_who_comes_then() -> None:
    window = Window()
    window.ordinary()
    window.come(0, 6, "farm")
    assert window.of(window.come(30, 5, "farm")) == {("block", "farm")}
    window.ordinary(31)
    # Six have left. Five more make ten, which is no crowd.
    keys = window.come(62, 5, "farm", LONG)
    assert not window.detector.is_crowded("farm")
    assert window.of(keys) == {("text", str(keys[0]))}


# --- who is told ------------------------------------------------------------------------------------------------------
def test_only_who_is_new_and_whose_group_has_changed_is_told() -> None:
    window = Window()
    arrivals = [window.arrival(0, looks=LONG) for _ in range(LEAST)]
    for arrival in arrivals[:-1]:
        assert window.feed(arrival) == {arrival.key: None}
    group = ("text", str(arrivals[0].key))
    assert window.feed(arrivals[-1]) == dict.fromkeys((arrival.key for arrival in arrivals), group)
    following = window.arrival(1, looks=LONG)
    assert window.feed(following) == {following.key: group}
    nobody = window.arrival(1)
    assert window.feed(nobody) == {nobody.key: None}


def test_nobody_is_counted_twice_who_is_fed_again() -> None:
    window = Window()
    arrivals = [window.arrival(0, looks=LONG) for _ in range(LEAST - 1)]
    for _ in range(3):
        window.feed(*arrivals)
    assert window.feed(*arrivals) == {}
    assert len(window.detector) == LEAST - 1
    assert set(window.told.values()) == {None}


def test_of_many_at_once_all_are_told_the_same_as_the_last() -> None:
    window = Window()
    window.ordinary()
    text = [window.arrival(1, looks=LONG) for _ in range(LEAST)]
    block = [window.arrival(1, "farm") for _ in range(11)]
    changed = window.feed(*text, *block)
    assert {changed[arrival.key] for arrival in text} == {("text", str(text[0].key))}
    assert {changed[arrival.key] for arrival in block} == {("block", "farm")}


def test_who_came_while_a_block_was_no_crowd_is_told_when_it_is_one_again() -> None:
    window = Window()
    window.ordinary()
    window.come(0, 6, "farm")
    window.come(30, 5, "farm")
    window.ordinary(31)
    between = window.come(62, 5, "farm")
    assert window.of(between) == {None}
    assert window.of(window.come(63, 1, "farm")) == {("block", "farm")}
    assert window.of(between) == {("block", "farm")}


def test_who_was_freed_by_a_block_is_told_when_his_text_is_suspicious_again() -> None:
    window = Window()
    window.ordinary()
    people = window.come(1, 4, looks=SALUT)
    window.come(1, 1, "farm", SALUT)
    assert window.of(people) == {("text", str(people[0]))}
    window.come(2, 10, "farm")
    assert window.of(people) == {None}
    assert window.of(window.come(3, 1, looks=SALUT)) == {("text", str(people[0]))}
    assert window.of(people) == {("text", str(people[0]))}


# --- growing old ------------------------------------------------------------------------------------------------------
def test_who_is_deferred_stays_so_when_his_group_has_only_grown_old() -> None:
    window = Window()
    text = window.come(0, 3, looks=LONG) + window.come(30, 2, "farm", LONG)
    group = ("text", str(text[0]))
    assert window.of(text) == {group}
    # Of five two are left. One more is no group with them, and he is not told that he is.
    fresh = window.arrival(61, looks=LONG)
    assert window.feed(fresh) == {fresh.key: None}
    # When their block becomes crowded they are of that.
    window.ordinary(61)
    still = window.come(61, 1, looks=LONG)
    farm = window.come(62, 9, "farm")
    assert window.of([*farm, *text[3:]]) == {("block", "farm")}
    assert window.of(still) == {None}


def test_looking_again_frees_nobody_whose_group_has_only_grown_old() -> None:
    window = Window()
    window.ordinary()
    text = window.come(0, 3, looks=LONG) + window.come(30, 2, looks=LONG)
    window.ordinary(31)
    # A block becomes crowded of which one writes so: all who write so are looked at again, and they are three by now.
    farm = window.come(61, 1, "farm", LONG) + window.come(61, 9, "farm")
    changed = window.feed(window.arrival(61, "farm"))
    assert set(changed.values()) == {("block", "farm")}
    # Nobody is told what he knows.
    assert len(changed) == 11
    assert window.of(farm) == {("block", "farm")}
    assert window.of(text) == {("text", str(text[0]))}


def test_a_text_that_had_grown_old_is_told_to_all_when_it_is_suspicious_again() -> None:
    window = Window()
    window.come(0, 4, looks=LONG)
    old = window.come(30, 1, looks=LONG)
    between = window.come(61, 3, looks=LONG)
    assert window.of(between) == {None}
    last = window.come(62, 1, looks=LONG)
    assert window.of([*old, *between, *last]) == {("text", "1")}


def test_who_comes_from_a_block_that_is_no_crowd_any_more_is_not_of_it() -> None:
    window = Window()
    window.ordinary()
    window.come(0, 6, "farm")
    old = window.come(30, 5, "farm")
    window.ordinary(31)
    assert window.of(window.come(62, 5, "farm")) == {None}
    assert window.of(old) == {("block", "farm")}
    assert window.detector.suspicious_groups() == 0


def test_a_block_that_comes_again_after_all_of_it_had_left_is_told_to_all() -> None:
    window = Window()
    window.ordinary()
    window.come(0, 11, "farm")
    window.ordinary(61)
    again = window.come(62, 10, "farm")
    assert window.of(again) == {None}
    again += window.come(63, 1, "farm")
    assert window.of(again) == {("block", "farm")}


def test_the_window_is_of_the_last_hour() -> None:
    window = Window()
    arrivals = [window.arrival(minute) for minute in (0, 1, 2)]
    window.feed(*arrivals)
    window.detector.forget(arrivals[0].at + WINDOW - SECOND)
    assert len(window.detector) == 3
    window.detector.forget(arrivals[0].at + WINDOW)
    assert len(window.detector) == 2
    # Who comes makes others old as well.
    window.come(62, 1)
    assert len(window.detector) == 1


def test_who_comes_in_a_little_late_is_counted_in_his_own_time() -> None:
    window = Window()
    for minute in (10, 14, 12, 9.5, 20, 15):
        window.come(minute, 1, looks=SALUT)
    count = window.detector.senders_since
    assert count(NOON + 10 * MINUTE, NOON + 15 * MINUTE) == 3
    assert count(NOON + 5 * MINUTE, NOON + 10 * MINUTE) == 1
    assert count(NOON + 15 * MINUTE, NOON + 20 * MINUTE) == 1
    assert count(NOON, NOON + HOUR) == 6
    assert window.detector.short_texts(NOON + 10 * MINUTE, NOON + 15 * MINUTE) == {"salut": 3}
    # He leaves with those before whom he should have come.
    window.detector.forget(NOON + 74 * MINUTE)
    assert len(window.detector) == 2
    window.detector.forget(NOON + 80 * MINUTE)
    assert len(window.detector) == 0


def test_long_texts_are_counted_among_no_greetings() -> None:
    window = Window()
    window.come(0, 3, looks=LONG)
    window.come(0, 2, looks=shape("👋"))
    assert window.detector.short_texts(NOON, NOON + HOUR) == {"": 2}
