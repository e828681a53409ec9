"""Sealing what leaves to the organization's own key (age, https://age-encryption.org/v1): a file that is lost tells
nothing to who finds it."""

from __future__ import annotations

from typing import IO

import pyrage
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


def validate(recipient: str) -> None:
    """Raise `ValidationError` for what is no public key of age."""
    try:
        pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        message = _(
            "This is not a public key of age. It begins with “age1” and is made by the command age-keygen, on a "
            "computer of yours; what begins with “AGE-SECRET-KEY” must never be entered here."
        )
        raise ValidationError(message, code="recipient") from error


def seal(recipient: str, plain: IO[bytes], sealed: IO[bytes]) -> None:
    """Write what only who has the key's private part can read."""
    pyrage.encrypt_io(plain, sealed, [pyrage.x25519.Recipient.from_str(recipient)])
