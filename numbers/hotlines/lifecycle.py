"""The life cycle of a hotline: draft, active, silent, suspended, retired. Only a person changes it.

Apps above this one add what they know of it in their `ready()`: `replies` brings the texts of a new hotline's kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from . import kinds, readiness, succession
from .models import Hotline, OwnKind, StateChange

#: Brings what a new hotline starts with.
Beginning = Callable[[Hotline], object]

_beginnings: list[Beginning] = []
State = Hotline.State


def at_beginning(beginning: Beginning) -> None:
    _beginnings.append(beginning)


def begin(hotline: Hotline) -> None:
    """Save a new hotline as a draft with the policy and the texts of its kind."""
    for name, value in _preset(hotline).items():
        setattr(hotline, name, value)
    hotline.state = State.DRAFT
    with transaction.atomic():
        hotline.save()
        for beginning in _beginnings:
            beginning(hotline)


_POLICY = ("reply_limit", "window_hours", "block_hours", "delay_seconds", "jitter_seconds")


def _preset(hotline: Hotline) -> dict[str, int]:
    """The columns of a policy. Raises `OwnKind.DoesNotExist` for a kind that neither comes with Paravent nor is its
    organization's.
    """
    preset = kinds.presets().get(hotline.kind)
    if preset is None:
        own = OwnKind.objects.get(organization=hotline.organization_id, name=hotline.kind)
        return {name: getattr(own, name) for name in _POLICY}
    return {
        "reply_limit": preset.reply_limit,
        "window_hours": preset.window_hours,
        "block_hours": preset.block_hours,
        "delay_seconds": preset.delay_minutes * 60,
        "jitter_seconds": preset.jitter_minutes * 60,
    }


#: Gives the texts that a new kind of this number begins with, for `OwnKind.texts`.
Texts = Callable[[Hotline], list[list[Any]]]
_texts: list[Texts] = []


def texts_of_kind(gather: Texts) -> None:
    _texts.append(gather)


def make_kind(hotline: Hotline, name: str) -> OwnKind:
    """A kind of the organization's own, as this number is now. Raises `ValidationError`, in words."""
    policy = {column: getattr(hotline, column) for column in _POLICY}
    texts = [text for gather in _texts for text in gather(hotline)]
    kind = OwnKind(organization_id=hotline.organization_id, name=name.strip(), texts=texts, **policy)
    kind.full_clean()
    kind.save()
    return kind


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
