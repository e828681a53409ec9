"""What is missing before a hotline may answer.

Apps above this one add what they know of it in their `ready()`: `replies` knows the texts, `shield` the budgets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.utils.translation import gettext as _

from .models import Hotline

#: Says in words what is missing before this hotline may answer; nothing where all is well.
ActivationCheck = Callable[[Hotline], Iterable[str]]

_checks: list[ActivationCheck] = []


def before_activation(check: ActivationCheck) -> None:
    _checks.append(check)


def missing(hotline: Hotline) -> list[str]:
    """Everything that keeps `hotline` from answering, in words."""
    problems = [problem for check in _checks for problem in check(hotline)]
    if not hotline.account.credentials_sealed:
        problems.append(_("The account has no credentials yet. Enter them on the account's page."))
    return problems
