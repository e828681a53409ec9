"""What everybody asks for, kept in this process for a moment: so that neither a raid of readers nor a database that
hangs keeps anybody from the number.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from django.db import Error

Value = TypeVar("Value")
#: Addresses that show nothing, remembered apart: whoever makes them up pushes out only such.
_MOST_MISSING = 512
#: Seconds for which what was known last stands in for a database that does not answer.
IF_DOWN = 86_400
_all: list[Kept[Any]] = []


def etag(body: bytes) -> str:
    """A version, for who asks whether it is still this one (RFC 9110, 8.8.3)."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


class Kept(Generic[Value]):
    """Values for `seconds`, `most` of them. One thread makes a value; the others have the one before meanwhile."""

    def __init__(self, seconds: float, most: int) -> None:
        self.seconds, self._most = seconds, most
        #: When it was looked at, when it was made, what it is.
        self._values: OrderedDict[Hashable, tuple[float, float, Value]] = OrderedDict()
        self._missing: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = threading.Lock()
        self._makers = [threading.Lock() for _number in range(16)]
        _all.append(self)

    def get(self, key: Hashable, make: Callable[[], Value | None]) -> Value | None:
        """The value, or None where `make` finds none. Raises the database's error where nothing else is known."""
        kept = self._values.get(key)
        if self._is_fresh(kept) or self._is_missing(key):
            return kept[2] if kept else None
        maker = self._makers[hash(key) % len(self._makers)]
        if not maker.acquire(blocking=kept is None):
            return kept[2] if kept else None
        try:
            kept = self._values.get(key)
            return kept[2] if kept and self._is_fresh(kept) else self._made(key, kept, make)
        finally:
            maker.release()

    def forget(self) -> None:
        """Somebody changed what it was made of."""
        with self._lock:
            self._values.clear()
            self._missing.clear()

    def _is_fresh(self, kept: tuple[float, float, Value] | None) -> bool:
        return kept is not None and time.monotonic() - kept[0] < self.seconds

    def _is_missing(self, key: Hashable) -> bool:
        since = self._missing.get(key)
        return since is not None and time.monotonic() - since < self.seconds

    def _made(
        self, key: Hashable, before: tuple[float, float, Value] | None, make: Callable[[], Value | None]
    ) -> Value | None:
        made_at = time.monotonic()
        try:
            value = make()
        except Error:
            if before is None or made_at - before[1] > IF_DOWN:
                raise
            made_at, value = before[1], before[2]
        now = time.monotonic()
        with self._lock:
            if value is None:
                self._values.pop(key, None)
                _put(self._missing, key, now, _MOST_MISSING)
            else:
                self._missing.pop(key, None)
                _put(self._values, key, (now, made_at, value), self._most)
        return value


def _put(kept: OrderedDict[Hashable, Any], key: Hashable, value: Any, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


def forget_all(**_signal: object) -> None:
    """In this process; others follow when their moment is over."""
    for kept in _all:
        kept.forget()
