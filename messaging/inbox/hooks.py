"""From a webhook's token to everything a request needs, remembered for a few seconds.

In a raid this look-up would be most of the database's work. A save forgets it in this process at once; another process
follows within `HOOK_CACHE_SECONDS`. No shared cache stands in the path, so that a dead one changes nothing here.

While the database does not answer, what was known last stands, also on disk (`last_known`): requests can be proven,
and kept in the spool, even by a process that started in the middle of an outage.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error, transaction
from django.db.models.signals import post_delete, post_save

from hotlines.models import TOKEN_PATTERN, Account, EndpointPin, Hotline
from hotlines.policy import Policy
from organizations.models import Organization
from privacy import vault

from . import last_known, outage
from .last_known import Proof

log = logging.getLogger("paravent.webhook")


@dataclass(frozen=True)
class Hook(Proof):
    """A hotline as its webhook sees it."""

    organization_id: int
    account_id: int
    number: str
    policy: Policy
    #: Whether texts are stored; else messages are only counted.
    keeps_texts: bool = True


_lock = threading.Lock()
_hooks: dict[str, tuple[float, Proof | None]] = {}
_numbers: list[tuple[float, frozenset[str]]] = []
_CACHE_LIMIT = 4096


def find(token: str) -> Proof | None:
    """The hook of `token`, or None. Absence is remembered too, so that guessing costs no query each.

    It is a `Hook`, except where the database does not answer and only its `Proof` is left. Raises the database's
    errors where nothing is known of the token.
    """
    if not TOKEN_PATTERN.fullmatch(token):
        return None
    now = time.monotonic()
    known = _hooks.get(token)
    if known is not None and known[0] > now:
        return known[1]
    try:
        outage.require_database()
        hook: Proof | None = _load(hook_token=token)
        last_known.write(token, hook)
    except Error as error:  # also a fault of ours, as between two versions' tables
        outage.noticed(error)
        hook = known[1] if known is not None else last_known.read(token)
        if hook is None:
            raise
    with _lock:
        if len(_hooks) >= _CACHE_LIMIT:
            _hooks.clear()
        _hooks[token] = (now + settings.HOOK_CACHE_SECONDS, hook)
    return hook


def of_hotline(hotline_id: int) -> Hook | None:
    """The hook of a hotline, as the database has it now."""
    return _load(pk=hotline_id)


def _load(**wanted: Any) -> Hook | None:
    hotline = (
        Hotline.objects.select_related("account", "organization").prefetch_related("pins").filter(**wanted).first()
    )
    if hotline is None:
        return None
    return Hook(
        hotline_id=hotline.pk,
        organization_id=hotline.organization_id,
        account_id=hotline.account_id,
        provider=hotline.account.provider,
        credentials=_credentials(hotline.account),
        number=hotline.number,
        policy=hotline.policy,
        keeps_texts=hotline.text_days > 0,
        pins={pin.endpoint: pin.scheme for pin in hotline.pins.all()},
    )


def _credentials(account: Account) -> Mapping[str, str]:
    """The account's secrets, or none where their key is gone: then nothing verifies, and every request is refused."""
    try:
        return account.credentials
    except vault.Unreadable:
        log.error("the credentials of account %s cannot be read: its webhooks refuse everything", account.pk)
        return {}


def own_numbers() -> frozenset[str]:
    """Every hotline's number on this platform: two of ours must never answer each other."""
    now = time.monotonic()
    for until, numbers in _numbers:
        if until > now:
            return numbers
    numbers = frozenset(Hotline.objects.values_list("number", flat=True))
    _numbers[:] = [(now + settings.HOOK_CACHE_SECONDS, numbers)]
    return numbers


def pinned_scheme(hook: Proof, endpoint: str) -> str | None:
    """The pin as the database has it now, for the rare request whose weaker scheme must not profit from a cache.

    While the database does not answer, as it was known last.
    """
    try:
        outage.require_database()
        return _pin_of(hook.hotline_id, endpoint)
    except outage.NO_ANSWER as error:
        outage.noticed(error)
        return hook.pins.get(endpoint)


def _pin_of(hotline_id: int, endpoint: str) -> str | None:
    return EndpointPin.objects.filter(hotline_id=hotline_id, endpoint=endpoint).values_list("scheme", flat=True).first()


def pin(hotline_id: int, endpoint: str, scheme: str) -> None:
    """From now on `endpoint` refuses schemes weaker than `scheme` (SECURITY.md W5).

    While the database does not answer, from the next request on that it is there for.
    """
    try:
        outage.require_database()
        EndpointPin.objects.update_or_create(hotline_id=hotline_id, endpoint=endpoint, defaults={"scheme": scheme})
    except outage.NO_ANSWER as error:
        outage.noticed(error)


def forget(**_signal: Any) -> None:
    """Drop what this process remembers, now and again when the surrounding transaction has committed."""
    _clear()
    transaction.on_commit(_clear)


def _clear() -> None:
    with _lock:
        _hooks.clear()
        _numbers.clear()


def connect() -> None:
    for model in (Hotline, Account, EndpointPin, Organization):
        post_save.connect(forget, sender=model, dispatch_uid=f"inbox.hooks.save.{model.__name__}")
        post_delete.connect(forget, sender=model, dispatch_uid=f"inbox.hooks.delete.{model.__name__}")
