"""Sealing a value to the place where it is stored: AES-256-GCM, bound to table, row, column, organization and key.

A sealed value that is moved to another row, column, table or organization does not open (SECURITY.md 4.2).
Layout: version (1 byte) | data key id (8 bytes) | nonce (12 bytes) | ciphertext and tag.
"""

from __future__ import annotations

import functools
import os
import struct
import uuid
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import datakeys
from .models import DataKey

_HEADER = struct.Struct(">BQ")
_VERSION = 1
#: Where in a sealed value its data key's id stands.
KEY_AT, KEY_BYTES = 1, 8


class Unreadable(Exception):
    """The value was sealed for another place, was altered, or its key was destroyed."""


@dataclass(frozen=True)
class Place:
    """Where a sealed value lives."""

    table: str
    row: uuid.UUID
    column: str
    organization_id: int

    def bound_to(self, key_id: int) -> bytes:
        return f"{self.table}|{self.row}|{self.column}|{self.organization_id}|{key_id}".encode()


@functools.lru_cache(maxsize=1024)
def _cipher(secret: bytes) -> AESGCM:
    return AESGCM(secret)


def key_bytes(key_id: int) -> bytes:
    """A data key's id as it stands in what was sealed with it."""
    return key_id.to_bytes(KEY_BYTES, "big")


def key_id(sealed: bytes) -> int:
    """The id of the data key that `sealed` was sealed with."""
    return int.from_bytes(sealed[KEY_AT : KEY_AT + KEY_BYTES], "big")


def seal(value: str, place: Place, purpose: str, period: str) -> bytes:
    """`value` encrypted for `place`. Lone surrogates become U+FFFD, because no database and no SMS can carry them."""
    key, secret = datakeys.for_writing(place.organization_id, purpose, period)
    nonce = os.urandom(12)
    try:
        plain = value.encode()
    except UnicodeEncodeError:
        plain = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
    return _HEADER.pack(_VERSION, key.pk) + nonce + _cipher(secret).encrypt(nonce, plain, place.bound_to(key.pk))


def unseal(sealed: bytes | memoryview, place: Place) -> str:
    """The value. Raises `Unreadable` for anything but an intact value in the place it was sealed for."""
    data = bytes(sealed)
    try:
        version, key_id = _HEADER.unpack_from(data)
        if version != _VERSION:
            raise Unreadable(f"unknown version {version}")
        key, secret = datakeys.for_reading(key_id)
        if key.organization_id != place.organization_id:
            raise Unreadable("sealed for another organization")
        body = data[_HEADER.size :]
        return _cipher(secret).decrypt(body[:12], body[12:], place.bound_to(key_id)).decode()
    except (struct.error, InvalidTag, ValueError, DataKey.DoesNotExist) as error:
        raise Unreadable(type(error).__name__) from error


def read_or_none(row: object, name: str) -> str | None:
    """What a row's property `name` unseals, or None: where there is no row or no value, or its key was destroyed.

    For who treats what cannot be read as erased.
    """
    try:
        value: str | None = getattr(row, name, None)
    except Unreadable:
        return None
    return value
