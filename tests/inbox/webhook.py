"""Posting to the webhook in every way a provider, or somebody who is none, may post; and what was stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.test import Client
from tests.providers.plivo_protocol import signed_headers
from tests.signing import FORM, PUBLIC, new_nonce
from tests.world import Tenant

from conversations.models import Block, Conversation, DeliveryReport, Message, Reply
from hotlines.models import EndpointPin, Hotline

STORED: tuple[type[models.Model], ...] = (Block, Conversation, DeliveryReport, Message, Reply, EndpointPin)


def path_of(hotline: Hotline, endpoint: str = "message") -> str:
    return f"/hooks/{hotline.account.provider}/{hotline.hook_token}/{endpoint}/"


def headers_of(
    path: str, fields: Mapping[str, str], token: str, *, scheme: str = "v3", nonce: str | None = None
) -> dict[str, str]:
    """The headers of one family, or of "both", for `path` below the public address."""
    every = signed_headers(PUBLIC + path, fields, token, nonce or new_nonce())
    return {name: value for name, value in every.items() if scheme == "both" or f"-{scheme.upper()}" in name}


def post(
    path: str,
    body: bytes | str | Mapping[str, str],
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str = FORM,
    **environ: Any,
) -> int:
    """POST `body`, a mapping of fields or bytes as they are; returns the status. Nothing may raise."""
    data = urlencode(body) if isinstance(body, Mapping) else body
    given = {"content_type": content_type, "headers": dict(headers or {}), **environ}
    # `Client.post` would encode the body again, by the charset of the content type.
    return int(Client().generic("POST", path, data.encode() if isinstance(data, str) else data, **given).status_code)


def deliver(tenant: Tenant, fields: Mapping[str, str], *, scheme: str = "v3", nonce: str | None = None) -> int:
    """An inbound message, signed as Plivo would sign it."""
    path = path_of(tenant.hotline)
    return post(path, fields, headers_of(path, fields, tenant.token, scheme=scheme, nonce=nonce))


def rows() -> dict[str, list[dict[str, Any]]]:
    """Every row that a webhook could have written, for comparing before and after."""
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in STORED}


def count() -> dict[str, int]:
    """How many rows there are of each kind that has any."""
    counted = {model.__name__: model._default_manager.count() for model in STORED}
    return {name: number for name, number in counted.items() if number}
