"""What a provider posts, as values: forms, JSON, texts, prices, counts. Pure."""

from __future__ import annotations

import decimal
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

#: No provider sends so many parameters; more are an attempt to make us work.
MAX_FIELDS = 100


class Unusable(Exception):
    """A signed request that we cannot act upon: it is kept as unreadable, and nothing is answered to its sender."""

    def __init__(self, reason: str, message_id: str = "") -> None:
        super().__init__(reason)
        self.id = message_id


def parse_form(body: bytes) -> Sequence[tuple[bytes, bytes]]:
    """The pairs of a form body, in order, blank values kept, as the bytes that a signature covers.

    Raises `Unusable` beyond `MAX_FIELDS`. The standard library's parser has the same rules and decodes.
    """
    fields = [field for field in body.split(b"&", MAX_FIELDS) if field]
    if len(fields) > MAX_FIELDS:
        raise Unusable("too many fields")
    pairs = (field.replace(b"+", b" ").partition(b"=") for field in fields)
    return [(_unquoted(key), _unquoted(value)) for key, _equals, value in pairs]


def _unquoted(raw: bytes) -> bytes:
    return unquote_to_bytes(raw) if b"%" in raw else raw


def single_fields(pairs: Sequence[tuple[bytes, bytes]], id_name: str) -> dict[str, str]:
    """The form's parameters by name. Raises `Unusable`, with the value of `id_name`, when one is repeated."""
    found = {clean_text(key): clean_text(value) for key, value in pairs}
    if len(found) != len(pairs):
        raise Unusable("a parameter is repeated", found.get(id_name, ""))
    return found


def clean_text(raw: bytes) -> str:
    """UTF-8 to Unicode that every database takes: broken bytes become U+FFFD, NUL is removed."""
    return _storable(raw.decode("utf-8", "replace"))


def _storable(text: str) -> str:
    return text.replace("\x00", "") if "\x00" in text else text


def parse_json(body: bytes) -> Mapping[str, Any]:
    """The object of a JSON body, its texts as `clean_text` makes them. Raises `Unusable` for anything else.

    Half a surrogate pair is valid JSON and no Unicode: it becomes U+FFFD, as broken UTF-8 does.
    """
    try:
        found = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Unusable("not JSON") from error
    if not isinstance(found, dict):
        raise Unusable("not a JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = {_whole(key): _whole(value) if isinstance(value, str) else value for key, value in pairs}
    if len(found) != len(pairs) or len(pairs) > MAX_FIELDS:
        raise Unusable("a key is repeated, or there are too many")
    return found


def _whole(text: str) -> str:
    return _storable(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def bounded_decimal(value: str, *, most: str = "1000") -> decimal.Decimal | None:
    """A provider's price, or None for anything but a plain amount from 0 to `most`."""
    try:
        amount = decimal.Decimal(value.strip())
    except decimal.InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount <= decimal.Decimal(most):
        return None
    return amount.quantize(decimal.Decimal("0.00001"))


def bounded_int(value: str, default: int, *, most: int = 1000) -> int:
    """A provider's count, or `default` for anything but ASCII digits from 0 to `most`."""
    text = value.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= most else default
