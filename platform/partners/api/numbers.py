"""An organization's own numbers, and how they answer."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.admin.models import CHANGE, LogEntry
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from hotlines import readiness
from hotlines.models import Hotline
from partners.models import ApiKey, Scope, keys

from . import listing, sandbox, shapes
from .bodies import refuse_unknown
from .hotlines import Nothing
from .views import KeyedView

IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, required=True, description="The ETag of what you read."
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The same for a request that is sent again, so that it happens once. At most 64 characters.",
)


def numbers_of(key: ApiKey) -> Any:
    return Hotline.objects.filter(organization=key.organization_id).select_related("successor", "organization")


def number_of(key: ApiKey, number: uuid.UUID) -> Hotline:
    """Raises `Http404` for what is not there and for what is another's, alike."""
    row: Hotline = get_object_or_404(numbers_of(key), uuid=number)
    return row


def _told(row: Hotline) -> dict[str, Any]:
    return {
        "id": str(row.uuid),
        "name": row.name,
        "number": row.number,
        "kind": row.kind,
        "state": row.state,
        "successor": str(row.successor.uuid) if row.successor else None,
        "languages": row.languages,
        "default_language": row.default_language,
        "countries": row.countries,
    }


class NumbersQuery(listing.ListQuery):
    state = serializers.ChoiceField(choices=Hotline.State.choices, required=False)
    kind = serializers.CharField(required=False, max_length=40)


class NumberList(KeyedView):
    scopes: ClassVar = {"GET": Scope.POLICIES}

    @extend_schema(
        operation_id="list_numbers",
        tags=["Numbers"],
        parameters=[NumbersQuery],
        responses={200: shapes.listed(shapes.NumberShape, "Numbers"), 400: shapes.Problem},
    )
    def get(self, request: Request) -> Response:
        """All numbers of the organization, whatever their state."""
        wanted = listing.asked(request, NumbersQuery)
        if self.key.sandbox:
            return self.made_up(wanted, shapes.NumberShape, sandbox.numbers(wanted))
        rows = listing.filtered(numbers_of(self.key), wanted, state="state", kind="kind")
        return self.listed(wanted, shapes.NumberShape, rows, "created_at", lambda found: [_told(row) for row in found])


class NumberDetail(KeyedView):
    scopes: ClassVar = {"GET": Scope.POLICIES}

    @extend_schema(
        operation_id="read_number", tags=["Numbers"], responses={200: shapes.NumberShape, 404: shapes.Problem}
    )
    def get(self, request: Request, number: uuid.UUID) -> Response:
        """One of them."""
        listing.asked(request, Nothing)
        return self.told(sandbox.number(number) if self.key.sandbox else _told(number_of(self.key, number)))


class Policy(KeyedView):
    scopes: ClassVar = {"GET": Scope.POLICIES, "PATCH": Scope.WRITE_POLICIES}

    @extend_schema(
        operation_id="read_policy", tags=["Numbers"], responses={200: shapes.PolicyShape, 404: shapes.Problem}
    )
    def get(self, request: Request, number: uuid.UUID) -> Response:
        """How often, after what time, in which languages and to which countries a number answers."""
        listing.asked(request, Nothing)
        if self.key.sandbox:
            return self.told(sandbox.policy(number))
        return self.told(dict(shapes.PolicyShape(number_of(self.key, number)).data))

    @extend_schema(
        operation_id="change_policy",
        tags=["Numbers"],
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
        request=shapes.PolicyShape(partial=True),
        responses={
            200: shapes.PolicyShape,
            **dict.fromkeys((400, 404, 412, 415, 422, 428), shapes.Problem),
        },
    )
    def patch(self, request: Request, number: uuid.UUID) -> Response:
        """Change some of it. What is not named stays."""
        number_of(self.key, number)
        changes: dict[str, Any] = {}
        return self.once(lambda: self._change(request, number, changes), changes=changes)

    def _change(self, request: Request, number: uuid.UUID, changes: dict[str, Any]) -> tuple[int, Any]:
        row = numbers_of(self.key).select_for_update(of=("self",)).get(uuid=number)
        before = dict(shapes.PolicyShape(row).data)
        self.expect(before)
        form = shapes.PolicyShape(row, data=request.data, partial=True)
        refuse_unknown(request.data, form.fields)
        form.is_valid(raise_exception=True)
        for name, value in form.validated_data.items():
            setattr(row, name, value)
        row.clean()
        if row.state == Hotline.State.ACTIVE and (problems := readiness.missing(row)):
            raise ValidationError({"default_language": [str(problem) for problem in problems]})
        if form.validated_data:
            row.save(update_fields=list(form.validated_data))
        after = dict(shapes.PolicyShape(row).data)
        changes.update({name: [before[name], value] for name, value in after.items() if value != before[name]})
        self.on_trail(row, changes)
        return 200, after

    def on_trail(self, row: Hotline, changes: dict[str, Any]) -> None:
        """In the number's history and the organization's trail, under who made the key and so answers for it."""
        if changes and self.key.created_by is not None:
            told = keys.changes_told(changes)
            LogEntry.objects.log_actions(
                self.key.created_by.pk, [row], CHANGE, f"{self.source}: {told}"[:2000], single_object=True
            )
