"""The alphabet of an SMS (GSM 03.38, now 3GPP TS 23.038, 6.2.1). A text that it cannot write needs UTF-16."""

from __future__ import annotations

import gsm0338  # noqa: F401  it registers the codec

CODEC = "gsm03.38"


def encoded(text: str) -> bytes | None:
    """The text in this alphabet, one byte a septet, or None where it has not all the characters."""
    try:
        return text.encode(CODEC)
    except UnicodeError:
        return None
