"""The life cycle of a hotline: draft, active, silent, suspended, retired. Only a person changes it.

Apps above this one add what they know of it in their `ready()`: `replies` brings the texts of a new hotline's kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from . import kinds, readiness, succession
from .models import Hotline, StateChange

#: Brings what a new hotline starts with.
Beginning = Callable[[Hotline], object]

_beginnings: list[Beginning] = []
State = Hotline.State


def at_beginning(beginning: Beginning) -> None:
    _beginnings.append(beginning)


def begin(hotline: Hotline) -> None:
    """Save a new hotline as a draft with the policy and the texts of its kind."""
    preset = kinds.presets()[hotline.kind]
    hotline.reply_limit = preset.reply_limit
    hotline.window_hours = preset.window_hours
    hotline.block_hours = preset.block_hours
    hotline.delay_seconds = preset.delay_minutes * 60
    hotline.jitter_seconds = preset.jitter_minutes * 60
    hotline.state = State.DRAFT
    with transaction.atomic():
        hotline.save()
        for beginning in _beginnings:
            beginning(hotline)


def change_state(
    hotline: Hotline, state: str, reason: str = "", successor: Hotline | None = None, author: Any = None
) -> None:
    """Put `hotline` into `state`. Raises `ValidationError`, in words, where it must not be.

    A suspension needs its reason and may name a successor, as may a retirement; other states have neither. A successor
    that is a draft becomes active in the same moment.
    """
    left = state in {State.SUSPENDED, State.RETIRED}
    heir = successor if left else None
    with transaction.atomic():
        wanted = [hotline.pk, *([heir.pk] if heir is not None else [])]
        rows = {row.pk: row for row in Hotline.objects.select_for_update().filter(pk__in=wanted).order_by("pk")}
        row, heir = rows[hotline.pk], rows[heir.pk] if heir is not None else None
        if state == State.ACTIVE and (problems := readiness.missing(row)):
            raise ValidationError(problems, code="not_ready")
        before, row.state = row.state, state
        row.state_reason = reason.strip() if left else ""
        if heir is not None:
            succession.check(row, heir)
        row.successor = heir
        row.full_clean(exclude={"number", "languages", "countries", "default_language"})
        _write(row, before, author)
        if heir is not None and heir.state == State.DRAFT:
            heir.state = State.ACTIVE
            _write(heir, State.DRAFT, author)
    hotline.refresh_from_db(fields=["state", "state_reason", "successor"])


def _write(row: Hotline, before: str, author: Any) -> None:
    row.save(update_fields=["state", "state_reason", "successor"])
    StateChange.objects.create(
        organization_id=row.organization_id,
        hotline=row,
        before=before,
        after=row.state,
        reason=row.state_reason,
        successor=row.successor,
        author=author,
    )
