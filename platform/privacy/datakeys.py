"""Finding, creating and remembering data keys. Nothing outside this app sees key bytes.

A key that was made inside a transaction is remembered only when that transaction commits: after a rollback its row is
gone, and what this process sealed with a remembered key could never be read again, by anybody. Nor is it remembered
for longer than a minute: another process may have retired or destroyed it meanwhile (`rotation`).
"""

from __future__ import annotations

import datetime
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, transaction

from . import keys
from .models import DataKey

Purpose = DataKey.Purpose
FOREVER = "all"

#: For how long a process uses a key without asking whether it still stands.
REMEMBERED = datetime.timedelta(minutes=1)

_lock = threading.Lock()
_by_id: dict[int, _Remembered] = {}
_by_period: dict[tuple[int, str, str], int] = {}
#: For a purpose and half-year of an organization its last period, and for a period the one before it; "" is none.
_latest: dict[tuple[int, str, str], str] = {}
_before: dict[tuple[int, str, str], str] = {}
_CACHE_LIMIT = 10_000


def month(moment: datetime.datetime) -> str:
    return f"{moment.year:04}-{moment.month:02}"


def half_year(moment: datetime.datetime) -> str:
    return f"{moment.year}-H{1 if moment.month <= 6 else 2}"


def previous_half_year(epoch: str) -> str:
    year, half = int(epoch[:4]), int(epoch[6])
    return f"{year}-H1" if half == 2 else f"{year - 1}-H2"


@dataclass(frozen=True)
class _Remembered:
    row: DataKey
    secret: bytes
    since: float

    @property
    def fresh(self) -> bool:
        return time.monotonic() - self.since < REMEMBERED.total_seconds()


@dataclass(frozen=True)
class _Key:
    """An unwrapped key; called when the transaction that it was seen in commits."""

    row: DataKey
    secret: bytes

    def __call__(self) -> None:
        with _lock:
            if len(_by_id) >= _CACHE_LIMIT:
                _by_id.clear()
                _by_period.clear()
            _by_id[self.row.pk] = _Remembered(self.row, self.secret, time.monotonic())
            if self.row.retired_at is None:
                _by_period[self.row.organization_id, self.row.purpose, self.row.period] = self.row.pk


def _remember(row: DataKey) -> tuple[DataKey, bytes]:
    key = _Key(row, keys.by_id(row.master_key_id).unwrap(bytes(row.wrapped), row.context))
    transaction.on_commit(key)  # at once outside a transaction; never if a savepoint around us is rolled back
    return key.row, key.secret


def _of_this_transaction() -> Iterator[_Key]:
    """The keys that wait for this connection's commit: good until then, and for nobody else."""
    return (hook[1] for hook in connection.run_on_commit if isinstance(hook[1], _Key))


def _known(identity: tuple[int, str, str]) -> tuple[DataKey, bytes] | None:
    known = _by_period.get(identity)
    if known is not None and (entry := _by_id.get(known)) is not None and entry.fresh:
        return entry.row, entry.secret
    for key in _of_this_transaction():
        if (key.row.organization_id, key.row.purpose, key.row.period, key.row.retired_at) == (*identity, None):
            return key.row, key.secret
    return None


def missing_master_keys() -> list[ImproperlyConfigured]:
    """What `keys.by_id` says of each master key that wrapped a data key and is not in the configuration."""
    keys.current()
    problems = []
    for key_id in DataKey.objects.order_by("master_key_id").values_list("master_key_id", flat=True).distinct():
        try:
            keys.by_id(key_id)
        except ImproperlyConfigured as problem:
            problems.append(problem)
    return problems


def forget() -> None:
    """Drop every unwrapped key from this process's memory."""
    with _lock:
        _by_id.clear()
        _by_period.clear()
        _latest.clear()
        _before.clear()
    connection.run_on_commit = [hook for hook in connection.run_on_commit if not isinstance(hook[1], _Key)]


def for_writing(organization_id: int, purpose: str, period: str) -> tuple[DataKey, bytes]:
    """The data key to use now, made if this is its first use. Call it before a transaction that must stay short."""
    if (entry := _known((organization_id, purpose, period))) is not None:
        return entry
    identity = {"organization_id": organization_id, "purpose": purpose, "period": period}
    row = DataKey.objects.filter(**identity, retired_at=None).first()
    return _remember(_new(identity) if row is None else row)


def _new(identity: dict[str, Any]) -> DataKey:
    """A key's new row, or the one that another process made between our look and our insert."""
    row, master = DataKey(**identity), keys.current()
    row.master_key_id = master.id
    row.wrapped = master.wrap(secrets.token_bytes(32), row.context)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        row = DataKey.objects.get(**identity, retired_at=None)
    return row


def for_reading(key_id: int) -> tuple[DataKey, bytes]:
    """The data key `key_id`. Raises `DataKey.DoesNotExist` when it was destroyed, and the data with it."""
    if (entry := _by_id.get(key_id)) is not None and entry.fresh:
        return entry.row, entry.secret
    for key in _of_this_transaction():
        if key.row.pk == key_id:
            return key.row, key.secret
    return _remember(DataKey.objects.get(pk=key_id))


def find(organization_id: int, purpose: str, period: str) -> tuple[DataKey, bytes] | None:
    """The data key of a period, or None if there is none."""
    if (entry := _known((organization_id, purpose, period))) is not None:
        return entry
    row = DataKey.objects.filter(
        organization_id=organization_id, purpose=purpose, period=period, retired_at=None
    ).first()
    return None if row is None else _remember(row)


def latest(organization_id: int, purpose: str, half: str) -> str:
    """The last period that was begun within a half-year: the half-year itself, or one that `rotation` began in it.

    Remembered until the process ends: `manage.py keys new-epoch` asks that all be stopped meanwhile.
    """
    identity = (organization_id, purpose, half)
    if identity not in _latest:
        begun = DataKey.objects.filter(organization_id=organization_id, purpose=purpose, period__startswith=half)
        _latest[identity] = max([half, *begun.values_list("period", flat=True)])
    return _latest[identity]


def before(organization_id: int, purpose: str, period: str) -> str:
    """The period before `period` that has a key, no longer ago than the half-year before; else ""."""
    identity = (organization_id, purpose, period)
    if identity not in _before:
        begun = DataKey.objects.filter(organization_id=organization_id, purpose=purpose, period__lt=period)
        periods = begun.filter(period__gte=previous_half_year(period))
        _before[identity] = max(periods.values_list("period", flat=True), default="")
    return _before[identity]
