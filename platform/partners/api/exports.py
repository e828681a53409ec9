"""Exports of conversations, made while nobody waits for them."""

from __future__ import annotations

import datetime
import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.http import Http404, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from partners import exporting
from partners.models import ExportJob, Scope

from . import listing, problems, shapes
from .bodies import Body
from .hotlines import Nothing
from .numbers import IDEMPOTENCY_KEY, number_of
from .views import KeyedView

#: The longest span of one export, and how many of one key may wait.
_LONGEST, _MOST_WAITING, _MOST_A_DAY = datetime.timedelta(days=400), 5, 50
_DAY = datetime.timedelta(days=1)


class NewExport(Body):
    number = serializers.UUIDField()
    since = serializers.DateTimeField(help_text="Of their last message.")
    until = serializers.DateTimeField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["since"] >= attrs["until"]:
            raise ValidationError({"until": "It is not after `since`."})
        if attrs["until"] - attrs["since"] > _LONGEST:
            raise ValidationError({"until": f"At most {_LONGEST.days} days."})
        return attrs


def told(job: ExportJob) -> dict[str, Any]:
    done = job.state == ExportJob.State.DONE
    file = reverse("api:export-file", args=(job.uuid,)) if done else None
    return {
        "id": str(job.uuid),
        "number": str(job.hotline.uuid),
        "since": job.since,
        "until": job.until,
        "state": job.state,
        "rows": job.rows,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "expires_at": job.expires_at,
        "file": settings.PUBLIC_URL + file if file else None,
    }


class ExportList(KeyedView):
    scopes: ClassVar = {"POST": Scope.EXPORTS, "GET": Scope.EXPORTS}

    @extend_schema(
        operation_id="list_exports",
        tags=["Exports"],
        parameters=[listing.ListQuery],
        responses={200: shapes.listed(shapes.ExportShape, "Exports"), 400: shapes.Problem},
    )
    def get(self, request: Request) -> Response:
        """Those that this key asked for."""
        wanted = listing.asked(request, listing.ListQuery)
        rows = ExportJob.objects.filter(key=self.key).select_related("hotline").defer("content")
        return self.listed(wanted, shapes.ExportShape, rows, "created_at", lambda found: [told(job) for job in found])

    @extend_schema(
        operation_id="begin_export",
        tags=["Exports"],
        parameters=[IDEMPOTENCY_KEY],
        request=NewExport,
        responses={202: shapes.ExportShape, **dict.fromkeys((400, 404, 409, 415, 422), shapes.Problem)},
    )
    def post(self, request: Request) -> Response:
        """Ask for the conversations of a number, masked. Its address says when it is done."""
        wanted = NewExport.of(request)
        hotline = number_of(self.key, wanted["number"])
        answer = self.once(lambda: self._begin(hotline, wanted))
        answer.headers["Location"] = reverse("api:export", args=(answer.data["id"],)) if answer.data else ""
        return answer

    def _begin(self, hotline: Any, wanted: dict[str, Any]) -> tuple[int, Any]:
        mine = ExportJob.objects.filter(key=self.key)
        waiting = mine.filter(state=ExportJob.State.WAITING).count()
        if waiting >= _MOST_WAITING:
            raise problems.Conflict(f"{waiting} exports of this key wait. Ask again when one of them is done.")
        if mine.filter(created_at__gt=timezone.now() - _DAY).count() >= _MOST_A_DAY:
            raise problems.Conflict(f"This key has asked for {_MOST_A_DAY} exports in a day.")
        job = ExportJob.objects.create(
            organization_id=self.key.organization_id,
            key=self.key,
            hotline=hotline,
            since=wanted["since"],
            until=wanted["until"],
        )
        return 202, told(job)


class _OfOne(KeyedView):
    scopes: ClassVar = {"GET": Scope.EXPORTS}
    with_file = False

    def job(self, export: uuid.UUID) -> ExportJob:
        rows = ExportJob.objects.filter(key=self.key).select_related("hotline", "key")
        return get_object_or_404(rows if self.with_file else rows.defer("content"), uuid=export)


class ExportDetail(_OfOne):
    @extend_schema(
        operation_id="read_export", tags=["Exports"], responses={200: shapes.ExportShape, 404: shapes.Problem}
    )
    def get(self, request: Request, export: uuid.UUID) -> Response:
        """How far it is."""
        listing.asked(request, Nothing)
        return self.told(told(self.job(export)))


class ExportFile(_OfOne):
    with_file = True

    @extend_schema(
        operation_id="read_export_file",
        tags=["Exports"],
        responses={(200, "application/gzip"): OpenApiTypes.BINARY, 404: shapes.Problem},
    )
    def get(self, request: Request, export: uuid.UUID) -> Any:
        """The file, for a day after it was done."""
        listing.asked(request, Nothing)
        job = self.job(export)
        if job.content is None:
            raise Http404
        answer = StreamingHttpResponse(exporting.file_of(job), content_type="application/gzip")
        answer.headers["Content-Disposition"] = f'attachment; filename="{job.uuid}.jsonl.gz"'
        return answer
