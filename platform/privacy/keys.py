"""The master keys: outside the database, and without them nothing personal can be read.

A master key only wraps the data keys of the table `privacy_datakey`; it never touches a message. SECURITY.md 4.2.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import hashlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

NONCE_BYTES = 12


@dataclass(frozen=True)
class MasterKey:
    """A key-encryption key; `id` is public and says which key wrapped a data key."""

    id: str
    secret: bytes

    def wrap(self, data_key: bytes, context: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.secret).encrypt(nonce, data_key, context.encode())

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """The data key. Raises `cryptography.exceptions.InvalidTag` when it was wrapped for another context."""
        return AESGCM(self.secret).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context.encode())


MISSING = (
    "No master key. Paravent refuses to start, because senders' numbers and texts could be neither kept safe nor read. "
    "Nothing was changed. To create one: `python manage.py keys create /etc/paravent/master.key`; then set "
    "PARAVENT_MASTER_KEY_FILE to that path and keep a copy off this machine: without it, what is stored is lost."
)
MALFORMED = (
    "PARAVENT_MASTER_KEY holds a line that is not 32 bytes in base64. Paravent refuses to start; nothing was changed. "
    "Restore the file from its copy, or give one key per line, the newest first, as `manage.py keys create` writes "
    "them."
)


def generate() -> str:
    """A new master key, as the text that `PARAVENT_MASTER_KEY` takes."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def create_file(path: Path) -> bool:
    """Write a new master key to `path`, readable by its owner only. False, and no change, when the file exists.

    The file appears whole or not at all: a start that reads it at that moment, or a crash, never finds half a key.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _draft(path, generate() + "\n") as draft:
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    sync_folder(path.parent)
    return True


def without(text: str, key_id: str) -> str:
    """The text of a file of master keys, as `PARAVENT_MASTER_KEY` takes it, without one of its keys."""
    return "".join(f"{line}\n" for line in text.split() if _parse(line)[0].id != key_id)


def rewrite_file(path: Path, text: str) -> None:
    """Put `text` in place of what a file of master keys holds, whole or not at all; owner and mode stay."""
    before = path.stat()
    with _draft(path, text) as draft:
        draft.chmod(before.st_mode & 0o777)
        if (draft.stat().st_uid, draft.stat().st_gid) != (before.st_uid, before.st_gid):
            os.chown(draft, before.st_uid, before.st_gid)
        draft.replace(path)
    sync_folder(path.parent)


@contextlib.contextmanager
def _draft(path: Path, text: str) -> Iterator[Path]:
    """A file beside `path` that holds `text` and is on disk; gone afterwards unless it was given another name."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Return when what was created, renamed or removed in `folder` is on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@functools.lru_cache(maxsize=4)
def _parse(text: str) -> tuple[MasterKey, ...]:
    keys = []
    for line in text.split():
        try:
            secret = base64.b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            raise ImproperlyConfigured(MALFORMED) from None
        if len(secret) != 32:
            raise ImproperlyConfigured(MALFORMED)
        keys.append(MasterKey(hashlib.sha256(b"paravent master key" + secret).hexdigest()[:16], secret))
    if not keys:
        raise ImproperlyConfigured(MISSING)
    return tuple(keys)


def configured() -> tuple[MasterKey, ...]:
    """All keys of the configuration, the newest first. Raises `ImproperlyConfigured` when there is none."""
    return _parse(settings.MASTER_KEYS)


def current() -> MasterKey:
    """The key that wraps new data keys. Raises `ImproperlyConfigured` with what to do when there is none."""
    return configured()[0]


def by_id(key_id: str) -> MasterKey:
    """The key that wrapped an existing data key. Raises `ImproperlyConfigured` when it is not in the configuration."""
    for key in configured():
        if key.id == key_id:
            return key
    raise ImproperlyConfigured(
        f"Data was protected with master key {key_id}, which PARAVENT_MASTER_KEY does not hold. Nothing was changed. "
        "Add that key as a further line; it may go once `manage.py keys rewrap` wrapped everything with the new one."
    )
