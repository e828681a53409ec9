"""What is posted: only what is known. A name that is misspelt would otherwise be a wish that nobody heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError


def refuse_unknown(data: Any, known: Mapping[str, Any]) -> None:
    """Raises `ValidationError` with the names that no field has."""
    if isinstance(data, Mapping) and (unknown := [name for name in data if name not in known]):
        raise ValidationError(dict.fromkeys(sorted(map(str, unknown)), "There is no such field."))


class Body(serializers.Serializer[Any]):
    """Of a request."""

    def to_internal_value(self, data: Any) -> Any:
        refuse_unknown(data, self.fields)
        return super().to_internal_value(data)
