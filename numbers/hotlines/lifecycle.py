"""The life cycle of a hotline: draft, active, silent, suspended, retired. Only a person changes it.

Apps above this one add what they know of it in their `ready()`: `replies` brings the texts of a new hotline's kind and
says what is missing before it may answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from . import kinds
from .models import Hotline

#: Says in words what is missing before this hotline may answer; nothing where all is well.
ActivationCheck = Callable[[Hotline], Iterable[str]]
#: Brings what a new hotline starts with.
Beginning = Callable[[Hotline], object]

_checks: list[ActivationCheck] = []
_beginnings: list[Beginning] = []
State = Hotline.State


def before_activation(check: ActivationCheck) -> None:
    _checks.append(check)


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


def missing(hotline: Hotline) -> list[str]:
    """Everything that keeps `hotline` from answering, in words."""
    problems = [problem for check in _checks for problem in check(hotline)]
    if not hotline.account.credentials_sealed:
        problems.append(_("The account has no credentials yet. Enter them on the account's page."))
    return problems


def change_state(hotline: Hotline, state: str, reason: str = "", successor: Hotline | None = None) -> None:
    """Put `hotline` into `state`. Raises `ValidationError`, in words, where it must not be.

    A suspension needs its reason and may name a successor, as may a retirement; other states have neither.
    """
    with transaction.atomic():
        row = Hotline.objects.select_for_update().get(pk=hotline.pk)
        if state == State.ACTIVE and (problems := missing(row)):
            raise ValidationError(problems, code="not_ready")
        left = state in {State.SUSPENDED, State.RETIRED}
        row.state = state
        row.state_reason = reason.strip() if left else ""
        row.successor = successor if left else None
        row.full_clean(exclude={"number", "languages", "countries", "default_language"})
        row.save(update_fields=["state", "state_reason", "successor"])
    hotline.refresh_from_db(fields=["state", "state_reason", "successor"])
