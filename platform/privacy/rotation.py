"""Other keys for what is stored: master keys, data keys and the epochs of pseudonyms (SECURITY.md 4.2).

Each may be stopped at any moment and begun again: a row tells itself under which key it is. Docs: operators/keys.md.
"""

from __future__ import annotations

import datetime
import string
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Q

from . import columns, datakeys, keys, vault
from .models import DataKey, Pepper

Purpose = DataKey.Purpose

#: No process writes with a key that was retired so long ago: each asks once a minute, and no transaction takes longer.
GRACE = datetime.timedelta(hours=1)
_BATCH = 500
#: A key of a month may be needed for what waited on disk, or was begun in that month, for so long afterwards.
_OPEN_MONTHS = datetime.timedelta(days=62)

#: Pseudonyms have epochs instead, and signatures must be told by one key. What is sealed with the key of block files
#: has left for somebody's disk.
_NEVER_RETIRED = Q(purpose__in=[Purpose.PSEUDONYM, Purpose.EVIDENCE, Purpose.ACCOUNTS]) | Q(
    purpose=Purpose.NUMBER, period=datakeys.FOREVER
)


class Refused(Exception):
    """What was asked for would lose data; says why, and what to do."""


@dataclass(frozen=True)
class Outcome:
    """How many values are under a new key, and how many do not open and were left as they are."""

    done: int = 0
    unreadable: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.done + other.done, self.unreadable + other.unreadable)


def rewrap() -> Outcome:
    """Wrap every data key with the newest master key. What they protect is not touched: it takes seconds."""
    master, outcome = keys.current(), Outcome()
    for model in (DataKey, Pepper):
        for row in model.objects.exclude(master_key_id=master.id).order_by("pk"):
            try:
                secret = keys.by_id(row.master_key_id).unwrap(bytes(row.wrapped), row.context)
            except (ImproperlyConfigured, InvalidTag):
                outcome += Outcome(unreadable=1)
                continue
            same = model.objects.filter(pk=row.pk, master_key_id=row.master_key_id)
            same.update(wrapped=master.wrap(secret, row.context), master_key_id=master.id)
            outcome += Outcome(done=1)
    return outcome


def retired() -> int:
    """How many keys are retired and not deleted yet: an exchange of keys that is under way."""
    return DataKey.objects.filter(retired_at__isnull=False).count()


def retire(organization_ids: Collection[int], purposes: Collection[str], now: datetime.datetime) -> int:
    """From now on nothing new is sealed with these organizations' keys; none given means all. Returns how many."""
    standing = DataKey.objects.filter(retired_at=None, purpose__in=purposes).exclude(_NEVER_RETIRED)
    if organization_ids:
        standing = standing.filter(organization_id__in=organization_ids)
    count = standing.update(retired_at=now)
    datakeys.forget()
    return count


def reencrypt(progress: Callable[[columns.Column, int], object] = lambda _column, _done: None) -> Outcome:
    """Seal anew what is sealed with retired keys. Readers and writers may go on meanwhile."""
    old = {key.pk: key for key in DataKey.objects.filter(retired_at__isnull=False)}
    outcome = Outcome()
    for column in columns.all_columns() if old else ():
        of_column = Outcome()
        for values in column.values(column.under(old), _BATCH):
            of_column += _reseal(values, old)
            progress(column, of_column.done)
        outcome += of_column
    return outcome


def _reseal(values: Iterable[columns.Value], old: dict[int, DataKey]) -> Outcome:
    fresh = []
    outcome = Outcome()
    for value in values:
        key = old[vault.key_id(value.sealed)]
        try:
            plain = vault.unseal(value.sealed, value.place)
        except vault.Unreadable:
            outcome += Outcome(unreadable=1)
        else:
            fresh.append((value, vault.seal(plain, value.place, key.purpose, key.period)))
    with transaction.atomic():
        done = sum(value.replace(sealed) for value, sealed in fresh)
    return outcome + Outcome(done=done)


def finish(now: datetime.datetime) -> int:
    """Seal anew what a process still wrote with a retired key, and delete the keys that open nothing any more.

    Returns how many keys were deleted. For a sweep: it is done when no key is retired.
    """
    over = DataKey.objects.filter(retired_at__lt=now - GRACE)
    if not over.exists():
        return 0
    reencrypt()
    return over.exclude(pk__in=columns.keys_in_use()).delete()[0]


def end_periods(now: datetime.datetime) -> int:
    """Delete keys of months that are over, once nothing is left that they open, and pseudonym keys of long ago.

    Of pseudonyms the last half-year's key is kept beside this one's (SECURITY.md 4.2): who comes again within it is
    recognized, and who does not cannot be told from a stranger. Returns how many keys were deleted.
    """
    month = datakeys.month(now - _OPEN_MONTHS)
    months = DataKey.objects.filter(purpose__in=[Purpose.TEXT, Purpose.NUMBER], period__lt=month)
    epoch = datakeys.previous_half_year(datakeys.half_year(now))
    epochs = DataKey.objects.filter(purpose=Purpose.PSEUDONYM, period__lt=epoch)
    deleted: int = epochs.delete()[0]
    if months.exists():
        deleted += months.exclude(pk__in=columns.keys_in_use()).delete()[0]
    return deleted


def organizations() -> list[int]:
    """The ids of all organizations that have pseudonyms."""
    found = DataKey.objects.filter(purpose=Purpose.PSEUDONYM).values_list("organization_id", flat=True)
    return sorted(set(found))


def new_epoch(organization_ids: Iterable[int], now: datetime.datetime) -> list[str]:
    """Begin another epoch of pseudonyms before the half-year is over; everything must stand still meanwhile.

    A sender who comes again is found under the epoch before and follows, with his counters and his blocks, as when a
    half-year ends. Raises `Refused` when a half-year has had 25 of them. Returns the epochs begun.
    """
    begun = []
    half = datakeys.half_year(now)
    for organization_id in organization_ids:
        datakeys.forget()
        last = datakeys.latest(organization_id, Purpose.PSEUDONYM, half)
        following = string.ascii_lowercase.partition(last[len(half) :] or "a")[2]
        if not following:
            raise Refused(f"{half} has had as many epochs as there are letters. Nothing was changed.")
        datakeys.for_writing(organization_id, Purpose.PSEUDONYM, half + following[0])
        begun.append(half + following[0])
    datakeys.forget()
    return begun


def destroy_period(period: str, purposes: Collection[str], organization_ids: Collection[int]) -> int:
    """Delete the data keys of a period: what they protect is unreadable in this database at once and for ever.

    In backups it stays readable for who holds the master key of that time. Raises `Refused` for credentials, which are
    replaced and not forgotten, and for the key that fingerprints are made with. Returns how many keys there were.
    """
    if period == datakeys.FOREVER and {*purposes} & {Purpose.CREDENTIALS, Purpose.PSEUDONYM}:
        raise Refused("Accounts with providers need that key. Nothing was destroyed. Use `keys reencrypt` instead.")
    doomed = DataKey.objects.filter(period=period, purpose__in=purposes)
    if organization_ids:
        doomed = doomed.filter(organization_id__in=organization_ids)
    gone = doomed.delete()[0]
    datakeys.forget()
    return gone


def wrapped_by(master_key_id: str) -> int:
    """How many keys of this database only that master key opens."""
    return sum(model.objects.filter(master_key_id=master_key_id).count() for model in (DataKey, Pepper))


def verify(progress: Callable[[columns.Column, Outcome], object]) -> Outcome:
    """Open every sealed value, and say how many open and how many do not. Reads only."""
    outcome = Outcome()
    for column in columns.all_columns():
        of_column = Outcome()
        for values in column.values(column.rows(), _BATCH):
            for value in values:
                try:
                    vault.unseal(value.sealed, value.place)
                except vault.Unreadable:
                    of_column += Outcome(unreadable=1)
                else:
                    of_column += Outcome(done=1)
        progress(column, of_column)
        outcome += of_column
    return outcome
