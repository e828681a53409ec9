"""Keys of two organizations, and a client that asks with one."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from typing import Any

from django.test import Client
from django.utils import timezone
from tests.world import Tenant

from pages.models import Page
from partners.models import ApiKey, Audience, Scope

EVERYTHING = tuple(Scope.values)


def make_key(
    tenant: Tenant, audience: str = Audience.OWN, scopes: Iterable[str] = EVERYTHING, **changes: Any
) -> tuple[ApiKey, str]:
    """A key and the whole of it."""
    expires = changes.pop("expires_at", timezone.now() + datetime.timedelta(days=90))
    row = ApiKey(
        organization=tenant.organization,
        label=f"{audience} of {tenant.organization}",
        audience=audience,
        scopes=list(scopes),
        expires_at=expires,
        **changes,
    )
    whole = row.new_secret()
    row.save()
    return row, whole


def limit_to(key: ApiKey, *pages: Page) -> None:
    """As the form does it where pages are chosen."""
    key.every_page = False
    key.save()
    key.pages.set(pages)


def make_page(tenant: Tenant, slug: str, **changes: Any) -> Page:
    given = {"name": slug, "published": True, "hotline": tenant.hotline, **changes}
    return Page.objects.create(organization=tenant.organization, slug=slug, **given)


class Asking:
    """`get("key/")`, with a key or without."""

    def __init__(self, whole: str | None = None, **headers: str) -> None:
        self.client = Client(raise_request_exception=True)
        self.headers = {**({"Authorization": f"Bearer {whole}"} if whole else {}), **headers}

    def get(self, path: str, query: dict[str, Any] | None = None, **headers: str) -> Any:
        return self.client.get(f"/api/v1/{path}", query or {}, headers={**self.headers, **headers})

    def send(self, method: str, path: str, body: Any, **headers: str) -> Any:
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        send = getattr(self.client, method)
        return send(f"/api/v1/{path}", data, content_type="application/json", headers={**self.headers, **headers})
