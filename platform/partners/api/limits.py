"""How often a key may ask, and what its answers say about that."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django_ratelimit.core import get_usage
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class KeyThrottle(BaseThrottle):
    """Counted in one atomic step, over all processes. Where the counters do not answer, reading goes on."""

    def __init__(self) -> None:
        self.usage: Any = None

    def allow_request(self, request: Request, view: Any) -> bool:
        key: Any = request.auth
        if key is None:
            return True
        self.usage = get_usage(
            request._request,
            group="api.key",
            key=lambda _group, _asked: key.mark,
            rate=settings.API_RATE,
            increment=True,
        )
        view.usage = self.usage
        return self.usage is None or not self.usage["should_limit"]

    def wait(self) -> float:
        return float(max(1, self.usage["time_left"]))


def headers(usage: Any) -> dict[str, str]:
    """As `draft-ietf-httpapi-ratelimit-headers` has them: what is allowed, what is left, for how many seconds."""
    if not usage:
        return {}
    most = usage["limit"]
    left, seconds = max(0, most - usage["count"]), max(0, usage["time_left"])
    window = _window()
    return {"RateLimit-Policy": f'"key";q={most};w={window}', "RateLimit": f'"key";r={left};t={seconds}'}


def _window() -> int:
    """Seconds of `API_RATE`, as django-ratelimit writes it: 60/m, 100/5m."""
    period = settings.API_RATE.partition("/")[2]
    return int(period[:-1] or 1) * _SECONDS[period[-1]]
