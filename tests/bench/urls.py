from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpResponse
from django.urls import path
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.views import APIView

from config.urls import urlpatterns as production


class Empty(APIView):
    """Parses the same form and answers the same document; no signature, no database."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (FormParser,)

    def post(self, request: Request) -> HttpResponse:
        form = request.data
        if not (isinstance(form, Mapping) and form["MessageUUID"]):
            return HttpResponse(status=400)
        return HttpResponse(b"<Response/>", content_type="application/xml")


urlpatterns = [*production, path("bench/empty/", Empty.as_view())]
