"""Mails to one person about her own account."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage


def to_person(user: Any, subject: str, body: str) -> None:
    """Send it where she has an address. A mail server that fails must not keep her from signing in."""
    if user.email:
        EmailMessage(subject, body, settings.DEFAULT_FROM_EMAIL, [user.email]).send(fail_silently=True)
