"""Sealing under a key that needs no database: for what waits on disk while the database is down.

The keys of `datakeys` lie in the database, wrapped. What must be written and read without it is sealed under keys
derived from the master key itself (HKDF-SHA256, RFC 5869), one for each use. Such data lives for minutes or days, so
it has no retention of its own to enforce by destroying a key.
Layout: version (1 byte) | master key id (8 bytes) | nonce (12 bytes) | ciphertext and tag (AES-256-GCM).
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.core.exceptions import ImproperlyConfigured

from . import keys
from .vault import Unreadable

_VERSION = b"\x01"
_KEY_ID_BYTES = 8
#: What `inbox.last_known` writes: a copy of what the database says, written again within a day.
_COPY = ".known"
_HEADER = len(_VERSION) + _KEY_ID_BYTES


@functools.lru_cache(maxsize=32)
def _cipher(master: keys.MasterKey, use: str) -> AESGCM:
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"paravent offline {use}".encode())
    return AESGCM(derive.derive(master.secret))


def seal(data: bytes, use: str) -> bytes:
    """`data` encrypted for `use`; another use cannot open it."""
    master = keys.current()
    header = _VERSION + bytes.fromhex(master.id)
    nonce = os.urandom(keys.NONCE_BYTES)
    return header + nonce + _cipher(master, use).encrypt(nonce, data, header)


def unseal(sealed: bytes, use: str) -> bytes:
    """The data. Raises `Unreadable` for anything but an intact value of this use, or when its master key is gone."""
    header, nonce = sealed[:_HEADER], sealed[_HEADER : _HEADER + keys.NONCE_BYTES]
    if not header.startswith(_VERSION) or len(nonce) < keys.NONCE_BYTES:
        raise Unreadable("unknown version")
    try:
        master = keys.by_id(header[len(_VERSION) :].hex())
        return _cipher(master, use).decrypt(nonce, sealed[_HEADER + keys.NONCE_BYTES :], header)
    except (InvalidTag, ImproperlyConfigured) as error:
        raise Unreadable(type(error).__name__) from error


def files_under(folder: Path, master_key_id: str) -> list[Path]:
    """The files of a folder in which something is sealed under that master key, copies that are made anew left out."""
    header = _VERSION + bytes.fromhex(master_key_id)
    files = sorted(path for path in folder.glob("*") if path.is_file() and path.suffix != _COPY)
    return [path for path in files if header in path.read_bytes()]
