"""Groups among the new senders of a hotline's last hour: one text, one block of numbers (SECURITY.md 3.3). Pure.

Only a sender's first message of an episode is fed: a served one who repeats "salut" would taint the greeting of others.
A group is suspicious against what is usual, never by its size alone, and suspicion defers; it never blocks.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .likeness import ALIKE, Shape, agreement

WINDOW = datetime.timedelta(hours=1)
#: Smaller groups are chance.
LEAST = 5
#: How much later than its time a message may come in, behind others.
_LATE = datetime.timedelta(minutes=5)
#: Digits at the end of a number that its block leaves open: 10,000 numbers.
_OPEN_DIGITS = 4

#: Even a small country has more blocks than these: a raid from half as many must not be its own measure.
_BLOCKS = 24

#: Which group: ("text", id of its leader) or ("block", first digits).
Group = tuple[str, str]


@dataclass(frozen=True)
class Arrival:
    """A sender's first message. `key` tells it from all others; `block` is "" where there is no number."""

    key: int
    at: datetime.datetime
    block: str
    shape: Shape


def block_of(number: str | None) -> str:
    """The first digits of a number in E.164, which 9,999 others share."""
    return number[:-_OPEN_DIGITS] if number else ""


@dataclass
class _Cluster:
    """Texts that are like their leader's. The leader's shape stays when his message has left the window."""

    id: str
    leader: Shape
    members: dict[int, str] = field(default_factory=dict)
    blocks: Counter[str] = field(default_factory=Counter)
    #: Whether its earlier members were told when it became suspicious.
    flagged: bool = False


class Detector:
    """The window of one hotline. `usual_text` says how many senders an hour write this short text, usually."""

    def __init__(self, usual_text: Callable[[str], float] = lambda _letters: 0.0) -> None:
        self._usual_text = usual_text
        self._arrivals: deque[Arrival] = deque()
        self._cluster_of: dict[int, _Cluster] = {}
        self._clusters: dict[str, _Cluster] = {}
        self._by_letters: dict[str, _Cluster] = {}
        self._by_band: dict[tuple[int, ...], dict[str, _Cluster]] = {}
        self._blocks: dict[str, dict[int, None]] = {}
        #: How many blocks have so many senders.
        self._sizes: Counter[int] = Counter()
        self._crowded: set[str] = set()
        self._group: dict[int, Group | None] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def add(self, arrivals: Iterable[Arrival]) -> dict[int, Group | None]:
        """Feed arrivals in their order. Returns the group of each, and of earlier ones whose group has changed."""
        fresh = [arrival for arrival in arrivals if arrival.key not in self._group]
        touched: dict[int, None] = {}
        for arrival in fresh:
            self.forget(arrival.at)
            self._enter(arrival)
            touched[arrival.key] = None
        for arrival in fresh:
            touched |= self._members_touched_by(arrival)
        return self._judge(touched, {arrival.key for arrival in fresh})

    def forget(self, now: datetime.datetime) -> None:
        """Let go of what is older than the window."""
        while self._arrivals and self._arrivals[0].at <= now - WINDOW:
            self._leave(self._arrivals.popleft())

    def is_crowded(self, block: str) -> bool:
        """Whether the block has many more new senders than blocks have now.

        What blocks have now is their median: when a raid comes from everywhere, every block looks crowded, and none is.
        """
        count = len(self._blocks.get(block, ()))
        if count < LEAST:
            return False
        usual = self._median()
        return count > usual + 5 * math.sqrt(usual) + 4

    def largest_text(self) -> int:
        """Senders in the largest group of suspicious texts."""
        sizes = (self._unexplained(cluster) for cluster in self._clusters.values() if self._is_suspicious(cluster))
        return max(sizes, default=0)

    def suspicious_groups(self) -> int:
        """How many groups are suspicious now."""
        crowded = sum(self.is_crowded(block) for block in self._crowded)
        return crowded + sum(self._is_suspicious(cluster) for cluster in self._clusters.values())

    def senders_since(self, start: datetime.datetime, end: datetime.datetime) -> int:
        """Arrivals in [start, end); right where that lies within the window."""
        return len(self._between(start, end))

    def short_texts(self, start: datetime.datetime, end: datetime.datetime) -> Counter[str]:
        """How often each short text came in [start, end)."""
        shapes = (arrival.shape for arrival in self._between(start, end))
        return Counter(shape.letters for shape in shapes if not shape.signature)

    def _between(self, start: datetime.datetime, end: datetime.datetime) -> list[Arrival]:
        found = []
        for arrival in reversed(self._arrivals):
            if arrival.at < start - _LATE:
                break
            if start <= arrival.at < end:
                found.append(arrival)
        return found

    # --- the window ---------------------------------------------------------------------------------------------------
    def _enter(self, arrival: Arrival) -> None:
        self._arrivals.append(arrival)
        cluster = self._find(arrival.shape) or self._found(arrival)
        cluster.members[arrival.key] = arrival.block
        cluster.blocks[arrival.block] += 1
        self._cluster_of[arrival.key] = cluster
        if arrival.block:
            block = self._blocks.setdefault(arrival.block, {})
            block[arrival.key] = None
            self._resize(len(block) - 1, len(block))
        self._group[arrival.key] = None

    def _leave(self, arrival: Arrival) -> None:
        cluster = self._cluster_of.pop(arrival.key)
        del cluster.members[arrival.key]
        cluster.blocks[arrival.block] -= 1
        if not cluster.blocks[arrival.block]:
            del cluster.blocks[arrival.block]
        if not cluster.members:
            self._dissolve(cluster)
        block = self._blocks.get(arrival.block)
        if block is not None:
            del block[arrival.key]
            self._resize(len(block) + 1, len(block))
            if not block:
                del self._blocks[arrival.block]
                self._crowded.discard(arrival.block)
        del self._group[arrival.key]

    def _resize(self, before: int, after: int) -> None:
        for size, change in ((before, -1), (after, 1)):
            if size:
                self._sizes[size] += change
                if not self._sizes[size]:
                    del self._sizes[size]

    def _median(self) -> int:
        """Of at least `_BLOCKS` blocks, most of them without anybody on an ordinary day."""
        blocks = max(len(self._blocks), _BLOCKS)
        middle, seen = (blocks + 1) // 2, blocks - len(self._blocks)
        if seen >= middle:
            return 0
        for size in sorted(self._sizes):
            seen += self._sizes[size]
            if seen >= middle:
                return size
        return 0

    # --- texts --------------------------------------------------------------------------------------------------------
    def _find(self, shape: Shape) -> _Cluster | None:
        """The cluster whose leader is most like it. Without asking the leader, clusters chain up into one."""
        if not shape.signature:
            return self._by_letters.get(shape.letters)
        candidates: dict[str, _Cluster] = {}
        for band in shape.bands:
            candidates |= self._by_band.get(band, {})
        alike = [(agreement(cluster.leader, shape), cluster.id) for cluster in candidates.values()]
        best = max(alike, default=(0.0, ""))
        return candidates[best[1]] if best[0] >= ALIKE else None

    def _found(self, arrival: Arrival) -> _Cluster:
        cluster = self._clusters[str(arrival.key)] = _Cluster(str(arrival.key), arrival.shape)
        if arrival.shape.signature:
            for band in arrival.shape.bands:
                self._by_band.setdefault(band, {})[cluster.id] = cluster
        else:
            self._by_letters[arrival.shape.letters] = cluster
        return cluster

    def _dissolve(self, cluster: _Cluster) -> None:
        del self._clusters[cluster.id]
        if not cluster.leader.signature:
            del self._by_letters[cluster.leader.letters]
            return
        for band in cluster.leader.bands:
            del self._by_band[band][cluster.id]
            if not self._by_band[band]:
                del self._by_band[band]

    def _unexplained(self, cluster: _Cluster) -> int:
        """Its senders, without those whose block explains why they came."""
        return len(cluster.members) - sum(cluster.blocks[block] for block in self._crowded)

    def _is_suspicious(self, cluster: _Cluster, senders: int | None = None) -> bool:
        if len(cluster.members) < LEAST:  # most clusters are one text, and this is asked of all of them
            return False
        count = self._unexplained(cluster) if senders is None else senders
        usual = 0.0 if cluster.leader.signature else self._usual_text(cluster.leader.letters)
        return count > usual + 4 * math.sqrt(usual) + 4

    # --- judging ------------------------------------------------------------------------------------------------------
    def _members_touched_by(self, arrival: Arrival) -> dict[int, None]:
        """Those whom the arrival made suspicious: its block's, when that is crowded now; its text's, when that is."""
        touched: dict[int, None] = {}
        if arrival.block in self._crowded and not self.is_crowded(arrival.block):
            self._crowded.discard(arrival.block)  # it explains nobody who comes now
        if arrival.block and arrival.block not in self._crowded and self.is_crowded(arrival.block):
            self._crowded.add(arrival.block)
            touched |= self._blocks[arrival.block]
            for id_ in {self._cluster_of[key].id: None for key in touched}:
                explained = self._clusters[id_]
                touched |= dict.fromkeys(explained.members)
                explained.flagged = self._is_suspicious(explained)
        cluster = self._cluster_of.get(arrival.key)
        if cluster is not None:
            suspicious = self._is_suspicious(cluster)
            if suspicious and not cluster.flagged:
                touched |= dict.fromkeys(cluster.members)
            cluster.flagged = suspicious
        return touched

    def _judge(self, touched: Iterable[int], fresh: set[int]) -> dict[int, Group | None]:
        changed: dict[int, Group | None] = {}
        verdicts: dict[str, bool | None] = {}
        for key in touched:
            cluster = self._cluster_of.get(key)
            if cluster is None:
                continue
            group = self._group_of(key, cluster, verdicts)
            if group != self._group[key] or key in fresh:
                self._group[key] = changed[key] = group
        return changed

    def _group_of(self, key: int, cluster: _Cluster, verdicts: dict[str, bool | None]) -> Group | None:
        block = cluster.members[key]
        if block in self._crowded and self.is_crowded(block):
            return "block", block
        if cluster.id not in verdicts:
            verdicts[cluster.id] = self._verdict(cluster)
        verdict = verdicts[cluster.id]
        if verdict is None:  # it has only grown old: who was deferred for it stays deferred
            return self._group[key]
        return ("text", cluster.id) if verdict else None

    def _verdict(self, cluster: _Cluster) -> bool | None:
        """Whether it is suspicious; None where it would not be even with those whom a block explains."""
        if self._is_suspicious(cluster):
            return True
        return False if self._is_suspicious(cluster, len(cluster.members)) else None
