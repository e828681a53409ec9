"""What a sandbox key reads: made-up numbers, of those that are set aside for films (ARCEP, décision 2022-1583).

The rows are in `sandbox.json`, as the API tells them, so that who builds something meets every case: in service,
suspended, in turn, blocked, stopped, nothing told. Times are counted from today.
"""

from __future__ import annotations

import copy
import datetime
import functools
import json
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404
from django.utils import timezone

from . import listing

_ROWS = Path(__file__).with_name("sandbox.json")


@functools.cache
def _read() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(_ROWS.read_text(encoding="utf-8"))
    return data


def _rows(name: str) -> Any:
    """A copy, with its times as they are today."""
    return _dated(copy.deepcopy(_read()[name]), timezone.now())


def _dated(value: Any, now: datetime.datetime) -> Any:
    """`3 days ago 14:05` and `last monday 2` in place of a date."""
    if isinstance(value, dict):
        return {name: _dated(inner, now) for name, inner in value.items()}
    if isinstance(value, list):
        return [_dated(inner, now) for inner in value]
    if isinstance(value, str) and " days ago " in value:
        days, clock = value.split(" days ago ")
        hour, minute = map(int, clock.split(":"))
        day = now.astimezone(datetime.UTC) - datetime.timedelta(days=int(days))
        return day.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if isinstance(value, str) and value.startswith("monday "):
        today = now.date()
        return today - datetime.timedelta(days=today.weekday() + 7 * int(value.removeprefix("monday ")))
    if isinstance(value, str) and value.startswith("/"):
        return settings.PUBLIC_URL + value
    return value


def hotlines(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    found = [_in_language(row, wanted["language"]) for row in _rows("hotlines")]
    return [row for row in found if listing.fits(row, wanted, "kind", "state")]


def hotline(slug: str, language: str) -> dict[str, Any]:
    return _in_language(_one("hotlines", "slug", slug), language)


def _in_language(row: dict[str, Any], language: str) -> dict[str, Any]:
    names = row.pop("names")
    return {**row, "language": language, "name": names.get(language, row["name"])}


def texts(slug: str) -> list[dict[str, Any]]:
    _one("hotlines", "slug", slug)
    found: list[dict[str, Any]] = _rows("texts")
    return found


def weeks(slug: str) -> list[dict[str, Any]]:
    _one("hotlines", "slug", slug)
    found: list[dict[str, Any]] = _rows("weeks")
    return found


def events(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _rows("events")
    return [row for row in found if listing.fits(row, wanted, "type")]


def numbers(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _rows("numbers")
    return [row for row in rows if listing.fits(row, wanted, "kind", "state")]


def number(asked: uuid.UUID) -> dict[str, Any]:
    return _one("numbers", "id", str(asked))


def policy(asked: uuid.UUID) -> dict[str, Any]:
    number(asked)
    found: dict[str, Any] = _rows("policy")
    return found


def templates(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _rows("templates")
    return [row for row in rows if listing.fits(row, wanted, "number", "language", "purpose")]


def template(pk: int) -> dict[str, Any]:
    return _one("templates", "id", pk)


def conversations(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for row in _rows("conversations"):
        row.pop("recent")
        at = row["last_message_at"]
        late = wanted.get("since") is None or at >= wanted["since"]
        early = wanted.get("until") is None or at < wanted["until"]
        if late and early and listing.fits(row, wanted, "number", "test"):
            found.append(row)
    return found


def conversation(pk: int) -> dict[str, Any]:
    return _one("conversations", "id", pk)


def _one(name: str, field: str, value: object) -> dict[str, Any]:
    for row in _rows(name):
        if row[field] == value:
            return dict(row)
    raise Http404
