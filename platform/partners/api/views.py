"""What all views of the API share: keys, limits, problems, versions of what is read, changes that happen once."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.http import http_date, parse_etags
from rest_framework import exceptions
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from pages import kept
from partners.models import ApiKey, ApiWrite

from . import limits, listing, problems
from .authentication import KeyAuthentication
from .limits import KeyThrottle

VERSION = "1"
_WRITES = frozenset({"POST", "PATCH", "DELETE"})
_LONGEST_KEY = 64
_PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match",
    "Access-Control-Max-Age": "600",
}


def _ours() -> str:
    """This platform's own pages, where the API can be tried."""
    parts = urlsplit(settings.PUBLIC_URL)
    return f"{parts.scheme}://{parts.netloc}"


class Parser(JSONParser):
    """JSON of people, not of those who nest brackets until a parser gives up."""

    def parse(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super().parse(*arguments, **named)
        except RecursionError as error:
            raise exceptions.ParseError("It is nested too deeply.") from error


class Asked(BasePermission):
    """The key has the scope that the view names for this method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        scope = view.scope_of(request.method)
        key: Any = request.auth
        if key is None:
            raise exceptions.NotAuthenticated
        if scope is not None and not key.may(scope):
            raise exceptions.PermissionDenied(f"It lacks the scope {scope}.")
        return True


class OpenView(APIView):
    """Without a key."""

    authentication_classes: Any = ()
    permission_classes: Any = ()
    throttle_classes: Any = ()
    parser_classes = (Parser,)
    renderer_classes = (JSONRenderer,)
    #: Since when it should not be used (RFC 9745), until when it is there (RFC 8594), and what to read about it.
    deprecated_at: ClassVar[datetime.datetime | None] = None
    sunset_at: ClassVar[datetime.datetime | None] = None
    successor: ClassVar[str] = ""

    def get_exception_handler(self) -> Any:
        return problems.handler

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers["API-Version"] = VERSION
        if self.deprecated_at is not None:
            answer.headers["Deprecation"] = f"@{int(self.deprecated_at.timestamp())}"
        if self.sunset_at is not None:
            answer.headers["Sunset"] = http_date(self.sunset_at.timestamp())
        if self.successor:
            answer.headers["Link"] = f'<{self.successor}>; rel="successor-version"'
        return answer


class KeyedView(OpenView):
    """With a key, for what its scopes allow, and of its organization alone."""

    authentication_classes = (KeyAuthentication,)
    permission_classes = (Asked,)
    throttle_classes = (KeyThrottle,)
    #: By method; None where any key may.
    scopes: ClassVar[Mapping[str, str]] = {}
    usage: Any = None

    def scope_of(self, method: str | None) -> str | None:
        return self.scopes.get("GET" if method == "HEAD" else method or "")

    @property
    def key(self) -> ApiKey:
        key: Any = self.request.auth
        return cast("ApiKey", key)

    @property
    def source(self) -> str:
        """How people read that it was this key."""
        return f"API: {self.key.label}"

    def check_permissions(self, request: Request) -> None:
        """What a key may not do is counted too."""
        super().check_throttles(request)
        super().check_permissions(request)

    def check_throttles(self, request: Request) -> None:
        """Done before it was asked what the key may."""

    # --- where a browser asks ---------------------------------------------------------------------------------------
    def options(self, request: Any, *_arguments: Any, **_named: Any) -> Response:
        """Never reached by browsers' questions, which `dispatch` answers without a key."""
        return Response(status=204, headers={"Allow": ", ".join(self.allowed_methods)})

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """A browser's question before its request (a preflight) bears no key. It is answered alike for every website:
        whether a key is for one is asked when it comes.
        """
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            methods = {"Access-Control-Allow-Methods": ", ".join(self.allowed_methods)}
            return HttpResponse(status=204, headers={**_PREFLIGHT, **methods})
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        length = request.META.get("CONTENT_LENGTH") or ""
        if not length and request.headers.get("Transfer-Encoding"):
            raise problems.Unmeasured
        if int(length or 0) > problems.LONGEST_BODY:
            raise problems.TooLarge
        super().initial(request, *args, **kwargs)
        origin = request.headers.get("Origin")
        if origin and origin not in {*self.key.origins, _ours()}:
            raise exceptions.PermissionDenied("This key is not for this website.")
        if self.key.sandbox and request.method in _WRITES:
            raise exceptions.PermissionDenied("A sandbox key changes nothing.")

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers["Cache-Control"] = "no-store"
        for name, value in limits.headers(self.usage).items():
            answer.headers[name] = value
        key: Any = getattr(request, "auth", None)
        origin = request.headers.get("Origin")
        answer.headers["Vary"] = "Authorization, Origin"
        if origin and key is None:
            # A refusal tells nothing, and a script should be able to say it.
            answer.headers["Access-Control-Allow-Origin"] = "*"
        elif origin and origin in key.origins:
            answer.headers["Access-Control-Allow-Origin"] = origin
            answer.headers["Access-Control-Expose-Headers"] = "ETag, Link, RateLimit, RateLimit-Policy, Retry-After"
        return answer

    # --- reading ----------------------------------------------------------------------------------------------------
    def told(self, data: Any, *, status: int = 200) -> Response:
        """`data` with its version; 304 where the reader has it."""
        etag = etag_of(data)
        known = self.request.headers.get("If-None-Match", "")
        if status == 200 and self.request.method in {"GET", "HEAD"} and among(etag, known):
            return Response(status=304, headers={"ETag": etag})
        return Response(data, status=status, headers={"ETag": etag})

    def listed(
        self,
        wanted: Mapping[str, Any],
        shape: type[BaseSerializer[Any]],
        rows: QuerySet[Any],
        column: str,
        tell: Callable[[Sequence[Any]], list[dict[str, Any]]],
    ) -> Response:
        """One page of `rows`, newest first by `column`, with the fields that are asked for (`listing`)."""
        fields = listing.chosen_fields(wanted, shape)
        data = listing.page(rows, column, wanted, self.request, lambda found: only(tell(found), fields))
        answer = self.told(data)
        if data["next"]:
            # As a link too (RFC 8288).
            answer.headers["Link"] = f'<{data["next"]}>; rel="next"'
        return answer

    def made_up(
        self, wanted: Mapping[str, Any], shape: type[BaseSerializer[Any]], rows: list[dict[str, Any]]
    ) -> Response:
        """The same of a sandbox's rows, which are one page."""
        return self.told({"results": only(rows, listing.chosen_fields(wanted, shape)), "next": None})

    # --- changing ---------------------------------------------------------------------------------------------------
    def expect(self, data: Any) -> None:
        """A change names the version that it changes, so that nobody's is lost."""
        asked = self.request.headers.get("If-Match", "")
        if not asked:
            raise problems.PreconditionRequired
        if not among(etag_of(data), asked):
            raise problems.PreconditionFailed

    def once(
        self,
        change: Callable[[], tuple[int, Any]],
        *,
        again: Callable[[], Any] | None = None,
        changes: dict[str, Any] | None = None,
    ) -> Response:
        """Make a change, and write that this key made it, in one transaction; a request that comes again is answered as
        the first one was (draft-ietf-httpapi-idempotency-key-header).

        `again` reads the answer anew, where it tells of a sender and so is not kept. `changes` is filled by `change`.
        """
        name = self.request.headers.get("Idempotency-Key", "")
        if len(name) > _LONGEST_KEY or not name.isprintable():
            raise exceptions.ValidationError({"Idempotency-Key": f"At most {_LONGEST_KEY} printable characters."})
        digest = self._digest()
        if name and (done := self._done(name, digest, again)) is not None:
            return done
        try:
            with transaction.atomic():
                status, answer = change()
                ApiWrite.objects.create(
                    organization_id=self.key.organization_id,
                    key=self.key,
                    idempotency_key=name,
                    method=self.request.method or "",
                    path=self.request.path[:200],
                    request_digest=digest,
                    status=status,
                    changes=changes or {},
                    answer=JSONRenderer().render(answer).decode() if name and again is None else None,
                )
        except (IntegrityError, exceptions.APIException, ValidationError):
            # The same request at the same moment may have been quicker, and then it is no wonder that this one is late.
            if name and (done := self._done(name, digest, again)) is not None:
                return done
            raise
        return self.told(answer, status=status)

    def _digest(self) -> str:
        asked = [self.request.method, self.request.get_full_path(), self.request.headers.get("If-Match", "")]
        body = json.dumps([*asked, self.request.data], sort_keys=True, default=str)
        return hashlib.sha256(body.encode("utf-8", "backslashreplace")).hexdigest()

    def _done(self, name: str, digest: str, again: Callable[[], Any] | None) -> Response | None:
        before = ApiWrite.objects.filter(key=self.key, idempotency_key=name).first()
        if before is None:
            return None
        if before.request_digest != digest:
            raise problems.KeyReused
        data = again() if again else json.loads(before.answer or "null")
        answer = self.told(data, status=before.status)
        answer.headers["Idempotency-Replayed"] = "true"
        return answer


def etag_of(data: Any) -> str:
    return kept.etag(JSONRenderer().render(data))


def among(etag: str, written: str) -> bool:
    """Whether a header names this version, or any."""
    return any(one == "*" or one.removeprefix("W/") == etag for one in parse_etags(written))


def only(rows: Iterable[Mapping[str, Any]], fields: Sequence[str]) -> list[dict[str, Any]]:
    """With the fields that a reader asks for; all where he names none."""
    return [{name: row[name] for name in fields} if fields else dict(row) for row in rows]
