"""Plivo's list of messages, as its documentation describes it: what the fake's ledger holds, and what it was told of.

Sources: plivo.com/docs/sms/api/message/list-all-messages and the fixtures of the `plivo` SDK.
"""

from __future__ import annotations

import datetime
import threading
import time
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PAGE = 20


@dataclass
class MessageLog:
    """`lag` seconds pass until an entry is listed; `redacted` hides the last three digits of the other party.

    More than `requests_per_minute` are answered 429; None counts nothing. `zone` is what times are shown in.
    """

    lag: float = 0.0
    redacted: bool = False
    requests_per_minute: int | None = None
    zone: datetime.tzinfo = datetime.UTC
    inbound: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[float, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def receive(
        self,
        account: str,
        sender: str,
        recipient: str,
        message_uuid: str = "",
        *,
        at: float | None = None,
        units: int = 1,
    ) -> str:
        """A message that reached the provider, whether or not it ever reached us; returns its id."""
        entry = {
            "account": account,
            "src": sender,
            "dst": recipient,
            "uuid": message_uuid or str(uuid.uuid4()),
            "at": time.time() if at is None else at,
            "units": units,
        }
        with self._lock:
            self.inbound.insert(bisect_right(self.inbound, entry["at"], key=_at), entry)
        return str(entry["uuid"])

    def wait_needed(self, account: str) -> float:
        """Count a request; the seconds after which another one is allowed, or 0."""
        now = time.time()
        with self._lock:
            recent = [at for at, whose in self.requests if whose == account and at > now - 60]
            self.requests.append((now, account))
        if self.requests_per_minute is None or len(recent) < self.requests_per_minute:
            return 0.0
        return recent[0] + 60 - now

    def listed(
        self, account: str, outbound: Sequence[dict[str, Any]], parameters: Mapping[str, str], status: str
    ) -> dict[str, Any]:
        """The answer to a list request. Raises `ValueError` for parameters that Plivo does not know."""
        known = {"message_direction", "message_time__gte", "message_time__lte", "limit", "offset"}
        if set(parameters) - known:
            raise ValueError(f"unknown {sorted(set(parameters) - known)}")
        direction = parameters["message_direction"]
        limit, offset = int(parameters.get("limit", PAGE)), int(parameters.get("offset", 0))
        if not 0 < limit <= PAGE or offset < 0 or direction not in {"inbound", "outbound"}:
            raise ValueError("limit, offset or direction")
        rows = self._between(
            self.inbound if direction == "inbound" else outbound,
            _seconds(parameters["message_time__gte"]),
            min(_seconds(parameters["message_time__lte"]), time.time() - self.lag),
        )
        # What was reset before it was read belongs to no account.
        rows = [row for row in rows if row.get("account") == account and row.get("accepted", True)][::-1]
        shown = rows[offset : offset + limit]
        return {
            "api_id": str(uuid.uuid4()),
            "meta": {
                "limit": limit,
                "offset": offset,
                # Plivo names a next page whenever this one is full, also where nothing follows.
                "next": f"/v1/Account/{account}/Message/?offset={offset + limit}" if len(shown) == limit else None,
                "previous": None,
                "total_count": len(rows),
            },
            "objects": [self._row(row, direction, status) for row in shown],
        }

    def _between(self, rows: Sequence[dict[str, Any]], since: float, until: float) -> list[dict[str, Any]]:
        with self._lock:
            return list(rows[bisect_left(rows, since, key=_at) : bisect_right(rows, until, key=_at)])

    def _row(self, entry: Mapping[str, Any], direction: str, status: str) -> dict[str, Any]:
        source, destination = entry["src"], entry["dst"]
        if self.redacted and direction == "inbound":
            source = source[:-3] + "XXX"
        elif self.redacted:
            destination = destination[:-3] + "XXX"
        units = entry.get("units", 1)
        rate = "0.00750" if direction == "inbound" else "0.07627"
        return {
            "error_code": None,
            "from_number": source,
            "message_direction": direction,
            "message_state": "delivered" if direction == "inbound" else status,
            "message_time": datetime.datetime.fromtimestamp(entry["at"], self.zone).isoformat(" "),
            "message_type": "sms",
            "message_uuid": entry["uuid"],
            "to_number": destination,
            "total_amount": f"{float(rate) * units:.5f}",
            "total_rate": rate,
            "units": units,
        }


def broken_list(listed: dict[str, Any], what: str, argument: str) -> tuple[int, object, dict[str, Any]]:
    """A list that a fault has spoiled: its status (0: none comes), its body, and the rest of the answer."""
    meta = listed["meta"] | {"next": None}
    spoiled: dict[str, object] = {
        "short": listed | {"objects": listed["objects"][1:], "meta": meta},
        "nothing": listed | {"objects": [], "meta": meta | {"total_count": 0}},
        "garbage": b"{'objects': ",
        "empty": b"",
        "huge": listed | {"padding": "x" * 1_000_000},
    }
    if what in {"reset-after", "silent"}:
        return 0, b"", {}
    if what == "truncated":
        return 200, b'{"meta": {', {"length": 500}
    if what in spoiled:
        return 200, spoiled[what], {}
    return int(what), {"error": "as told"}, {"headers": {"Retry-After": argument}} if argument else {}


def _at(entry: Mapping[str, Any]) -> float:
    return float(entry["at"])


def _seconds(written: str) -> float:
    """`YYYY-MM-DD HH:MM[:ss[.uuuuuu]]`, in UTC."""
    for form in ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"):
        try:
            moment = datetime.datetime.strptime(written, form)  # noqa: DTZ007  the zone follows
        except ValueError:
            continue
        return moment.replace(tzinfo=datetime.UTC).timestamp()
    raise ValueError(written)
