"""Which senders this process has just seen blocked: their messages need not be stored one by one.

A hint, never an answer: what waits because of it is decided by the database, by `fold` or like any other message.
"""

from __future__ import annotations

import time

from conversations import sql

#: A block may be lifted; for so many seconds a message may wait for `fold` without having been asked for.
_HOLDS = 60.0
_LIMIT = 50_000

_until: dict[tuple[int, bytes], float] = {}
_nonces: dict[bytes, None] = {}


def saw(hotline_id: int, sender_key: bytes) -> None:
    """The database has just counted a message of this sender as a blocked one's."""
    if len(_until) >= _LIMIT:
        _until.clear()
    _until[hotline_id, sender_key] = time.monotonic() + _HOLDS


def likely(row: sql.Values, sender_key: bytes) -> bool:
    """Whether the message of `row` may wait. One whose nonce has come before may not: the database must judge it."""
    until = _until.get((row["hotline_id"], sender_key))
    if until is None or until < time.monotonic():
        return False
    nonce = row["nonce_hash"]
    if nonce is None:
        return True
    if nonce in _nonces:
        return False
    if len(_nonces) >= _LIMIT:
        _nonces.clear()
    _nonces[nonce] = None
    return True


def forget() -> None:
    """Drop what this process has seen; for tests."""
    _until.clear()
    _nonces.clear()
