"""What production refuses to start with. Each message says what to do."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from evidence import stamps
from providers import registry

#: No provider says how late its log may be; nobody has seen it later than this (SECURITY.md 2.3).
SHORTEST_SETTLE_TIME = 900


@register(Tags.security)
def safe_values(**_kwargs: Any) -> list[CheckMessage]:
    """config.E001-E011. `PARAVENT_DEMO=1` (a demo, a test) is the only way around them."""
    if settings.DEMO:
        return []
    problems: list[CheckMessage] = []

    def refuse(unsafe: object, number: int, message: str) -> None:
        if unsafe:
            problems.append(Error(message, id=f"config.E{number:03}"))

    refuse(settings.DEBUG, 1, "PARAVENT_DEBUG is on: pages would show the code and data to anybody. Unset it.")
    refuse(
        len(settings.SECRET_KEY) < 50 or len(set(settings.SECRET_KEY)) < 5,
        2,
        "PARAVENT_SECRET_KEY is too weak: use at least 50 random characters.",
    )
    refuse(
        not settings.PUBLIC_URL.startswith("https://"),
        3,
        "PARAVENT_PUBLIC_URL must be the https:// address at which providers reach this server: their signatures cover "
        "it, and messages must not cross the network in clear.",
    )
    refuse(
        not settings.ALLOWED_HOSTS or "*" in settings.ALLOWED_HOSTS,
        4,
        "PARAVENT_ALLOWED_HOSTS must name this server's host names, separated by commas, and not *.",
    )
    refuse(settings.SIMULATOR, 5, "PARAVENT_SIMULATOR is for demos: it would let anybody send messages. Unset it.")
    refuse(
        (settings.PLIVO_API_URL, settings.TWILIO_API_URL) != ("https://api.plivo.com", "https://api.twilio.com"),
        6,
        "PARAVENT_PLIVO_API_URL and PARAVENT_TWILIO_API_URL are for tests: replies and credentials would go elsewhere. "
        "Unset them.",
    )
    refuse(
        settings.ENGINE not in {"embedded", "celery"},
        7,
        "PARAVENT_ENGINE is embedded (one process) or celery (workers and beat).",
    )
    refuse(
        settings.CLAIM_LEASE <= 5 * settings.PROVIDER_TIMEOUT,
        8,
        "The lease of a claim must be longer than five call time-outs, or a slow call would be sent twice.",
    )
    logs = [provider.log.lag for name in registry.names() if (provider := registry.get(name)).log is not None]
    shortest = max([SHORTEST_SETTLE_TIME, *logs])
    refuse(
        shortest > settings.SETTLE_TIME,
        9,
        f"PARAVENT_SETTLE_TIME must be at least {shortest:.0f} seconds: a provider's log that is read before it is "
        "complete seems to lack a reply that was sent, and it would be sent twice. Unset it.",
    )
    refuse(
        settings.TSA_URL and not _holds_certificates(),
        10,
        "PARAVENT_TSA_CERTIFICATES must name a PEM file with the certificates of the time-stamping authority of "
        "PARAVENT_TSA_URL: a stamp that nobody can check proves nothing.",
    )
    missing = [str(path) for path in settings.REPORT_FONTS if not path.is_file()]
    refuse(
        missing,
        11,
        f"PARAVENT_REPORT_FONTS names files that are not there: {', '.join(missing)}. No report could be printed.",
    )
    return problems


def _holds_certificates() -> bool:
    try:
        return bool(stamps.certificates())
    except (OSError, ValueError):
        return False
