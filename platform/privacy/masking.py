"""What people see of a number: enough to talk about it, not enough to dial it."""

from __future__ import annotations

import phonenumbers
from django.utils.translation import gettext as _

_DOTS = "\u2022\u2022 \u2022\u2022 \u2022\u2022 \u2022\u2022"


def mask(sender: str) -> str:
    """`+33 •• •• •• •• 42` for a number in E.164, else what kind of sender it was (SECURITY.md 4.5)."""
    kind, _separator, value = sender.partition(":")
    if kind == "short":
        return _("short code")
    if kind == "name":
        return _("name instead of a number")
    if kind != "number":
        return _("withheld number")
    try:
        country_code = phonenumbers.parse(value).country_code
    except phonenumbers.NumberParseException:
        return f"+\u2026 {_DOTS} {value[-2:]}"
    return f"+{country_code} {_DOTS} {value[-2:]}"
