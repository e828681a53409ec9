"""Which number to show now: for everybody, without a key, and cheap however many ask."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request

from pages import board
from pages.anonymous import forget_reader

from . import shapes
from .views import OpenView, among

#: The same for everybody, so that any page may show it and any cache may keep it.
_HEADERS = {"Cache-Control": board.CACHE_CONTROL, "Access-Control-Allow-Origin": "*"}


class CurrentView(OpenView):
    """The number to give away now."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """What is well and asked for by GET is answered before the framework begins; it says what is wrong with the
        rest.
        """
        whole = super().as_view(**initkwargs)

        def view(request: HttpRequest, slug: str) -> Any:
            forget_reader(request)
            language = request.GET.get("language", settings.LANGUAGE_CODE)
            if request.method in {"GET", "HEAD"} and language in shapes.LANGUAGES:
                answer = board.current(slug, language)
                if answer is not None:
                    return _told(request, answer, language)
            return whole(request, slug=slug)

        view.cls, view.csrf_exempt, view.initkwargs = whole.cls, True, initkwargs  # type: ignore[attr-defined]
        return view

    @extend_schema(
        operation_id="current",
        auth=[],
        tags=["Public"],
        parameters=[
            OpenApiParameter("language", OpenApiTypes.STR, enum=shapes.LANGUAGES, description="Of its words."),
            OpenApiParameter(
                "If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The ETag that you have."
            ),
        ],
        responses={200: shapes.Current, 304: OpenApiResponse(description="You have it."), 404: shapes.Problem},
    )
    def get(self, request: Request, slug: str) -> Any:
        """Which number to show now.

        For everybody, without a key. It follows successors and the turns of a campaign. Ask again after
        `refresh_after` seconds, with `If-None-Match`; where Paravent does not answer, go on showing what you have.
        """
        language = request.query_params.get("language", settings.LANGUAGE_CODE)
        if language not in shapes.LANGUAGES:
            raise ValidationError({"language": f"One of: {', '.join(shapes.LANGUAGES)}."})
        raise NotFound("No page is published under this address.")

    def options(self, request: Any, *_arguments: Any, **_named: Any) -> Any:
        return HttpResponse(
            status=204,
            headers={
                "Allow": "GET, HEAD, OPTIONS",
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Allow-Methods": "GET, HEAD",
                "Access-Control-Allow-Headers": "If-None-Match",
                "Access-Control-Max-Age": "86400",
            },
        )

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        # A page may be published a minute after somebody asked for it.
        answer.headers["Cache-Control"] = "no-store"
        return answer


def _told(request: HttpRequest, answer: board.Answer, language: str) -> HttpResponse:
    if among(answer.etag, request.headers.get("If-None-Match", "")):
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = HttpResponse(answer.body, content_type="application/json")
    response.headers["ETag"], response.headers["Content-Language"] = answer.etag, language
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return response
