"""Groups among new senders: what is one, who is told, and that people are not swallowed by it (SECURITY.md 3.3, 3.5).

What was found about a sender changes only for a reason.
"""

from __future__ import annotations

import datetime
import math
import random
import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache, lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from rehearsal import texts, traces
from rehearsal.traces import Message, Trace
from shield import detector, likeness
from shield.detector import LEAST, WINDOW, Arrival, Detector, Group, block_of
from shield.likeness import ALIKE, Shape, agreement, shape

REAL_BLOCKS = detector._BLOCKS
NOON = datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC)
SECOND, MINUTE, HOUR = (datetime.timedelta(seconds=1), datetime.timedelta(minutes=1), datetime.timedelta(hours=1))
SALUT = shape("Salut !")
LONG = shape("On s'est croisés hier soir devant la gare de Lyon, tu te souviens de moi ?")
OTHER = shape("Moi c'est Karim, le cousin de Sabrina, on a parlé escalade toute la soirée")


@pytest.fixture
def real_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which it matters that a country has more blocks than those that were fed."""
    monkeypatch.setattr(detector, "_BLOCKS", REAL_BLOCKS)


class Window:
    """A detector that is fed in minutes after noon, and what it has said of each sender until now."""

    def __init__(self, usual: float = 0.0) -> None:
        self.detector = Detector(lambda _letters: usual)
        self.told: dict[int, Group | None] = {}
        self._next = 0

    def arrival(self, minute: float, block: str = "", looks: Shape | None = None) -> Arrival:
        """Without a text it is like nobody else's."""
        self._next += 1
        return Arrival(self._next, NOON + minute * MINUTE, block, looks or Shape(f"like nobody {self._next}"))

    def feed(self, *arrivals: Arrival) -> dict[int, Group | None]:
        changed = self.detector.add(arrivals)
        self.told |= changed
        return changed

    def come(self, minute: float, count: int, block: str = "", looks: Shape | None = None) -> list[int]:
        """So many senders, one after the other."""
        arrivals = [self.arrival(minute, block, looks) for _ in range(count)]
        for arrival in arrivals:
            self.feed(arrival)
        return [arrival.key for arrival in arrivals]

    def of(self, keys: Iterable[int]) -> set[Group | None]:
        return {self.told[key] for key in keys}

    def ordinary(self, minute: float = 0, count: int = 40) -> None:
        """People from everywhere, each from a block of his own."""
        for place in range(count):
            self.come(minute, 1, f"+336{place:05}")


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


# --- whatever comes ---------------------------------------------------------------------------------------------------
#: Texts by family: those of one are alike, and none is like another's.
FAMILIES = (
    (SALUT,),
    (Shape(""),),
    (LONG, shape("on s'est croisée hier soir devant la gare de Lyon, tu te souvien de moi ? 😊")),
    (OTHER,),
)
LONG_ONES = {2, 3}
USUAL = {"salut": 1.0}
BLOCKS = ("", "a", "b", "c", "d", "e", "f", "g")


def test_the_families_of_texts_are_what_they_are_taken_for() -> None:
    for place, family in enumerate(FAMILIES):
        assert all(agreement(one, other) >= ALIKE for one in family for other in family)
        others = [other for at, them in enumerate(FAMILIES) if at != place for other in them]
        assert all(agreement(one, other) < ALIKE / 2 for one in family for other in others)


class Naive(RuleBasedStateMachine):
    """A list of who is in the window, from which everything is counted anew each time.

    Between what is explained by blocks that are crowded now, and by those that were since they were last empty, a text
    may be either; which of them counts is not for this model to say. Nor is who is told where a block was crowded, was
    not, and is again, or where one has explained a text. That a block is crowded is noticed when somebody comes from
    it, and not when others leave theirs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.detector = Detector(lambda letters: USUAL.get(letters, 0.0))
        self.now = NOON
        self.window: list[tuple[Arrival, int]] = []
        self.leaders: dict[int, str] = {}
        self.told: dict[int, Group | None] = {}
        self.ever: set[str] = set()
        self.lapsed: set[str] = set()
        self.explained: set[int] = set()
        self.key = 0

    # --- counting ---------------------------------------------------------------------------------------------------
    def sizes(self) -> Counter[str]:
        return Counter(arrival.block for arrival, _ in self.window if arrival.block)

    def crowded(self) -> set[str]:
        sizes = self.sizes()
        usual = statistics.median_low(sizes.values()) if sizes else 0
        return {block for block, k in sizes.items() if k >= LEAST and k > usual + 5 * math.sqrt(usual) + 4}

    def largest(self, family: int, explained: set[str]) -> int:
        """How many its group has; 0 where it is none."""
        n = sum(one == family and arrival.block not in explained for arrival, one in self.window)
        usual = USUAL["salut"] if family == 0 else 0.0
        return n if n >= LEAST and n > usual + 4 * math.sqrt(usual) + 4 else 0

    def suspicious(self, family: int, explained: set[str]) -> bool:
        return self.largest(family, explained) > 0

    def _let_go(self) -> None:
        while self.window and self.window[0][0].at <= self.now - WINDOW:
            arrival, family = self.window.pop(0)
            del self.told[arrival.key]
            if family not in {one for _, one in self.window}:
                del self.leaders[family]
        self.ever &= self.sizes().keys()
        self.lapsed &= self.ever
        self.explained &= self.leaders.keys()

    # --- what happens -----------------------------------------------------------------------------------------------
    @rule(
        who=st.lists(
            st.tuples(
                st.sampled_from(BLOCKS),
                st.integers(0, len(FAMILIES) - 1),
                st.sampled_from([0, 0, 1, 60, 240]),
                st.sampled_from([0, 0, 0, 299]),
            ),
            min_size=1,
            max_size=3,
        ),
        times=st.integers(1, 12),
        once=st.booleans(),
    )
    def arrive(self, who: list[tuple[str, int, int, int]], times: int, once: bool) -> None:
        """The same again and again, at once or one by one: of what differs each time no group becomes."""
        batch: list[tuple[Arrival, int]] = []
        for block, family, pause, late in who * times:
            self.now += pause * SECOND
            shapes = FAMILIES[family]
            self.key += 1
            arrival = Arrival(self.key, self.now - late * SECOND, block, shapes[self.key % len(shapes)])
            batch.append((arrival, family))
            if not once:
                self._feed([batch.pop()])
        if batch:
            self._feed(batch)

    @rule()
    def people(self) -> None:
        """Each from a block of his own and with a text of his own, as is usual."""
        batch = []
        for place in range(8):
            self.key += 1
            arrival = Arrival(self.key, self.now, f"people {place}", Shape(f"like nobody {self.key}"))
            batch.append((arrival, 100 + self.key))
        self._feed(batch)

    @rule(pause=st.sampled_from([SECOND, 20 * MINUTE, 50 * MINUTE, 2 * HOUR]))
    def wait(self, pause: datetime.timedelta) -> None:
        self.now += pause
        self.detector.forget(self.now)
        self._let_go()
        self.lapsed |= self.ever - self.crowded()

    def _feed(self, batch: list[tuple[Arrival, int]]) -> None:
        now = self.now
        changed = self.detector.add([arrival for arrival, _ in batch])
        for arrival, family in batch:
            # It is let go of by the time of who comes, which may be a little late.
            self.now = arrival.at
            self._let_go()
            self.window.append((arrival, family))
            self.leaders.setdefault(family, str(arrival.key))
            self.told[arrival.key] = None
        self.now = now
        crowded = self.crowded()
        # A block that is no crowd when somebody comes from it explains nobody any more.
        self.ever -= {arrival.block for arrival, _ in batch} - crowded
        self.lapsed &= self.ever
        newly = {arrival.block for arrival, _ in batch if arrival.block in crowded} - self.ever
        self.ever |= newly
        self.explained |= {family for arrival, family in self.window if arrival.block in self.ever}
        self._check(changed, {arrival.key for arrival, _ in batch}, crowded)
        self.told |= {key: group for key, group in changed.items() if key in self.told}
        self._check_who_is_told(batch, crowded, newly)
        self.lapsed |= self.ever - crowded

    def _check(self, changed: dict[int, Group | None], fresh: set[int], crowded: set[str]) -> None:
        members = {arrival.key: (arrival, family) for arrival, family in self.window}
        assert fresh & members.keys() <= changed.keys() <= members.keys()
        for key, group in changed.items():
            arrival, family = members[key]
            assert key in fresh or group != self.told[key]
            if group is None:
                assert arrival.block not in crowded & self.ever
                assert not self.suspicious(family, self.ever)
                # An earlier one is freed only where a block explains the others, and not because they are gone.
                assert key in fresh or self.suspicious(family, set())
            elif group[0] == "block":
                assert group[1] == arrival.block
                assert arrival.block in crowded
            else:
                assert group == ("text", self.leaders[family])
                assert arrival.block not in crowded & self.ever
                assert self.suspicious(family, crowded & self.ever)

    def _check_who_is_told(self, batch: list[tuple[Arrival, int]], crowded: set[str], newly: set[str]) -> None:
        for block in {arrival.block for arrival, _ in batch} & crowded - self.lapsed:
            assert {self.told[arrival.key] for arrival, _ in self.window if arrival.block == block} == {
                ("block", block)
            }
        for family in {family for _, family in batch}:
            members = [arrival for arrival, one in self.window if one == family]
            if family not in self.explained and self.suspicious(family, set()):
                assert {self.told[arrival.key] for arrival in members} == {("text", self.leaders[family])}
        for family in {family for arrival, family in self.window if arrival.block in newly}:
            if self.suspicious(family, set()) and not self.suspicious(family, crowded & self.ever):
                others = [arrival for arrival, one in self.window if one == family and arrival.block not in self.ever]
                assert {self.told[arrival.key] for arrival in others} <= {None}

    # --- what is always so --------------------------------------------------------------------------------------------
    @invariant()
    def it_holds_who_the_window_holds(self) -> None:
        assert len(self.detector) == len(self.window)
        assert [arrival.key for arrival in self.detector._arrivals] == [arrival.key for arrival, _ in self.window]
        assert self.detector._group == self.told
        for start, end in ((0, 60), (5, 10), (20, 40)):
            since, until = self.now - end * MINUTE, self.now - start * MINUTE
            inside = [arrival for arrival, _ in self.window if since <= arrival.at < until]
            assert self.detector.senders_since(since, until) == len(inside)
            short = Counter(arrival.shape.letters for arrival in inside if not arrival.shape.signature)
            assert self.detector.short_texts(since, until) == short

    @invariant()
    def it_counts_as_one_counts_by_hand(self) -> None:
        sizes, crowded = self.sizes(), self.crowded()
        assert self.detector._sizes == Counter(sizes.values())
        assert self.detector._median() == (statistics.median_low(sizes.values()) if sizes else 0)
        assert {block for block in BLOCKS if self.detector.is_crowded(block)} == crowded
        families = {family for _, family in self.window}
        least = sum(self.suspicious(family, self.ever) for family in families) + len(crowded & self.ever)
        most = sum(self.suspicious(family, set()) for family in families) + len(crowded)
        assert least <= self.detector.suspicious_groups() <= most
        largest = [self.largest(family, explained) for family in families for explained in (self.ever, set[str]())]
        assert max(largest[::2], default=0) <= self.detector.largest_text() <= max(largest[1::2], default=0)

    @invariant()
    def nothing_is_kept_of_who_has_left(self) -> None:
        families = {family for _, family in self.window}
        mine = self.detector
        assert set(mine._clusters) == {self.leaders[family] for family in families}
        assert set(mine._cluster_of) == {arrival.key for arrival, _ in self.window}
        assert len(mine._by_letters) == len(families - LONG_ONES)
        assert {id_ for ids in mine._by_band.values() for id_ in ids} == {
            self.leaders[one] for one in families & LONG_ONES
        }
        assert len(mine._by_band) == likeness.BANDS * len(families & LONG_ONES)
        assert {block: len(keys) for block, keys in mine._blocks.items()} == self.sizes()
        assert mine._crowded <= self.sizes().keys()
        for cluster in mine._clusters.values():
            assert cluster.blocks == Counter(cluster.members.values())

    def teardown(self) -> None:
        self.detector.forget(self.now + 2 * HOUR)
        mine = self.detector
        kept = (mine._arrivals, mine._cluster_of, mine._clusters, mine._by_letters, mine._by_band, mine._blocks)
        assert not any(map(bool, (*kept, mine._sizes, mine._crowded, mine._group)))


def test_whatever_comes_it_says_what_one_counts_by_hand() -> None:
    run_state_machine_as_test(Naive, settings=settings(max_examples=50, stateful_step_count=20, deadline=None))


@given(sizes=st.lists(st.integers(1, 30), max_size=30))
def test_the_median_is_the_lower_one_of_the_blocks_that_have_any(sizes: list[int]) -> None:
    window = Window()
    for place, size in enumerate(sizes):
        window.feed(*(window.arrival(place % 7, f"block {place}") for _ in range(size)))
    assert window.detector._median() == (statistics.median_low(sizes) if sizes else 0)
    window.detector.forget(NOON + 63 * MINUTE)
    left = [size for place, size in enumerate(sizes) if place % 7 > 3]
    # They were fed in the order of blocks, so a younger one before them keeps some older ones in.
    if sorted(place % 7 for place in range(len(sizes))) == [place % 7 for place in range(len(sizes))]:
        assert window.detector._median() == (statistics.median_low(left) if left else 0)


# --- raids, and the dead ends of SECURITY.md 3.5 ----------------------------------------------------------------------
#: So many people must be found clean, first and last.
BAR = 0.99


@lru_cache(maxsize=20_000)
def looks(text: str) -> Shape:
    return shape(text)


def firsts(messages: Iterable[Message]) -> list[Message]:
    """Of every sender the first, as replies that are repeated are not judged."""
    found: dict[str, Message] = {}
    for message in messages:
        found.setdefault(message.sender, message)
    return list(found.values())


@cache
def trace(kind: str, seed: int, raid: int) -> Trace:
    return traces.make(kind, seed, days=1, raid=raid)


@cache
def usual_texts(kind: str, seed: int, raid: int) -> Counter[str]:
    """Short texts in two quiet weeks, which tell what is usual."""
    letters = (likeness.bare(message.text) for message in firsts(trace(kind, seed, raid).warm_up))
    return Counter(text for text in letters if len(text) < likeness.SHORT)


def clean(kind: str, seed: int, raid: int, block: Callable[[str], str] = block_of) -> tuple[float, float]:
    """Which share of people, and of those who raid, is of no group in the end."""
    known = usual_texts(kind, seed, raid)
    # Twice as many as on average come in the evening.
    window = Detector(lambda letters: 2 * known[letters] / (14 * 24))
    messages, told = firsts(trace(kind, seed, raid).messages), dict[int, Group | None]()
    for key, message in enumerate(messages):
        told |= window.add([Arrival(key, message.at, block(message.sender), looks(message.text))])
    shares = [[told[key] is None for key, one in enumerate(messages) if one.raid is raider] for raider in (False, True)]
    return statistics.fmean(shares[0]), statistics.fmean(shares[1])


def small_country(number: str) -> str:
    """As if all numbers were of forty blocks, so that fifty come from each."""
    return f"block {int(number[1:-4]) % 40}"


#: The rehearsals of 3.5 in small, with seeds at which each mistake shows.
FARM, COPY, MIX = ("farm", 2, 16_000), ("copy", 4, 3000), ("mix", 2, 5000)


@pytest.mark.parametrize("raid", [FARM, COPY, MIX], ids=lambda raid: raid[0])
def test_people_are_clean_in_every_raid_and_those_who_raid_are_not(raid: tuple[str, int, int]) -> None:
    people, raiders = clean(*raid)
    assert people >= BAR  # measured: 1
    assert raiders <= 0.08  # measured: 0 to 0.04


@pytest.mark.usefixtures("real_blocks")
def test_people_of_a_small_country_are_clean_when_all_its_blocks_raid() -> None:
    people, raiders = clean(*COPY, small_country)
    assert people >= BAR
    assert raiders <= 0.05


def test_a_block_must_not_be_measured_by_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first dead end: when very many come, every block has ten, and people are of a block as well."""

    def is_crowded(self: Detector, block: str) -> bool:
        return bool(block) and len(self._blocks.get(block, ())) > 10

    monkeypatch.setattr(Detector, "is_crowded", is_crowded)
    people, _ = clean(*COPY, small_country)
    assert people < BAR - 0.03


def test_what_a_block_explains_must_not_count_against_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first dead end, too: a farm greets as people do, and taints whoever greets."""
    monkeypatch.setattr(Detector, "_unexplained", lambda _self, cluster: len(cluster.members))
    people, _ = clean(*FARM)
    assert people < BAR


def _without_leader(self: Detector, looks: Shape) -> object:
    """The first cluster with which it shares a band, whose bands its own become."""
    if not looks.signature:
        return self._by_letters.get(looks.letters)
    sharing = (cluster for band in looks.bands for cluster in self._by_band.get(band, {}).values())
    found = next((cluster for cluster in sharing if cluster.id in self._clusters), None)
    for band in looks.bands if found else ():
        self._by_band.setdefault(band, {})[found.id] = found  # type: ignore[union-attr, assignment]
    return found


def test_a_text_must_be_like_its_leaders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second dead end: bands alone chain people to a raid."""
    monkeypatch.setattr(Detector, "_find", _without_leader)
    people, _ = clean(*COPY)
    assert people < BAR


def test_a_text_that_is_hardly_like_its_leaders_must_be_like_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second dead end in small: of those with a band in common the most like is taken, however little it is."""

    def swallowed() -> int:
        """How many of 900 people in an hour would be of a group for what they write at length."""
        window, chance = Detector(), random.Random(8)
        for key in range(900):
            window.add([Arrival(key, NOON + key * SECOND, "", looks(texts.genuine(chance)))])
        sizes = [len(cluster.members) for cluster in window._clusters.values() if cluster.leader.signature]
        return sum(size for size in sizes if size >= LEAST)

    assert swallowed() <= 15  # measured with eight seeds: 0 to 11
    monkeypatch.setattr(detector, "ALIKE", 0.01)
    assert swallowed() >= 40  # 58 to 129
