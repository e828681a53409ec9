"""What is posted: only what is known. A name that is misspelt would otherwise be a wish that nobody heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request


def refuse_unknown(data: Any, known: Mapping[str, Any]) -> None:
    """Raises `ValidationError` with the names that no field has."""
    if isinstance(data, Mapping) and (unknown := [name for name in data if name not in known]):
        raise ValidationError(dict.fromkeys(sorted(map(str, unknown)), "There is no such field."))


class Body(serializers.Serializer[Any]):
    """Of a request."""

    @classmethod
    def of(cls, request: Request) -> dict[str, Any]:
        """What is posted, checked. Raises `ValidationError`."""
        body = cls(data=request.data)
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)

    def to_internal_value(self, data: Any) -> Any:
        refuse_unknown(data, self.fields)
        return super().to_internal_value(data)
