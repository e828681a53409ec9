"""Lists: what may be asked of them, and their pages, which are those of `organizations.keyset`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import QuerySet
from rest_framework import exceptions, serializers
from rest_framework.request import Request

from organizations import keyset

MOST, USUAL = 100, 25


class ListQuery(serializers.Serializer[Any]):
    """What every list takes."""

    cursor = serializers.CharField(required=False, max_length=40, help_text="From `next` of the page before.")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST, default=USUAL)
    fields = serializers.CharField(  # type: ignore[assignment]
        required=False, max_length=400, help_text="Names of fields, separated by commas; all where it is missing."
    )


def asked(request: Request, query: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """What is asked, checked. Raises `ValidationError` for what is not understood, which is told rather than ignored:
    a filter that is misspelt would return what nobody asked for.
    """
    form = query(data=request.query_params.dict())
    unknown = set(request.query_params) - set(form.get_fields())
    if unknown:
        raise exceptions.ValidationError(dict.fromkeys(sorted(unknown), "Nothing of that name can be asked here."))
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def chosen_fields(wanted: Mapping[str, Any], shape: type[serializers.BaseSerializer[Any]]) -> list[str]:
    """Raises `ValidationError` for a name that is no field."""
    known = shape().fields  # type: ignore[attr-defined]
    names = [name.strip() for name in wanted.get("fields", "").split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        raise exceptions.ValidationError({"fields": f"No such field: {', '.join(unknown)[:100]}."})
    return names


def filtered(rows: QuerySet[Any], wanted: Mapping[str, Any], **lookups: str) -> QuerySet[Any]:
    """`rows` by those of the named filters that are asked for."""
    return rows.filter(**{lookup: wanted[name] for name, lookup in lookups.items() if wanted.get(name) is not None})


def fits(row: Mapping[str, Any], wanted: Mapping[str, Any], *names: str) -> bool:
    """The same of a row that is told already."""
    return all(wanted.get(name) is None or str(row[name]) == str(wanted[name]) for name in names)


def page(
    rows: QuerySet[Any],
    column: str,
    wanted: Mapping[str, Any],
    request: Request,
    tell: Callable[[Sequence[Any]], list[dict[str, Any]]],
) -> dict[str, Any]:
    """One page of `rows`, newest first by the moment in `column`. `tell` makes JSON of them all at once."""
    found = keyset.page(rows, column, _place(wanted.get("cursor")), wanted["limit"])
    following = None
    if found.older is not None:
        query = request.query_params.dict() | {"cursor": str(found.older)}
        following = f"{settings.PUBLIC_URL}{request.path}?{urlencode(query)}"
    return {"results": tell(found.rows), "next": following}


def _place(cursor: str | None) -> keyset.Place | None:
    place = keyset.Place.read(cursor) if cursor else None
    if cursor and (place is None or not place.older):
        raise exceptions.ValidationError({"cursor": "This is no cursor of ours. Use `next` as it was given."})
    return place
