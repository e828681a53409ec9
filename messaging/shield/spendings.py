"""Rows of spending: found, made, locked in one order, written. What they mean is said by `ledger` and `intake`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Q

from .budgets import Caps, Line, Name
from .models import Spending

_COUNTED = ("micros", "messages", "recipients", "cap_micros", "cap_messages", "cap_recipients")


def standing(caps: Mapping[Name, Caps]) -> dict[Name, Line]:
    """What each of these budgets has counted, and may count; without a lock, for people and plans."""
    wanted = _any_of(caps)
    rows = {row.name: row.line for row in Spending.objects.filter(wanted)} if wanted else {}
    lines = {name: rows.get(name, Line(name, cap)) for name, cap in caps.items()}
    for name, line in lines.items():
        line.caps = caps[name]
    return lines


# --- within a transaction ---------------------------------------------------------------------------------------------
def locked(names: Iterable[Name]) -> dict[Name, Spending]:
    """Each budget's row, made where it is missing, and locked."""
    wanted = list(names)
    found = _found(wanted)
    missing = sorted((name for name in wanted if name not in found), key=_order)
    if missing:
        Spending.objects.bulk_create(
            [
                Spending(scope=name.scope, key=name.key, window=name.window, starts_at=name.starts_at)
                for name in missing
            ],
            ignore_conflicts=True,
        )
        found |= _found(missing)
    return found


def save(rows: Iterable[Spending], columns: Sequence[str] = _COUNTED) -> None:
    """Write columns of rows that are there and locked: by an upsert, which Django makes six times faster."""
    named = ("scope", "key", "window", "starts_at")
    values = [
        Spending(**{column: getattr(row, column) for column in (*named, *_COUNTED)})
        for row in sorted(rows, key=lambda row: _order(row.name))
    ]
    if values:
        Spending.objects.bulk_create(values, update_conflicts=True, unique_fields=named, update_fields=columns)


def change(changes: Mapping[Name, tuple[int, int]]) -> None:
    """Change rows by so many millionths and messages. What a provider bills above a cap is counted all the same."""
    rows = _found(changes)
    for name, row in rows.items():
        micros, messages = changes[name]
        row.micros = max(row.micros + micros, 0)
        row.messages = max(row.messages + messages, 0)
        if row.cap_micros is not None:
            row.cap_micros = max(row.cap_micros, row.micros)
    save(rows.values(), ("micros", "messages", "cap_micros"))


def _order(name: Name) -> tuple[Any, ...]:
    return name.scope, name.key, name.window, name.starts_at


def _found(names: Iterable[Name]) -> dict[Name, Spending]:
    """Their rows, locked in one order, so that two workers never wait in a ring."""
    wanted = _any_of(names)
    if not wanted:
        return {}
    rows = Spending.objects.filter(wanted).select_for_update().order_by("scope", "key", "window", "starts_at")
    return {row.name: row for row in rows}


def _any_of(names: Iterable[Name]) -> Q:
    wanted = Q()
    for name in names:
        wanted |= Q(scope=name.scope, key=name.key, window=name.window, starts_at=name.starts_at)
    return wanted
