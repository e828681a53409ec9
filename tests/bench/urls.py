from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from rest_framework.parsers import FormParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.urls import urlpatterns as production


class XML(BaseRenderer):
    media_type = "application/xml"
    format = "xml"
    charset = "utf-8"

    def render(self, data: Any, *_context: Any) -> bytes:
        return f"<{data}/>".encode()


class Empty(APIView):
    """What anybody writes with the framework: it parses the same form and renders the same document."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (FormParser,)
    renderer_classes = (XML,)

    def post(self, request: Request) -> HttpResponseBase:
        form = request.data
        if not (isinstance(form, Mapping) and form["MessageUUID"]):
            return HttpResponse(status=400)
        return self.answer()

    def answer(self) -> HttpResponseBase:
        return Response("Response")


class Bare(Empty):
    """The same without the framework's own way of answering: bytes, as our webhook answers."""

    def answer(self) -> HttpResponseBase:
        return HttpResponse(b"<Response/>", content_type="application/xml")


class EmptyRead(APIView):
    """What anybody writes with the framework for an address that is read."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = (JSONRenderer,)

    def get(self, _request: Request) -> Response:
        return Response({"number": None})


urlpatterns = [*production, path("bench/empty/", Empty.as_view()), path("bench/bare/", Bare.as_view())]
urlpatterns += [path("bench/read/", EmptyRead.as_view())]
