"""An organization's texts. What comes by a key is a draft until a person has approved it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from hotlines.models import Hotline
from partners.models import ApiKey, Scope
from replies import segments, versions
from replies.models import SENT, Arm, Purpose, ReplyTemplate, TextVersion

from . import listing, problems, sandbox, shapes
from .bodies import Body
from .hotlines import Nothing
from .numbers import IDEMPOTENCY_KEY, IF_MATCH, number_of
from .views import KeyedView

_LONGEST = 2000


class TemplatesQuery(listing.ListQuery):
    number = serializers.UUIDField(required=False)
    language = serializers.CharField(required=False, max_length=12)
    purpose = serializers.ChoiceField(choices=Purpose.choices, required=False)


class Draft(Body):
    text = serializers.CharField(max_length=_LONGEST)


class NewTemplate(Draft):
    number = serializers.UUIDField()
    purpose = serializers.ChoiceField(choices=Purpose.choices)
    step = serializers.IntegerField(min_value=1, max_value=20, default=1)
    language = serializers.CharField(max_length=12)


def _rows(key: ApiKey) -> Any:
    return ReplyTemplate.objects.filter(organization=key.organization_id).select_related("hotline")


def told(rows: Sequence[ReplyTemplate]) -> list[dict[str, Any]]:
    """With what waits; one statement more, however many there are."""
    waiting = dict(
        TextVersion.objects.filter(template__in=[row.pk for row in rows], state=TextVersion.State.WAITS).values_list(
            "template", "text"
        )
    )
    return [
        {
            "id": row.pk,
            "number": str(row.hotline.uuid) if row.hotline else None,
            "purpose": row.purpose,
            "step": row.step,
            "language": row.language,
            "version": row.arm,
            "text": row.text if row.approved else None,
            "draft": waiting.get(row.pk),
            "segments": segments.count(row.text).segments if row.purpose in SENT else None,
            "updated_at": row.updated_at,
        }
        for row in rows
    ]


class TemplateList(KeyedView):
    scopes: ClassVar = {"GET": Scope.TEMPLATES, "POST": Scope.WRITE_TEMPLATES}

    @extend_schema(
        operation_id="list_templates",
        tags=["Templates"],
        parameters=[TemplatesQuery],
        responses={200: shapes.listed(shapes.TemplateShape, "Templates"), 400: shapes.Problem},
    )
    def get(self, request: Request) -> Response:
        """All texts, those of numbers and the organization's defaults."""
        wanted = listing.asked(request, TemplatesQuery)
        if self.key.sandbox:
            return self.made_up(wanted, shapes.TemplateShape, sandbox.templates(wanted))
        rows = listing.filtered(_rows(self.key), wanted, number="hotline__uuid", language="language", purpose="purpose")
        return self.listed(wanted, shapes.TemplateShape, rows, "created_at", told)

    @extend_schema(
        operation_id="propose_new_template",
        tags=["Templates"],
        parameters=[IDEMPOTENCY_KEY],
        request=NewTemplate,
        responses={201: shapes.TemplateShape, **dict.fromkeys((400, 404, 409, 415, 422), shapes.Problem)},
    )
    def post(self, request: Request) -> Response:
        """Propose a text for a place that has none. Nobody is answered with it before a person has approved it."""
        wanted = NewTemplate.of(request)
        hotline = number_of(self.key, wanted["number"])
        return self.once(lambda: self._propose(hotline, wanted))

    def _propose(self, hotline: Hotline, wanted: dict[str, Any]) -> tuple[int, Any]:
        place = {name: wanted[name] for name in ("language", "purpose", "step")}
        if wanted["language"] not in hotline.languages:
            raise ValidationError({"language": "The number does not answer in this language."})
        if ReplyTemplate.objects.filter(hotline=hotline, arm=Arm.A, **place).exists():
            raise problems.Conflict("There is a text in this place. Change that one.")
        row = versions.new(hotline, **place)
        versions.write(row, wanted["text"], self.key.created_by, source=self.source)
        return 201, told([row])[0]


class TemplateDetail(KeyedView):
    scopes: ClassVar = {"GET": Scope.TEMPLATES, "PATCH": Scope.WRITE_TEMPLATES}

    def _row(self, template: int) -> ReplyTemplate:
        row: ReplyTemplate = get_object_or_404(_rows(self.key), pk=template)
        return row

    @extend_schema(
        operation_id="read_template", tags=["Templates"], responses={200: shapes.TemplateShape, 404: shapes.Problem}
    )
    def get(self, request: Request, template: int) -> Response:
        """One text, and the draft that waits."""
        listing.asked(request, Nothing)
        return self.told(sandbox.template(template) if self.key.sandbox else told([self._row(template)])[0])

    @extend_schema(
        operation_id="propose_template",
        tags=["Templates"],
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
        request=Draft,
        responses={
            200: shapes.TemplateShape,
            **dict.fromkeys((400, 404, 412, 415, 422, 428), shapes.Problem),
        },
    )
    def patch(self, request: Request, template: int) -> Response:
        """Propose another text. What is sent stays as it is until a person has approved the draft."""
        self._row(template)
        text = Draft.of(request)["text"]
        return self.once(lambda: self._change(template, text))

    def _change(self, template: int, text: str) -> tuple[int, Any]:
        row = _rows(self.key).select_for_update(of=("self",)).get(pk=template)
        self.expect(told([row])[0])
        versions.write(row, text, self.key.created_by, source=self.source)
        return 200, told([self._row(template)])[0]
