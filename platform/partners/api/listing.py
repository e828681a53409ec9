"""Lists: what may be asked of them, and pages by key, which cost the same wherever they are."""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Q, QuerySet
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

MOST, USUAL = 100, 25
_LARGEST = 2**63 - 1
_EPOCH, _MICRO = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC), datetime.timedelta(microseconds=1)
_CURSOR = re.compile(r"([0-9]{1,18})?k([0-9]{1,19})", re.ASCII)


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


def chosen_fields(asked_for: str, known: Sequence[str]) -> list[str]:
    """Raises `ValidationError` for a name that is no field."""
    wanted = [name.strip() for name in asked_for.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in known]:
        raise exceptions.ValidationError({"fields": f"No such field: {', '.join(unknown)[:100]}."})
    return wanted


def page(
    rows: QuerySet[Any],
    wanted: dict[str, Any],
    request: Request,
    shape: Callable[[Sequence[Any]], list[dict[str, Any]]],
    *,
    by: str = "",
) -> dict[str, Any]:
    """One page of `rows`, newest first: by the moment in their column `by`, or as they were made. No COUNT.

    `shape` makes JSON of them all at once.
    """
    limit = wanted["limit"]
    if wanted.get("cursor"):
        moment, pk = _read(wanted["cursor"], dated=bool(by))
        rows = rows.filter(Q(**{f"{by}__lt": moment}) | Q(**{by: moment, "pk__lt": pk}) if by else Q(pk__lt=pk))
    found = list(rows.order_by(*([f"-{by}"] if by else []), "-pk")[: limit + 1])
    results = shape(found[:limit])
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        query = request.query_params.dict() | {"cursor": _written(last.pk, getattr(last, by) if by else None)}
        following = f"{settings.PUBLIC_URL.rstrip('/')}{request.path}?{urlencode(query)}"
    return {"results": results, "next": following}


def answer(data: dict[str, Any], response: Response) -> Response:
    """With the next page as a link (RFC 8288) too."""
    if data["next"]:
        response.headers["Link"] = f'<{data["next"]}>; rel="next"'
    return response


def _written(pk: int, moment: datetime.datetime | None) -> str:
    micros = (moment - _EPOCH) // _MICRO if moment else ""
    return base64.urlsafe_b64encode(f"{micros}k{pk}".encode()).decode().rstrip("=")


def _read(cursor: str, *, dated: bool) -> tuple[datetime.datetime | None, int]:
    """Raises `ValidationError` for what `_written` has not made."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        found = _CURSOR.fullmatch(text)
        if found is None or bool(found[1]) != dated or int(found[2]) > _LARGEST:
            raise ValueError(cursor)
        return (_EPOCH + int(found[1]) * _MICRO if found[1] else None), int(found[2])
    except (binascii.Error, ValueError, OverflowError) as error:
        wrong = "This is no cursor of ours. Use `next` as it was given."
        raise exceptions.ValidationError({"cursor": wrong}) from error
