"""Whatever comes, the detector says what one counts by hand."""

from __future__ import annotations

import datetime
import math
import statistics
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.shield.window import HOUR, LONG, MINUTE, NOON, OTHER, SALUT, SECOND, Window

from shield import likeness
from shield.detector import LEAST, WINDOW, Arrival, Detector, Group
from shield.likeness import ALIKE, Shape, agreement, shape

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
