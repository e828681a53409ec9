"""Somebody at the admin."""

from __future__ import annotations

from typing import Any

from django.test import Client


def signed_in(user: Any) -> Client:
    """Her browser, which asks for English."""
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client
