"""What proves a hotline's requests, as it was known last: sealed on this host's disk, for the time of an outage.

A web process that starts while the database is down would otherwise know no token and no secret, and refuse what a
provider offers only for some minutes. One small file for each hotline, in the spool's folder, written when something
of it changed; a token that the database does not know loses its file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from privacy import offline
from privacy.vault import Unreadable

log = logging.getLogger("paravent.spool")

_USE = "last known hooks"
#: A file older than this belongs to a hotline that nobody has written to for so long, or to an old token.
_DAYS = 30.0
#: It is written again after this many seconds, so that its age tells when it was last true.
_REFRESH = 3600.0


@dataclass(frozen=True)
class Proof:
    """What it takes to prove a request and to keep it."""

    hotline_id: int
    provider: str
    credentials: Mapping[str, str]
    pins: Mapping[str, str]


_lock = threading.Lock()
_written: dict[str, tuple[float, bytes]] = {}
_LIMIT = 4096


def write(token: str, proof: Proof | None) -> None:
    """Keep what the database has just said of `token`. A disk that refuses it is no reason to refuse a request."""
    path = _path(token)
    try:
        if proof is None:
            # Also a file that another process, or this one before it was started again, has written.
            _written.pop(token, None)
            path.unlink(missing_ok=True)
            return
        plain = json.dumps([proof.hotline_id, proof.provider, dict(proof.credentials), dict(proof.pins)]).encode()
        digest, now = hashlib.sha256(plain).digest(), time.monotonic()
        known = _written.get(token)
        if known is not None and known[1] == digest and known[0] > now - _REFRESH:
            return
        _replace(path, offline.seal(plain, _USE))
    except OSError as error:
        log.warning("what proves a hotline's requests is not kept on disk: %s", type(error).__name__)
        return
    with _lock:
        if len(_written) >= _LIMIT:
            _written.clear()
        _written[token] = (now, digest)


def read(token: str) -> Proof | None:
    """What was kept of `token`, or None."""
    path = _path(token)
    try:
        if path.stat().st_mtime < time.time() - _DAYS * 86400:
            path.unlink(missing_ok=True)
            return None
        found: Any = json.loads(offline.unseal(path.read_bytes(), _USE))
        return Proof(*found)
    except (OSError, Unreadable, ValueError, TypeError) as error:
        if not isinstance(error, FileNotFoundError):
            log.error("what was known of a hotline cannot be read: %s", type(error).__name__)
        return None


def forget() -> None:
    """Drop what this process remembers of its files; for tests."""
    with _lock:
        _written.clear()


def _path(token: str) -> Path:
    """Named by a digest: the token itself stands nowhere but in the database (SECURITY.md W3)."""
    return Path(settings.SPOOL_DIR) / f"{hashlib.sha256(token.encode()).hexdigest()[:32]}.known"


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.stem}-{secrets.token_hex(6)}")
    try:
        draft.touch(0o600, exist_ok=False)
        draft.write_bytes(content)
        draft.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
