"""What is left of a run, for the verdict: both ledgers, and a dump of the database when nothing runs any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.acceptance import site
from tests.chaos.generator import Attempt
from tests.chaos.plan import Plan
from tests.services import PostgreSQL

_MESSAGES = """
    SELECT m.provider_id, h.number, m.disposition FROM conversations_message m
    JOIN hotlines_hotline h ON h.id = m.hotline_id
"""
_REPLIES = """
    SELECT r.uuid, m.provider_id, h.number, r.slot, r.state, r.attempts, r.provider_id, r.detail
    FROM conversations_reply r JOIN conversations_message m ON m.id = r.message_id
    JOIN hotlines_hotline h ON h.id = r.hotline_id ORDER BY r.id
"""
#: Of each number what its budget of the month has counted, and what its replies say that they cost: money, messages.
_BUDGETS = """
    SELECT h.number, COALESCE(s.micros, 0), COALESCE(s.messages, 0), COALESCE(SUM(r.reserved_micros), 0),
        COALESCE(SUM(CASE WHEN r.reserved_at IS NULL THEN 0
            WHEN r.to_settle OR r.state NOT IN ('failed', 'expired', 'dropped') THEN 1 ELSE 0 END), 0)
    FROM hotlines_hotline h LEFT JOIN conversations_reply r ON r.hotline_id = h.id
    LEFT JOIN shield_spending s ON s.scope = 'hotline' AND s."window" = 'month' AND s.key = CAST(h.id AS varchar)
    GROUP BY h.number, s.id, s.micros, s.messages
"""
_OPEN = "SELECT count(*) FROM conversations_reply WHERE state IN ('pending', 'released', 'claimed', 'unknown')"


class Database(Protocol):
    def rows(self, statement: str) -> list[tuple[str, ...]]:
        """What a SELECT gives, every value as text."""


@dataclass(frozen=True)
class OnPostgreSQL:
    server: PostgreSQL

    def rows(self, statement: str) -> list[tuple[str, ...]]:
        lines = self.server.execute(" ".join(statement.split()), "paravent").splitlines()
        return [tuple(line.split("|")) for line in lines]


@dataclass(frozen=True)
class OnSQLite:
    path: Path

    def rows(self, statement: str) -> list[tuple[str, ...]]:
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            return [tuple(str(value) for value in row) for row in connection.execute(statement)]
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class MessageRow:
    id: str
    source: str
    disposition: str


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """`url` is the address its report comes to, less all but the uuid; `source` the hotline's digits."""

    uuid: str
    message: str
    source: str
    slot: int
    state: str
    attempts: int
    provider_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the provider that it could read. `reply` is the uuid in the address of its report."""

    at: float
    behaviour: str
    accepted: bool
    provider_id: str
    source: str
    recipient: str
    text: str
    reply: str
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outage:
    """From the stop of the database until it answered again, in seconds since the load began."""

    start: float
    end: float


@dataclass
class Evidence:
    """Everything the verdict is made of. Seconds count from the begin of the load; `resets` were read by nobody."""

    plan: Plan
    attempts: Sequence[Attempt]
    calls: Sequence[Call]
    messages: Sequence[MessageRow]
    replies: Sequence[ReplyRow]
    resets: int = 0
    outages: Sequence[Outage] = ()
    drained: float = 0.0
    #: What was to happen to the processes and did not, and what ended without being killed.
    missed_faults: Sequence[str] = ()
    ended_alone: Sequence[str] = ()
    #: Budgets whose sums are not those of their replies.
    unbalanced: Sequence[str] = ()
    #: What was done to the run, by its name.
    faults: Mapping[str, int] = field(default_factory=dict)


def messages(database: Database) -> list[MessageRow]:
    return [MessageRow(row[0], row[1].removeprefix("+"), row[2]) for row in database.rows(_MESSAGES)]


def replies(database: Database) -> list[ReplyRow]:
    return [
        ReplyRow(row[0].replace("-", ""), row[1], row[2].removeprefix("+"), int(row[3]), row[4], int(row[5]), *row[6:])
        for row in database.rows(_REPLIES)
    ]


def unbalanced(database: Database) -> list[str]:
    """Where the budget of a number has counted another sum than its replies stand for."""
    return [
        f"{number}: {money} millionths and {messages} messages counted, {owed} and {replies} in its replies"
        for number, money, messages, owed, replies in database.rows(_BUDGETS)
        if (int(money), int(messages)) != (int(owed), int(replies))
    ]


def ended_alone(
    ended: Mapping[str, int], redis_kills: int, pool_kills: int, log: Callable[[str], Path]
) -> Sequence[str]:
    """The processes that ended more often than the faults explain, each with how often it did.

    granian ends a web process whose workers die too fast, and Celery a worker in its task when the broker dies, or when
    a process of its pool was killed before it was ready: whoever started them starts them again. Nothing else may end.
    """
    found = []
    for name, times in ended.items():
        if name.startswith("web"):
            continue
        explained = redis_kills + min(pool_kills, _lost_at_start(log(name))) if name.startswith("worker") else 0
        if times > explained:
            found.append(f"{name}: {times}")
    return found


def _lost_at_start(log: Path) -> int:
    reason = "Unrecoverable error: WorkerLostError('Could not start worker processes')"
    return log.read_text(errors="replace").count(reason)


def still_open(database: Database) -> int:
    """Replies that may still change; only to know how long to wait, never for the verdict."""
    return int(database.rows(_OPEN)[0][0])


def calls(ledger: Path, began: float) -> tuple[list[Call], int]:
    """The provider's ledger, and how many requests it reset before it had read them."""
    found, resets = [], 0
    for entry in site.entries(ledger):
        if entry.get("url"):
            found.append(_call(entry, began))
        else:
            resets += entry["behaviour"] == "reset-before"
    return found, resets


def _call(entry: Mapping[str, Any], began: float) -> Call:
    return Call(
        at=entry["at"] - began,
        behaviour=entry["behaviour"],
        accepted=entry["accepted"],
        provider_id=entry["uuid"],
        source=entry["src"],
        recipient=entry["dst"],
        text=entry["text"],
        reply=entry["url"].rstrip("/").rpartition("/")[2].replace("-", ""),
        complaints=tuple(entry["complaints"]),
    )
