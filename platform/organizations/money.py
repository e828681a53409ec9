"""Money as it is counted: whole millionths of the platform's currency, because sums of them are exact everywhere.

SQLite has no decimal numbers, and a cap that is passed by a rounding error is a cap that is passed.
"""

from __future__ import annotations

import decimal
from typing import Any

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.formats import number_format

MICROS = 1_000_000


def micros(amount: decimal.Decimal) -> int:
    """`amount` of currency units in millionths; what is less than one counts as one, in the budget's favour."""
    return int((amount * MICROS).to_integral_value(rounding=decimal.ROUND_CEILING))


def amount(micros: int) -> decimal.Decimal:
    """Millionths as currency units."""
    return decimal.Decimal(micros) / MICROS


def spoken(micros: int) -> str:
    """An amount as the reader writes it, to the hundredth, with the currency's code: "1 234,50 EUR"."""
    rounded = amount(micros).quantize(decimal.Decimal("0.01"), rounding=decimal.ROUND_HALF_UP)
    return f"{number_format(rounded, decimal_pos=2, force_grouping=True)}\N{NO-BREAK SPACE}{settings.CURRENCY}"


def budget(name: Any, help_text: Any = "", default: Any = models.NOT_PROVIDED) -> models.DecimalField[Any, Any]:
    """The column of a budget, in currency units; empty where nobody has said what may be spent."""
    return _amount(name, help_text, 10, 2, default)


def price(name: Any, help_text: Any = "") -> models.DecimalField[Any, Any]:
    """The column of a price, in currency units; empty where it is not known or not asked for."""
    return _amount(name, help_text, 9, 5)


def _amount(
    name: Any, help_text: Any, digits: int, decimals: int, default: Any = models.NOT_PROVIDED
) -> models.DecimalField[Any, Any]:
    return models.DecimalField(
        name,
        max_digits=digits,
        decimal_places=decimals,
        null=True,
        blank=True,
        default=default,
        validators=[MinValueValidator(0)],
        help_text=help_text,
    )


def not_negative(*columns: str) -> models.Q:
    """That none of these amounts is below zero, for a constraint."""
    condition = models.Q()
    for column in columns:
        condition &= models.Q(**{f"{column}__isnull": True}) | models.Q(**{f"{column}__gte": 0})
    return condition
