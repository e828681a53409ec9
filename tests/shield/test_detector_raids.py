"""People are not swallowed by groups in any raid, and each dead end of SECURITY.md 3.5 would swallow them."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache, lru_cache

import pytest
from tests.shield.window import NOON, SECOND

from rehearsal import texts, traces
from rehearsal.traces import Message, Trace
from shield import detector, likeness
from shield.detector import LEAST, Arrival, Detector, Group, block_of
from shield.likeness import Shape, shape

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
