"""The API's own description: OpenAPI 3.1, and a page to read and try it, which loads nothing from elsewhere."""

from __future__ import annotations

from typing import Any, ClassVar

from csp.decorators import csp_update
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


@extend_schema(exclude=True)
class Schema(SpectacularAPIView):
    """Read by programs, from any website."""

    authentication_classes = ()
    permission_classes = ()
    #: By format, made once in a process: it takes a tenth of a second, and anybody may ask.
    _made: ClassVar[dict[str, bytes]] = {}

    def get(self, request: Any, *_arguments: Any, **_named: Any) -> HttpResponse:
        renderer = request.accepted_renderer
        if renderer.format not in self._made:
            schema = self.generator_class().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
            self._made[renderer.format] = renderer.render(schema, renderer_context={})
        return HttpResponse(self._made[renderer.format], content_type=f"{renderer.media_type}; charset=utf-8")

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(*args, **kwargs)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        answer.headers["Cache-Control"] = "public, max-age=300"
        return answer


# Its page has a style of its own in it; nothing that anybody writes is shown there.
@method_decorator(csp_update({"style-src": ["'unsafe-inline'"]}), name="dispatch")
@extend_schema(exclude=True)
class Docs(SpectacularSwaggerSplitView):
    """The browsable page: its script in a file of its own, as the policy for scripts asks."""

    authentication_classes = ()
    permission_classes = ()


def only_ours(endpoints: list[Any]) -> list[Any]:
    """Webhooks are for providers, who have their own descriptions."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/")]


#: What any request with a key may be answered.
_ALWAYS = {
    "400": "What was asked is not understood.",
    "401": "No valid key.",
    "403": "The key may not do that.",
    "404": "Nothing that this key may see.",
    "406": "Only JSON is told.",
    "429": "Too many requests; `Retry-After` says when to ask again.",
    "503": "The database does not answer; `Retry-After` says when to ask again.",
}
_HEADERS = {
    "ETag": "The version of what is told, for `If-None-Match` and `If-Match`.",
    "RateLimit": "What is left for this key, and for how many seconds.",
    "RateLimit-Policy": "What is allowed.",
    "API-Version": "Of this API.",
}


def with_problems(result: dict[str, Any], **_named: Any) -> dict[str, Any]:
    """Every refusal has the shape of RFC 9457, under its own media type; and what answers say in their headers."""
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in result["paths"].values():
        for operation in path.values():
            responses, keyed = operation["responses"], bool(operation.get("security"))
            for status, told in _ALWAYS.items():
                if keyed or status in {"400", "404", "406", "503"}:
                    responses.setdefault(status, {"description": told})
            for status, response in responses.items():
                if status >= "400":
                    response["content"] = problem
                    response["description"] = response.get("description") or _ALWAYS.get(status, "Refused.")
                elif status != "304":
                    names = _HEADERS if keyed else {"ETag": _HEADERS["ETag"]}
                    response["headers"] = {
                        name: {"description": told, "schema": {"type": "string"}} for name, told in names.items()
                    }
            operation["responses"] = dict(sorted(responses.items()))
    return result
