"""Finding, creating and remembering data keys. Nothing outside this app sees key bytes."""

from __future__ import annotations

import datetime
import secrets
import threading

from django.db import IntegrityError, transaction

from . import keys
from .models import DataKey

Purpose = DataKey.Purpose
FOREVER = "all"

_lock = threading.Lock()
_by_id: dict[int, tuple[DataKey, bytes]] = {}
_by_period: dict[tuple[int, str, str], int] = {}
_absent: set[tuple[int, str, str]] = set()
_CACHE_LIMIT = 10_000


def month(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m}"


def half_year(moment: datetime.datetime) -> str:
    return f"{moment.year}-H{1 if moment.month <= 6 else 2}"


def previous_half_year(epoch: str) -> str:
    year, half = int(epoch[:4]), int(epoch[-1])
    return f"{year}-H1" if half == 2 else f"{year - 1}-H2"


def _remember(row: DataKey) -> tuple[DataKey, bytes]:
    entry = (row, keys.by_id(row.master_key_id).unwrap(bytes(row.wrapped), row.context))
    with _lock:
        if len(_by_id) >= _CACHE_LIMIT:
            _by_id.clear()
            _by_period.clear()
        _by_id[row.pk] = entry
        _by_period[row.organization_id, row.purpose, row.period] = row.pk
    return entry


def forget() -> None:
    """Drop every unwrapped key from this process's memory."""
    with _lock:
        _by_id.clear()
        _by_period.clear()
        _absent.clear()


def for_writing(organization_id: int, purpose: str, period: str) -> tuple[DataKey, bytes]:
    """The data key to use now, made if this is its first use. Call it before a transaction that must stay short."""
    known = _by_period.get((organization_id, purpose, period))
    if known is not None and (entry := _by_id.get(known)) is not None:
        return entry
    identity = {"organization_id": organization_id, "purpose": purpose, "period": period}
    row = DataKey.objects.filter(**identity).first()
    if row is None:
        row = DataKey(**identity)
        master = keys.current()
        row.master_key_id = master.id
        row.wrapped = master.wrap(secrets.token_bytes(32), row.context)
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:  # another process made it between our look and our insert
            row = DataKey.objects.get(**identity)
    return _remember(row)


def for_reading(key_id: int) -> tuple[DataKey, bytes]:
    """The data key `key_id`. Raises `DataKey.DoesNotExist` when it was destroyed, and the data with it."""
    return _by_id.get(key_id) or _remember(DataKey.objects.get(pk=key_id))


def find(organization_id: int, purpose: str, period: str) -> tuple[DataKey, bytes] | None:
    """The data key of a past period, or None if there never was one; nobody makes a key of a past period any more."""
    identity = (organization_id, purpose, period)
    if identity in _absent:
        return None
    known = _by_period.get(identity)
    if known is not None and (entry := _by_id.get(known)) is not None:
        return entry
    row = DataKey.objects.filter(organization_id=organization_id, purpose=purpose, period=period).first()
    if row is None:
        _absent.add(identity)
        return None
    return _remember(row)
