"""What goes wrong, as Problem Details (RFC 9457): one shape, whoever refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpResponse, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response

CONTENT_TYPE = "application/problem+json"
#: By status: a short name, which programs compare, and a title that never changes.
_KINDS = {
    400: ("invalid", "The request is not valid."),
    401: ("unauthenticated", "A valid key is needed."),
    403: ("forbidden", "This key may not do that."),
    404: ("not-found", "There is nothing here."),
    405: ("method-not-allowed", "This address does not know that method."),
    406: ("not-acceptable", "This API speaks JSON."),
    409: ("conflict", "The request contradicts what is there."),
    412: ("precondition-failed", "It was changed meanwhile."),
    411: ("length-required", "Say how long the request is."),
    413: ("too-large", "The request is too large."),
    415: ("unsupported-media-type", "Send JSON."),
    422: ("key-reused", "This Idempotency-Key was used for another request."),
    428: ("precondition-required", "Say which version you change."),
    429: ("too-many", "Too many requests."),
    500: ("fault", "A fault of ours."),
    503: ("unavailable", "The database does not answer."),
}


#: Bytes of a request; more is no text and no policy.
LONGEST_BODY = 64 * 1024


class Unmeasured(exceptions.APIException):
    status_code = 411
    default_detail = "Send Content-Length, and not in chunks."


class TooLarge(exceptions.APIException):
    status_code = 413
    default_detail = f"At most {LONGEST_BODY // 1024} KiB."


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT


class PreconditionFailed(exceptions.APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "The ETag in If-Match is not the current one. Read it again, and decide anew."


class PreconditionRequired(exceptions.APIException):
    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_detail = "Send If-Match with the ETag of what you read, so that nobody else's change is lost."


class KeyReused(exceptions.APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "Use a new Idempotency-Key for each request, and the same one only to repeat it."


def body(code: int, detail: str = "", errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    name, title = _KINDS.get(code, ("refused", "The request was refused."))
    told: dict[str, Any] = {"type": f"urn:paravent:problem:{name}", "title": title, "status": code}
    if detail:
        told["detail"] = detail
    if errors:
        told["errors"] = errors
    return told


def response(code: int, detail: str = "") -> HttpResponse:
    """For what never reaches a view of the API."""
    return JsonResponse(body(code, detail), status=code, content_type=CONTENT_TYPE)


def handler(error: Exception, _context: Mapping[str, Any]) -> Response | None:
    """The framework's `EXCEPTION_HANDLER` for views of the API. None for faults of ours, which go on as they are."""
    if isinstance(error, Http404):
        error = exceptions.NotFound("There is nothing under this address that this key may see.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, DjangoValidationError):
        error = exceptions.ValidationError(error.message_dict if hasattr(error, "error_dict") else {"": error.messages})
    if not isinstance(error, exceptions.APIException):
        return None
    errors = list(_pointers(error.detail)) if isinstance(error, exceptions.ValidationError) else []
    detail = "" if errors else str(error.detail)
    answer = Response(body(error.status_code, detail, errors), status=error.status_code, content_type=CONTENT_TYPE)
    if (header := getattr(error, "auth_header", None)) is not None:
        answer.headers["WWW-Authenticate"] = header
    if (wait := getattr(error, "wait", None)) is not None:
        answer.headers["Retry-After"] = str(max(1, int(wait)))
    return answer


def _pointers(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Each error with where it is, as a JSON Pointer (RFC 6901)."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            own = (
                ""
                if name in {"", "non_field_errors", "__all__"}
                else "/" + str(name).replace("~", "~0").replace("/", "~1")
            )
            yield from _pointers(inner, path + own)
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            yield from _pointers(inner, path if isinstance(inner, str) else f"{path}/{place}")
    else:
        yield {"pointer": _writable(path), "detail": _writable(str(detail))}


def _writable(text: str) -> str:
    """A name that is no Unicode is told as it was escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
