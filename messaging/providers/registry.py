"""Every provider, one line each. The class is imported when it is first needed."""

from __future__ import annotations

import functools

from django.conf import settings
from django.utils.module_loading import import_string

from .base import Provider

PROVIDERS = {
    "jasmin": "providers.jasmin.Jasmin",
    "plivo": "providers.plivo.Plivo",
    "smsgate": "providers.smsgate.SmsGate",
    "standard": "providers.standard.Standard",
    "twilio": "providers.twilio.Twilio",
    "vonage": "providers.vonage.Vonage",
    "vonage_sms": "providers.vonage_sms.VonageSms",
    "simulator": "providers.simulator.Simulator",
}
#: Never offered and never answered where the simulator is off, which production insists on.
DEMO_ONLY = frozenset({"simulator"})


class UnknownProvider(LookupError):
    """There is no provider of that name here."""


def names() -> list[str]:
    """The providers this installation offers."""
    return [name for name in PROVIDERS if settings.SIMULATOR or name not in DEMO_ONLY]


@functools.cache
def _load(name: str) -> Provider:
    provider: Provider = import_string(PROVIDERS[name])()
    return provider


def get(name: str) -> Provider:
    """The provider `name`. Raises `UnknownProvider`."""
    if name not in names():
        raise UnknownProvider(name)
    return _load(name)


def passes_calls(name: str) -> bool:
    """Whether `name` is a provider that passes calls on."""
    return name in names() and _load(name).calls is not None
