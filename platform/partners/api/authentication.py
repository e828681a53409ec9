"""Who asks: a key in the `Authorization` header, and nowhere else (SECURITY.md 5.2)."""

from __future__ import annotations

import datetime
import re
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django_ratelimit.core import get_usage
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from inbox import clients
from partners.models import ApiKey, keys

_WHOLE = re.compile(rf"(?:{'|'.join(keys.PREFIXES.values())})_([a-z2-7]{{8}})_[A-Za-z0-9_-]{{43}}")
#: How exactly it is known when a key was last used; each request would be a write otherwise.
_NOTICED = datetime.timedelta(minutes=5)
#: The same whatever is wrong, so that nobody learns which part of a guess was right.
_REFUSED = "This key is unknown, expired or revoked, or may not be used from here."


class ApiUser:
    """Stands where the framework expects a user; what counts is the key."""

    is_authenticated = is_active = True
    is_anonymous = is_staff = is_superuser = False
    pk = None

    def __init__(self, key: ApiKey) -> None:
        self.key = key


class KeyAuthentication(authentication.BaseAuthentication):
    """One statement a request: a key that is revoked is refused everywhere from then on."""

    def authenticate(self, request: Request) -> tuple[ApiUser, ApiKey] | None:
        written = request.headers.get("Authorization", "")
        if not written:
            return None
        scheme, _space, whole = written.partition(" ")
        if scheme.lower() != "bearer":
            raise exceptions.AuthenticationFailed("Send the key as: Authorization: Bearer …")
        self._limit_guesses(request, increment=False)
        found = _WHOLE.fullmatch(whole.strip())
        key = ApiKey.objects.select_related("organization").filter(mark=found[1]).first() if found else None
        right = key is not None and key.is_this(whole.strip()) and key.usable
        if key is None or not right or not key.comes_from(clients.address(request)):
            self._limit_guesses(request, increment=True)
            raise exceptions.AuthenticationFailed(_REFUSED)
        self._notice(key)
        return ApiUser(key), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Paravent"'

    def _limit_guesses(self, request: Any, *, increment: bool) -> None:
        """Wrong keys from one address; a leaked list is not tried out here."""
        usage = get_usage(
            request._request,
            group="api.guesses",
            key=lambda _group, asked: clients.network(asked),
            rate=settings.API_GUESS_RATE,
            increment=increment,
        )
        if usage is not None and usage["should_limit"]:
            raise exceptions.Throttled(usage["time_left"], "Too many wrong keys from this address.")

    def _notice(self, key: ApiKey) -> None:
        now = timezone.now()
        if key.last_used_at is None or now - key.last_used_at > _NOTICED:
            stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - _NOTICED)
            ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "partners.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "pvk_… or pvtest_…",
            "description": "A key that an owner of the organization made in the admin, under *Keys*.",
        }
