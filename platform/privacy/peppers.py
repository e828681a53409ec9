"""A secret of each day, under which a number may be counted over all organizations without being linked to one.

It is random, wrapped by the master key, and deleted with its day: afterwards nobody can tell whose count it was.
"""

from __future__ import annotations

import datetime
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from django.core.exceptions import ImproperlyConfigured

from . import keys
from .models import Pepper

_LIMIT = 8
_known: dict[datetime.date, bytes] = {}


def digest(value: str, day: datetime.date) -> str:
    """What stands for `value` on that day: 32 hexadecimal digits."""
    return hmac.digest(_secret(day), value.encode("utf-8", "surrogatepass"), "sha256")[:16].hex()


def forget(before: datetime.date | None = None) -> int:
    """Delete the secrets of days before `before`; None: only what this process remembers. Returns how many."""
    _known.clear()
    return 0 if before is None else Pepper.objects.filter(day__lt=before).delete()[0]


def _secret(day: datetime.date) -> bytes:
    if (known := _known.get(day)) is not None:
        return known
    Pepper.objects.bulk_create([_new(day)], ignore_conflicts=True)
    row = Pepper.objects.get(day=day)
    try:
        secret = keys.by_id(row.master_key_id).unwrap(bytes(row.wrapped), row.context)
    except (ImproperlyConfigured, InvalidTag):
        # Its master key is gone. What was counted today is counted anew: nobody must wait for that.
        Pepper.objects.filter(pk=row.pk, wrapped=row.wrapped).delete()
        Pepper.objects.bulk_create([_new(day)], ignore_conflicts=True)
        row = Pepper.objects.get(day=day)
        secret = keys.by_id(row.master_key_id).unwrap(bytes(row.wrapped), row.context)
    if len(_known) >= _LIMIT:
        _known.clear()
    _known[day] = secret
    return secret


def _new(day: datetime.date) -> Pepper:
    row, master = Pepper(day=day), keys.current()
    row.master_key_id = master.id
    row.wrapped = master.wrap(secrets.token_bytes(32), row.context)
    return row
